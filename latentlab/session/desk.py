"""What the process holds for all its visitors: the networks, and a bounded memory of what they have computed."""

from __future__ import annotations

import hashlib
import re
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from threading import RLock
from typing import Any, Literal

import torch
from torch import Tensor

from latentlab import data, images
from latentlab.chance import seeded
from latentlab.errors import UserError
from latentlab.images import Picture
from latentlab.knobs import Knob, Setting
from latentlab.operators.move import decode, encode
from latentlab.runs import Runs
from latentlab.session.state import Found, Reading, Rebuilt, Source
from latentlab.store import Store
from latentlab.types import DensityModel, DirectedModel, Images, Latents, RefinableModel

EXAMPLES = Path(__file__).parents[2] / "assets" / "examples"
EXAMPLE_COUNT = 8
DENSITY_BATCH = 16
REMEMBERED = 512  # encodings and pictures of 64 pixels: some tens of MB
FIRST_WORLDS = ("faces", "cifar10", "digits")
BANK = 8  # directions that have a slider of their own
COMPONENTS = 4  # of them principal components, where there are others
KNOWN = ("Smiling", "Male", "Young", "Eyeglasses", "Blond_Hair")  # attributes that are seen at once
SEED = Setting("seed", int, 0, Knob("of every random draw of a move", 0, 2**31 - 1))
DRAW = Setting("draw", int, 100, Knob("seed of a sample from the prior", 0, 2**31 - 1))
TEMPERATURE = Setting("temperature", float, 0.7, Knob("1: the prior as it is; less: safer", 0, 1.5))
INDEX = Setting("test image", int, 0, Knob("its number in the data set", 0, 10**6))
REFINE = 100  # steps of optimisation that improve an encoding
DRAWS_BEST = ("stylegan2", "glow", "vae")


class Memory:
    """The last results by key. One thread computes while others wait, so that nothing is computed twice."""

    def __init__(self, size: int = REMEMBERED) -> None:
        self._size, self._lock = size, RLock()
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        with self._lock:
            if key not in self._kept:
                self._kept[key] = make()
            self._kept.move_to_end(key)
            while len(self._kept) > self._size:
                self._kept.popitem(last=False)
            return self._kept[key]


class Desk:
    """The store with a memory keyed by content: a network's digest and the bytes of a picture."""

    def __init__(self, store: Store, examples: Path = EXAMPLES, runs: Runs | None = None) -> None:
        self._store, self.runs = store, runs  # without runs, nobody trains here
        self._threads = torch.get_num_threads()
        self._examples = examples
        self._memory = Memory()
        self._worlds = Memory(2)

    @property
    def store(self) -> Store:
        """Who asks for networks is about to compute: with as many threads as the runs beside the page leave. Threads
        wait for each other, and one that shares its core with a run makes all of them late at every step."""
        return self._lent(spare=0)

    def _network(self, name: str, pictures: int) -> Any:
        """A network for so many pictures. For one, a core is left to the browser of the same machine: a thread that
        shares its core with it makes the other wait, and the picture comes later than from a single one."""
        return self._lent(spare=1 if pictures == 1 else 0).load(name)

    def _lent(self, spare: int) -> Store:
        """The store, to compute with all threads but those that the runs have taken, and so many more."""
        threads = max(1, self._threads - spare - (self.runs.taken if self.runs else 0))
        if torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        return self._store

    @property
    def first_world(self) -> str:
        worlds = self.store.worlds
        if not worlds:
            raise UserError(f"There are no checkpoints in {self.store.folder}; make one with `latentlab fit`.")
        known = [world for world in FIRST_WORLDS if world in worlds] or list(worlds)
        return next((world for world in known if self.store.classifiers(world)), known[0])

    @property
    def latent_names(self) -> list[str]:
        return [name for world in self.store.worlds for name in self.store.models(world)]

    def directions(self, name: str) -> list[str]:
        """A model's directions: some principal components, then names that people know, then the rest."""
        network = self.store.load(name)
        names = list(network.directions) if isinstance(network, DirectedModel) else []
        components = sorted((n for n in names if re.fullmatch(r"pc\d+", n)), key=lambda n: int(n[2:]))
        others = [n for n in KNOWN if n in names] + [n for n in names if n not in {*components, *KNOWN}]
        count = max(COMPONENTS, BANK - len(others))
        return [*components[:count], *others, *components[count:]]

    def latents(self, name: str, pictures: Images, refined: bool = False) -> Latents:
        """The encoding, on the store's device, improved where it is asked for; once per picture and network."""
        key = ("latents", self.store.digest(name), _bytes(pictures), refined)
        return self.recall(key, lambda: self._encode(name, pictures, REFINE if refined else 0))

    @torch.no_grad()
    def _encode(self, name: str, pictures: Images, refine: int) -> Latents:
        pictures = pictures.to(self.store.device)
        return encode(self._network(name, len(pictures)), pictures, refine)

    def refining(self, name: str, pictures: Images) -> Iterator[Latents]:
        """The improved encoding step by step; the last one is remembered."""
        model = self.store.load(name)
        if not isinstance(model, RefinableModel):
            raise UserError("This space's encoding cannot be refined; choose a StyleGAN2.")
        step = start = self.latents(name, pictures)
        for step in model.refining(pictures.to(self.store.device), start, REFINE):
            yield step
        self.recall(("latents", self.store.digest(name), _bytes(pictures), True), lambda: step)

    @torch.no_grad()
    def decode(self, name: str, latents: Latents) -> Images:
        """Images of 256 levels on the CPU: what is shown is what is classified and saved."""
        return levels(decode(self._network(name, len(latents)), latents))

    def rebuilt(self, name: str, pictures: Images, refined: bool = False) -> Rebuilt:
        def make() -> Rebuilt:
            image = self.decode(name, self.latents(name, pictures, refined))
            return Rebuilt(image, psnr(image, pictures))

        return self.recall(("rebuilt", self.store.digest(name), _bytes(pictures), refined), make)

    def reading(self, world: str, classifier: str, picture: Images) -> Reading:
        """Probabilities by the classifier, bits per dimension by the world's flow; empty where there is none."""
        return Reading(self._probabilities(classifier, picture) if classifier else (), self._bits(world, picture))

    def _probabilities(self, classifier: str, picture: Images) -> tuple[float, ...]:
        @torch.no_grad()
        def make() -> tuple[float, ...]:
            there = picture.to(self.store.device)
            return tuple(self._network(classifier, 1)(there)[0].softmax(0).tolist())

        return self.recall(("classes", classifier, self.store.digest(classifier), _bytes(picture)), make)

    def _bits(self, world: str, picture: Images) -> float | None:
        name = self.density(world)
        if name is None:
            return None
        return self.recall(("bits", self.store.digest(name), _bytes(picture)), lambda: self.bits(name, picture)[0])

    def density(self, world: str) -> str | None:
        """The world's first model that knows how likely an image is."""
        flows = (name for name in self.store.models(world) if self.store.card(name).kind == "glow")
        return next((name for name in flows if isinstance(self.store.load(name), DensityModel)), None)

    @torch.no_grad()
    def bits(self, name: str, pictures: Images) -> list[float]:
        """−log₂ p(x) / D of 256-level images under a model with a density."""
        pictures = pictures.to(self.store.device)
        flow = self._network(name, len(pictures))
        nats = torch.cat([flow.log_prob(few) for few in pictures.split(DENSITY_BATCH)])
        return (-nats / torch.tensor(2.0).log() / pictures[0].numel()).tolist()

    def examples(self, world: str) -> list[Found]:
        """The project's own samples of a world; where none are shipped, drawn from its model."""
        return self.recall(("examples", world), lambda: self._shipped(world) or self._drawn_examples(world))

    def _shipped(self, world: str) -> list[Found]:
        shape = self.store.image_shape(world)
        files = sorted(self._examples.glob(f"{world}-*.png"))[:EXAMPLE_COUNT]
        pictures = [images.fit_to(images.read(file.read_bytes()), shape) for file in files]
        return [found(picture, f"example {n}", f"example {n}") for n, picture in enumerate(pictures, 1)]

    def _drawn_examples(self, world: str) -> list[Found]:
        model = self.drawing_model(world)
        drawn = [self.draw(model, seed, TEMPERATURE.default) for seed in range(EXAMPLE_COUNT)]
        return [replace(picture, name=f"example {number}") for number, picture in enumerate(drawn, 1)]

    def drawing_model(self, world: str) -> str:
        """The model whose samples look best."""
        kinds = {self.store.card(name).kind: name for name in reversed(self.store.models(world)) if self.loads(name)}
        name = next((kinds[kind] for kind in DRAWS_BEST if kind in kinds), None)
        if name is None:
            raise UserError(f"The world {world} has no model to draw from; upload a picture instead.")
        return name

    def loads(self, name: str) -> bool:
        """Whether the file holds what its card says."""
        try:
            self.store.load(name)
        except UserError:
            return False
        return True

    @torch.no_grad()
    def draw(self, model: str, seed: int, temperature: float) -> Found:
        """A sample of the prior, its latents scaled by the temperature (truncation, for a StyleGAN2)."""
        latents = self.store.load(model).sample(1, seeded(seed)).map(lambda part: part * temperature)
        kind = self.store.card(model).kind
        origin = f"drawn from {kind}, seed {seed}, T {temperature:g}"
        return Found(self.decode(model, latents), origin, name=f"drawn {model} {seed} {temperature!r}")

    def row(self, world: str, index: int, source: Literal["test", "train"] = "test") -> Found:
        """One of the data set's images, with its true classes."""
        split = getattr(self.dataset(world), source)
        if not 0 <= index < len(split):
            raise UserError(f"index is {index}; the {source} images of {world} are numbered 0 to {len(split) - 1}.")
        pictures, labels = split.batch([index])
        names, label = self.dataset(world).classes, labels[0]
        true = [names[int(label)]] if label.ndim == 0 else [name for name, on in zip(names, label, strict=True) if on]
        return Found(self._fitted(world, pictures), f"{world} {source} {index}", frozenset(true), f"{source} {index}")

    def rows(self, world: str, source: Source, rows: Sequence[int]) -> tuple[Images, Tensor | None]:
        """Many at once: images and labels of the data set's rows, or samples of the model and no labels."""
        if source == "drawn":
            model = self.drawing_model(world)
            return torch.cat([self.draw(model, seed, TEMPERATURE.default).image for seed in rows]), None
        split = getattr(self.dataset(world), source)
        if bad := [row for row in rows if not 0 <= row < len(split)]:
            raise UserError(f"row is {bad[0]}; the {source} images of {world} are numbered 0 to {len(split) - 1}.")
        pictures, labels = split.batch(list(rows))
        return self._fitted(world, pictures), labels

    def named(self, world: str, name: str) -> Found:
        """An example, a sample or a row of the data set by its name, which may be a stranger's word."""
        match name.split(" "):
            case ["example", place] if place.isdecimal() and 0 < int(place[:9]) <= len(self.examples(world)):
                return self.examples(world)[int(place[:9]) - 1]
            case ["test" | "train" as source, index]:
                return self.row(world, INDEX.check(_number(index)), source)
            case ["drawn", model, seed, heat] if model in self.store.models(world):
                return self.draw(model, DRAW.check(_number(seed)), TEMPERATURE.check(_number(heat)))
        raise UserError(f"There is no picture {name[:60]!r} here; copy the address from LatentLab again.")

    def dataset(self, world: str) -> data.World:
        return self._worlds.get(world, lambda: data.load(world))

    def _fitted(self, world: str, pictures: Images) -> Images:
        assert tuple(pictures.shape[1:]) == tuple(self.store.image_shape(world)), "data and checkpoints agree in size"
        return pictures

    def recall(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What `make` gives, once."""
        return self._memory.get(key, make)


def found(picture: Picture, origin: str, name: str = "") -> Found:
    return Found(levels(picture[None]), origin, name=name)


def _number(word: str) -> float | str:
    """The number that a word spells, else the word, for a setting to refuse."""
    return float(word) if re.fullmatch(r"[0-9]{1,12}(\.[0-9]{1,20})?(e-[0-9]{1,2})?", word) else word


def levels(pictures: Images) -> Images:
    """Rounded to 256 levels, on the CPU."""
    return ((pictures.detach().cpu().float() * 255).round() / 255).clamp(0, 1)


def psnr(a: Images, b: Images) -> float:
    """Peak signal-to-noise ratio in dB; infinite for equal images."""
    error = (a - b).square().mean()
    return float("inf") if error == 0 else float(-10 * error.log10())


def _bytes(pictures: Tensor) -> str:
    plain = pictures.detach().cpu().contiguous()
    return hashlib.blake2b(plain.numpy().tobytes() + str(tuple(plain.shape)).encode(), digest_size=16).hexdigest()
