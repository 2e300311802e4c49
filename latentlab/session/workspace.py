"""What the process holds for all its visitors: the networks, and what they have computed of pictures."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace
from itertools import compress
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from latentlab import datasets
from latentlab.chance import make_generator
from latentlab.errors import UserError
from latentlab.images import measure_psnr, round_levels
from latentlab.knobs import Knob, Setting
from latentlab.models import KINDS
from latentlab.models.kinds import PIXELS_KIND, rank_drawing
from latentlab.operators.latent_operator import decode, encode
from latentlab.runs import Runs
from latentlab.session.cache import ResultCache, hash_pictures
from latentlab.session.examples import (
    EXAMPLE_COUNT,
    EXAMPLES_FOLDER,
    choose_example_rows,
    draw_examples,
    load_examples,
)
from latentlab.session.state import Picture, PictureSource, Prediction, Reconstruction
from latentlab.session.thread_budget import ThreadBudget
from latentlab.store import Store
from latentlab.types import DensityModel, DirectedModel, Images, Latents, Logits, RefinableModel, ShellModel

DENSITY_BATCH_SIZE = 16
PREFERRED_WORLDS = ("faces", "cifar10", "digits")
DIRECTION_SLIDERS = 8  # directions that have a slider of their own
COMPONENT_SLIDERS = 4  # of them principal components, where there are others
KNOWN_ATTRIBUTES = ("Smiling", "Male", "Young", "Eyeglasses", "Blond_Hair")  # attributes that are seen at once
SEED_SETTING = Setting("seed", int, 0, Knob("of every random draw of a move", 0, 2**31 - 1))
DRAW_SETTING = Setting("draw", int, 100, Knob("seed of a sample from the prior", 0, 2**31 - 1))
TEMPERATURE_SETTING = Setting("temperature", float, 0.7, Knob("1: the prior as it is; less: safer", 0, 1.5))
INDEX_SETTING = Setting("test image", int, 0, Knob("its number in the data set", 0, 10**6))
REFINE_STEPS = 100  # steps of optimisation that improve an encoding


class Workspace:
    """The store with a memory keyed by content: a network's digest and the bytes of a picture."""

    def __init__(self, store: Store, examples: Path = EXAMPLES_FOLDER, runs: Runs | None = None) -> None:
        self._store, self.runs = store, runs  # without runs, nobody trains here
        self._threads = ThreadBudget(runs)
        self._examples_folder = examples
        self._memory = ResultCache()
        self._worlds = ResultCache(2)

    @property
    def store(self) -> Store:
        """Return the store to compute with: who asks for networks is about to compute."""
        self._threads.limit_threads()
        return self._store

    def _load_network(self, name: str, pictures: int) -> Any:
        """Load a network for so many pictures.

        For one picture, a core is left to the browser of the same machine: a thread that shares its core with it
        makes the other wait, and the picture comes later than from a single one.
        """
        self._threads.limit_threads(spare=1 if pictures == 1 else 0)
        return self._store.load(name)

    @property
    def first_world(self) -> str:
        worlds = self.store.worlds
        if not worlds:
            raise UserError(f"There are no checkpoints in {self.store.folder}; make a world with `latentlab world`.")
        known = [world for world in PREFERRED_WORLDS if world in worlds] or list(worlds)
        return next((world for world in known if self.store.list_classifiers(world)), known[0])

    @property
    def latent_names(self) -> list[str]:
        return [name for world in self.store.worlds for name in self.store.list_models(world)]

    def list_directions(self, name: str) -> list[str]:
        """List a model's directions: some principal components, then names that people know, then the rest."""
        network = self.store.load(name)
        names = list(network.directions) if isinstance(network, DirectedModel) else []
        components = sorted((n for n in names if re.fullmatch(r"pc\d+", n)), key=lambda n: int(n[2:]))
        others = [n for n in KNOWN_ATTRIBUTES if n in names] + [
            n for n in names if n not in {*components, *KNOWN_ATTRIBUTES}
        ]
        count = max(COMPONENT_SLIDERS, DIRECTION_SLIDERS - len(others))
        return [*components[:count], *others, *components[count:]]

    def encode_pictures(self, name: str, pictures: Images, refined: bool = False) -> Latents:
        """Return the encoding, on the store's device, improved where it is asked for; once per picture and network."""
        key = ("latents", self.store.digest(name), hash_pictures(pictures), refined)
        return self.recall_result(key, lambda: self._run_encoder(name, pictures, REFINE_STEPS if refined else 0))

    @torch.no_grad()
    def _run_encoder(self, name: str, pictures: Images, refine: int) -> Latents:
        pictures = pictures.to(self.store.device)
        return encode(self._load_network(name, len(pictures)), pictures, refine)

    def refine_latents(self, name: str, pictures: Images) -> Iterator[Latents]:
        """Yield the improved encoding step by step; the last one is remembered."""
        model = self.store.load(name)
        if not isinstance(model, RefinableModel):
            raise UserError("This space's encoding cannot be refined; choose a StyleGAN2.")
        step = start = self.encode_pictures(name, pictures)
        for step in model.refine_stepwise(pictures.to(self.store.device), start, REFINE_STEPS):
            yield step
        self.recall_result(("latents", self.store.digest(name), hash_pictures(pictures), True), lambda: step)

    @torch.no_grad()
    def decode_latents(self, name: str, latents: Latents) -> Images:
        """Decode to images of 256 levels on the CPU: what is shown is what is classified and saved."""
        return round_levels(decode(self._load_network(name, len(latents)), latents))

    def rebuild_pictures(self, name: str, pictures: Images, refined: bool = False) -> Reconstruction:
        def compute_reconstruction() -> Reconstruction:
            image = self.decode_latents(name, self.encode_pictures(name, pictures, refined))
            return Reconstruction(image, measure_psnr(image, pictures))

        return self.recall_result(
            ("rebuilt", self.store.digest(name), hash_pictures(pictures), refined), compute_reconstruction
        )

    def predict_picture(self, world: str, classifier: str, picture: Images, space: str = "") -> Prediction:
        """Return the classifier's probabilities and the flow's bits per dimension; empty where there is none."""
        return Prediction(
            self._classify_picture(classifier, picture) if classifier else (), self._recall_bits(world, picture, space)
        )

    def _classify_picture(self, classifier: str, picture: Images) -> tuple[float, ...]:
        @torch.no_grad()
        def compute_probabilities() -> tuple[float, ...]:
            there = picture.to(self.store.device)
            answer = run_classifier(classifier, self._load_network(classifier, 1), there)
            return tuple(answer[0].softmax(0).tolist())

        return self.recall_result(
            ("classes", classifier, self.store.digest(classifier), hash_pictures(picture)), compute_probabilities
        )

    def can_classify(self, classifier: str, picture: Images) -> bool:
        """Say whether the classifier answers for such a picture: one that somebody brought may want others."""
        try:
            self._classify_picture(classifier, picture)
        except UserError:
            return False
        return True

    def _recall_bits(self, world: str, picture: Images, space: str) -> float | None:
        name = self.find_density_model(world, space)
        if name is None:
            return None
        return self.recall_result(
            ("bits", self.store.digest(name), hash_pictures(picture)), lambda: self.measure_bits(name, picture)[0]
        )

    def find_density_model(self, world: str, space: str = "") -> str | None:
        """Return the space if it knows how likely an image is, else the world's first model that does."""
        names = ([space] if space else []) + self.store.list_models(world)
        return next(
            (name for name in names if self.can_load(name) and isinstance(self.store.load(name), DensityModel)), None
        )

    @torch.no_grad()
    def measure_bits(self, name: str, pictures: Images) -> list[float]:
        """Return −log₂ p(x) / D of 256-level images under a model with a density."""
        pictures = pictures.to(self.store.device)
        flow = self._load_network(name, len(pictures))
        nats = torch.cat([flow.log_prob(few) for few in pictures.split(DENSITY_BATCH_SIZE)])
        return (-nats / torch.tensor(2.0).log() / pictures[0].numel()).tolist()

    def list_examples(self, world: str) -> list[Picture]:
        """List the pictures that a world opens on: those shipped with the project, else test images of its data, else
        samples of its model.
        """
        return self.recall_result(
            ("examples", world, self.store.stamp_world(world)), lambda: self._find_examples(world)
        )

    def _find_examples(self, world: str) -> list[Picture]:
        shipped = load_examples(self._examples_folder, world, self.store.find_image_shape(world))
        if shipped:
            return shipped
        if tested := self._take_test_examples(world):
            return tested
        model = self.choose_drawing_model(world)
        return draw_examples(lambda seed: self.draw_sample(model, seed, TEMPERATURE_SETTING.default))

    def _take_test_examples(self, world: str) -> list[Picture]:
        """Take test images of classes by turns; none where the data are not here."""
        try:
            test = self.load_dataset(world).test
        except UserError:
            return []
        rows = choose_example_rows(test.labels, EXAMPLE_COUNT)
        return [replace(self.load_row(world, row), name=f"example {n}") for n, row in enumerate(rows, 1)]

    def choose_first_model(self, world: str) -> str:
        """Choose the model that draws best; pixels where there is none."""
        try:
            return self.choose_drawing_model(world)
        except UserError:
            return f"{world}-{PIXELS_KIND}"

    def choose_mix_path(self, model: str) -> Literal["straight", "spherical"]:
        """Choose the way from a picture to its partner that suits the space."""
        return "spherical" if self.can_load(model) and isinstance(self.store.load(model), ShellModel) else "straight"

    def choose_drawing_model(self, world: str) -> str:
        """Choose the model whose samples look best."""
        name = next((name for name in self.rank_drawing_models(world) if self.can_load(name)), None)
        if name is None:
            raise UserError(f"The world {world} has no model to draw from; upload a picture instead.")
        return name

    def rank_drawing_models(self, world: str) -> list[str]:
        """List the models that draw by how good their samples look, as their cards say; none of them is read."""
        cards = {name: self.store.card(name) for name in self.store.list_models(world)}
        ranks = {name: rank_drawing(card.kind, card.arguments) for name, card in cards.items()}
        return [name for name in sorted(ranks, key=lambda name: -ranks[name]) if ranks[name]]

    def can_load(self, name: str) -> bool:
        """Say whether the file holds what its card says."""
        try:
            self.store.load(name)
        except UserError:
            return False
        return True

    @torch.no_grad()
    def draw_sample(self, model: str, seed: int, temperature: float) -> Picture:
        """Draw a sample of the prior, its latents scaled by the temperature (truncation, for a StyleGAN2)."""
        latents = self.store.load(model).sample(1, make_generator(seed)).map(lambda part: part * temperature)
        kind = self.store.card(model).kind
        source = kind if KINDS[kind].is_stored else model
        origin = f"drawn from {source}, seed {seed}, T {temperature:g}"
        return Picture(self.decode_latents(model, latents), origin, name=f"drawn {model} {seed} {temperature!r}")

    def load_row(self, world: str, index: int, source: Literal["test", "train"] = "test") -> Picture:
        """Load one of the data set's images, with its true classes."""
        split = getattr(self.load_dataset(world), source)
        if not 0 <= index < len(split):
            raise UserError(f"index is {index}; the {source} images of {world} are numbered 0 to {len(split) - 1}.")
        pictures, labels = split.take_batch([index])
        true = name_true_classes(self.load_dataset(world), labels[0])
        return Picture(self._check_shape(world, pictures), f"{world} {source} {index}", true, f"{source} {index}")

    def load_rows(self, world: str, source: PictureSource, rows: Sequence[int]) -> tuple[Images, Tensor | None]:
        """Load many at once: images and labels of the data set's rows; samples of the model, and pictures of a world
        without classes, have no labels.
        """
        if source == "drawn":
            model = self.choose_drawing_model(world)
            return torch.cat([self.draw_sample(model, seed, TEMPERATURE_SETTING.default).image for seed in rows]), None
        split = getattr(self.load_dataset(world), source)
        if bad := [row for row in rows if not 0 <= row < len(split)]:
            raise UserError(f"row is {bad[0]}; the {source} images of {world} are numbered 0 to {len(split) - 1}.")
        pictures, labels = split.take_batch(list(rows))
        return self._check_shape(world, pictures), labels if self.load_dataset(world).classes else None

    def find_picture(self, world: str, name: str) -> Picture:
        """Return an example, a sample or a row of the data set by its name, which may be a stranger's word."""
        match name.split(" "):
            case ["example", place] if place.isdecimal() and 0 < int(place[:9]) <= len(self.list_examples(world)):
                return self.list_examples(world)[int(place[:9]) - 1]
            case ["test" | "train" as source, index]:
                return self.load_row(world, INDEX_SETTING.check_value(_parse_number(index)), source)
            case ["drawn", model, seed, heat] if model in self.store.list_models(world):
                return self.draw_sample(
                    model,
                    DRAW_SETTING.check_value(_parse_number(seed)),
                    TEMPERATURE_SETTING.check_value(_parse_number(heat)),
                )
        raise UserError(f"There is no picture {name[:60]!r} here; copy the address from LatentLab again.")

    def load_dataset(self, world: str) -> datasets.Dataset:
        return self._worlds.find_or_make((world, self.store.stamp_world(world)), lambda: datasets.load_world(world))

    def _check_shape(self, world: str, pictures: Images) -> Images:
        assert tuple(pictures.shape[1:]) == tuple(self.store.find_image_shape(world)), (
            "data and checkpoints agree in size"
        )
        return pictures

    def recall_result(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Return what `make` gives; it is asked once."""
        return self._memory.find_or_make(key, make)


def run_classifier(name: str, network: Any, pictures: Images) -> Logits:
    """Return the classifier's answer; it may be anybody's, so whatever goes wrong in it is said in one line."""
    try:
        answer = network(pictures)
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0][:200]
        raise UserError(
            f"{name} cannot read images of {list(pictures.shape[1:])}: {reason}. Choose another classifier."
        ) from error
    if not answer.isfinite().all():
        raise UserError(f"The answer of {name} to this picture is not finite. Choose another classifier.")
    return answer


def name_true_classes(world: datasets.Dataset, label: Tensor) -> frozenset[str]:
    """Name the class of a picture, or the attributes that it has; nothing where the world has none."""
    if not world.classes:
        return frozenset()
    names = world.classes
    return frozenset([names[int(label)]] if label.ndim == 0 else compress(names, label.tolist()))


def _parse_number(word: str) -> float | str:
    """Return the number that a word spells, else the word, for a setting to refuse."""
    return float(word) if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,20})?(e-[0-9]{1,2})?", word) else word
