"""This module holds the store: checkpoints on disk; networks loaded once, under one lock, on one device."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from threading import RLock
from typing import Any, TypeVar, overload

import torch
from torch import nn

from latentlab import models
from latentlab.chance import make_generator
from latentlab.datasets import WORLD_NAMES, WorldHead, list_world_files, read_world_head
from latentlab.errors import UserError
from latentlab.models import AttributeClassifier, Card
from latentlab.models.classifiers import external, hub_folder
from latentlab.models.classifiers.answers import LogitPicker
from latentlab.models.classifiers.external import ClassifierSettings
from latentlab.models.kinds import BROUGHT_KIND, KINDS, PIXELS_KIND, list_stored_kinds
from latentlab.resources import find_checkpoints_folder
from latentlab.runs.layout import RUN_CHECKPOINT_NAME
from latentlab.store.listing import (
    CHECKPOINT_NAME,
    CheckpointEntry,
    infer_world,
    list_checkpoints,
    list_run_checkpoints,
    read_stamps,
)
from latentlab.store.reference_codes import ReferenceCodes
from latentlab.torch_modes import use_plain_modes
from latentlab.types import Bench, Flat, ImageShape, LatentModel

FIRST_ATTRIBUTE = "Smiling"  # people recognise it, and it is the one most evenly split

Network = TypeVar("Network")


class Store:
    """Names to networks: a file's stem, `WORLD-pixels`, `NAME:Attribute`, `run-ID`, or one that was added.

    `folder` holds the checkpoints: without one, $LATENTLAB_CHECKPOINTS, ./checkpoints or those that are shipped.
    `runs` is the directory of the runs: the classifiers that they have learned come and go with them.
    """

    def __init__(
        self, folder: str | Path | None = None, device: str | None = None, runs: str | Path | None = None
    ) -> None:
        self.folder = Path(folder or find_checkpoints_folder())
        self.runs = None if runs is None else Path(runs)
        self.device = _choose_device(device)
        self.broken: dict[str, str] = {}
        self._entries: dict[str, CheckpointEntry] = {}
        self._added: dict[str, tuple[Card, Any]] = {}
        self._loaded: dict[str, Any] = {}
        self._fast: dict[str, tuple[Any, Any]] = {}  # a network and its fast form
        self._digests: dict[str, str] = {}
        self._ran: dict[str, tuple[int, int]] = {}
        self._made: dict[str, WorldHead] = {}  # worlds that somebody has made of pictures
        self._listed: dict[str, tuple[int, int]] = {}  # files of the data folder, as last looked
        self._references = ReferenceCodes()
        self._shipped: tuple[str, ...] = ()  # stems of the checkpoints of the folder
        self._lock = RLock()
        self.rescan_folders()

    def __reduce__(self) -> tuple[Any, ...]:
        """Send the folder, and what was added: another process reads the rest itself."""
        return Store, (self.folder, str(self.device), self.runs), {"_added": self._added}

    def rescan_folders(self) -> None:
        """Look at the folders again and forget networks whose file has changed."""
        shipped = {path.stem: path for path in sorted(self.folder.glob("*.safetensors"))}
        ran, worlds = list_run_checkpoints(self.runs, shipped), list_world_files()
        seen, listed = read_stamps(ran), read_stamps(worlds)  # first, so that what changes from here on is noticed
        heads = {name: read_world_head(path) for name, path in worlds.items()}
        made = {name: head for name, head in heads.items() if head is not None}
        entries, broken = list_checkpoints(
            shipped | ran,
            {name: head.image_shape for name, head in made.items()},
        )
        with self._lock:
            self._ran, self._listed, self._made, self._shipped = seen, listed, made, tuple(shipped)
            stale = {name for name, entry in self._entries.items() if entries.get(name) != entry}
            self._loaded = {name: net for name, net in self._loaded.items() if name.partition(":")[0] not in stale}
            self._digests = {name: digest for name, digest in self._digests.items() if name not in stale}
            self._entries, self.broken = entries, broken

    def _notice_changes(self) -> None:
        """Look at the folders again where runs have ended or worlds were made while we looked elsewhere."""
        ran = read_stamps(list_run_checkpoints(self.runs, self._shipped)) if self.runs is not None else self._ran
        if ran != self._ran or read_stamps(list_world_files()) != self._listed:
            self.rescan_folders()

    @property
    def cards(self) -> dict[str, Card]:
        """Return the card of every checkpoint and every added network; no weight is read."""
        self._notice_changes()
        return {name: entry.card for name, entry in self._entries.items()} | {n: c for n, (c, _) in self._added.items()}

    @property
    def worlds(self) -> tuple[str, ...]:
        """Return the names of the worlds that have a checkpoint or were made of pictures, the known ones first."""
        self._notice_changes()
        found = {
            infer_world(name, entry.card)
            for name, entry in self._entries.items()
            if not RUN_CHECKPOINT_NAME.fullmatch(name)
        }
        found |= set(self._made)
        found |= {self._name_own_world(name, found) for name in self._list_homeless(found)}
        return (*(world for world in WORLD_NAMES if world in found), *sorted(found - set(WORLD_NAMES)))

    def _list_homeless(self, worlds: Collection[str]) -> list[str]:
        """List the latent models that were brought and whose pictures have the size of none of these worlds."""
        shapes = {self.find_image_shape(world) for world in worlds}
        return [n for n, (card, net) in self._added.items() if is_latent_model(net) and card.image_shape not in shapes]

    def _name_own_world(self, model: str, worlds: Collection[str]) -> str:
        """Name the world that a brought model makes: as it names its own, if no other is called so."""
        named = infer_world(model, self._added[model][0])
        return model if named in {*worlds, *WORLD_NAMES} else named

    def find_title(self, world: str) -> str:
        """Return what the world is called on the page."""
        return self._made[world].title if world in self._made else world

    def stamp_world(self, world: str) -> tuple[int, int] | None:
        """Return what changes when the world is made anew; None of a world that was not made of pictures."""
        return self._made[world].stamp if world in self._made else None

    def list_models(self, world: str) -> list[str]:
        """List the latent models of a world, pixels last; then those added that take images of its shape."""
        shape = self.find_image_shape(world)
        own = self._list_networks(world, latent=True)
        added = [
            name for name, (card, net) in self._added.items() if is_latent_model(net) and card.image_shape == shape
        ]
        return [*own, f"{world}-{PIXELS_KIND}", *added]

    def list_classifiers(self, world: str) -> list[str]:
        """List the classifiers of a world: its own, a multi-label one as its attributes; those of its runs, the newest
        first; then those brought.
        """
        self._notice_changes()
        own = [
            head
            for name in self._list_networks(world, latent=False)
            for head in _list_heads(name, self._entries[name].card)
        ]
        added = [(name, card) for name, (card, net) in self._added.items() if not is_latent_model(net)]
        return [*own, *(head for name, card in added for head in _list_heads(name, card))]

    def _list_networks(self, world: str, latent: bool) -> list[str]:
        order = list_stored_kinds()
        names = [
            name
            for name, entry in self._entries.items()
            if infer_world(name, entry.card) == world and KINDS[entry.card.kind].is_latent == latent
        ]
        shipped = [name for name in names if not RUN_CHECKPOINT_NAME.fullmatch(name)]
        learned = sorted((name for name in names if RUN_CHECKPOINT_NAME.fullmatch(name)), reverse=True)
        return [*sorted(shipped, key=lambda name: (order.index(self._entries[name].card.kind), name)), *learned]

    def find_image_shape(self, world: str) -> ImageShape:
        """Return the image shape of the world's pictures, or that on which its checkpoints agree."""
        if world in self._made:
            return self._made[world].image_shape
        for name, entry in self._entries.items():
            if infer_world(name, entry.card) == world:
                return entry.card.image_shape
        for name, (card, net) in self._added.items():
            if is_latent_model(net) and world in (name, infer_world(name, card)):
                return card.image_shape
        raise UserError(
            f"There is no world {world[:60]!r} in {self.folder}; there are {', '.join(self.worlds) or 'none'}."
        )

    def is_added(self, name: str) -> bool:
        """Say whether somebody brought the network: it lies in no folder."""
        return name.partition(":")[0] in self._added

    def find_world(self, name: str) -> str:
        """Return the world of a network; of one that was brought, the one in its name, else the first of its size."""
        base, card = name.partition(":")[0], self.card(name)
        named = infer_world(base, card)
        if not self.is_added(base):
            return named
        fitting = [world for world in self.worlds if self.find_image_shape(world) == card.image_shape]
        if not fitting:  # a classifier, which makes no world of its own
            shape = "×".join(map(str, card.image_shape))
            raise UserError(f"{base} takes images of {shape}, and no world here has such; open one that has.")
        return next((world for world in (named, base) if world in fitting), fitting[0])

    def card(self, name: str) -> Card:
        """Return the card of a checkpoint, an added network, a head (its network's) or a world's pixels."""
        base = name.partition(":")[0]
        if base in self._added:
            return self._added[base][0]
        if base not in self._entries and base.removesuffix(f"-{PIXELS_KIND}") in self.worlds:
            world = base.removesuffix(f"-{PIXELS_KIND}")
            shape = self.find_image_shape(world)
            return Card(PIXELS_KIND, {"image_shape": shape}, shape, data=world)
        return self._find_entry(base).card

    def _find_entry(self, name: str) -> CheckpointEntry:
        if name not in self._entries:
            self.rescan_folders()
        if name in self.broken:
            raise UserError(self.broken[name])
        if name not in self._entries:
            raise UserError(
                f"There is no network {name[:60]!r}; there are {', '.join(self.cards) or 'none'} in {self.folder}."
            )
        return self._entries[name]

    @overload
    def load(self, name: str) -> Any: ...

    @overload
    def load(self, name: str, kind: type[Network]) -> Network: ...

    def load(self, name: str, kind: type[Any] = object) -> Any:
        """Load this latent model or classifier: eval mode, frozen, on the store's device, one object for all.

        Who says of what kind it must be (`LatentModel`, `DensityModel`, `nn.Module`, …) gets it with that type.
        """
        network = self._loaded.get(name)
        if network is None:
            network = self._load_once(name)
        if not isinstance(network, kind):
            raise UserError(f"{name} is no {kind.__name__}; choose another network.")
        return network

    def _load_once(self, name: str) -> Any:
        with self._lock, use_plain_modes():
            if name not in self._loaded:
                self._loaded[name] = self._read_network(name)
            return self._loaded[name]

    def load_fast(self, name: str) -> Any:
        """Return the fast form of the same network, for where some grey levels, or a turn of a gradient by some
        degrees, do not matter.
        """
        network = self.load(name)
        with self._lock, use_plain_modes():
            known, fast = self._fast.get(name, (None, None))
            if known is not network:
                fast = models.make_fast_form(network)
                self._fast[name] = network, fast
            return fast

    def _read_network(self, name: str) -> Any:
        base, _, attribute = name.partition(":")
        card = self.card(base)
        if attribute:
            if not card.multilabel or attribute not in card.classes:
                raise UserError(
                    f"{base} has no attribute {attribute[:60]!r}; choose one of those listed for its world."
                )
            return AttributeClassifier(self.load(base), card.classes.index(attribute)).eval()
        if base in self._added:
            return self._added[base][1]
        if not KINDS[card.kind].is_stored:
            return models.construct_network(card.kind, card.arguments)
        return models.load_network(self._find_entry(base).path, self.device)[1]

    def digest(self, name: str) -> str:
        """Return 16 hex digits that change with the weights: of the file, or of the tensors of an added network."""
        base = name.partition(":")[0]
        with self._lock:
            if base not in self._digests:
                self._digests[base] = self._hash_weights(base)
            return self._digests[base]

    def _hash_weights(self, base: str) -> str:
        if base in self._added:
            return _digest_state(base, self._added[base][1])
        kind = self.card(base).kind
        return models.digest_file(self._find_entry(base).path) if KINDS[kind].is_stored else kind

    def bench(self, model: str, classifier: str | None = None, seed: int = 0, fast: bool = False) -> Bench:
        """Return what an operator needs, by name; `fast` where a few grey levels do not matter."""
        get = self.load_fast if fast else self.load

        def encode_references() -> Flat:
            *_, codes = self.encode_references(model)
            return codes

        network = get(classifier) if classifier else None
        return Bench(get(model), network, make_generator(seed), encode_references)

    def encode_references(self, model: str) -> Iterator[Flat]:
        """Yield the codes of some of the world's training images, step by step; the last are all, kept for good."""
        world = self.find_world(model)
        key = (model, self.digest(model), world, str(self.stamp_world(world)))
        yield from self._references.encode_stepwise(key, self.load(model, LatentModel), world, self.device)

    def add(
        self,
        name: str,
        network: Any,
        classes: Sequence[str] = (),
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        image_shape: ImageShape | None = None,
        multilabel: bool = False,
        logits: LogitPicker | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        """Add one's own classifier (an nn.Module of normalised images) or latent model, after some passes through it.

        A classifier is copied, so what is shown stays as it is while the original is trained on. It may answer a
        tensor, a tuple, a dictionary or an object with `logits`; anything else is read by `logits(answer)`. One
        output stands for the second of two classes; `multilabel` makes the classes attributes. It is computed in
        float32 unless `dtype` says otherwise. What is found out about it, such as its size, is warned of and in
        `notes`.
        """
        if is_latent_model(network):
            self._register_network(name, external.check_latent_model(network))
        elif isinstance(network, nn.Module):
            names = classes or getattr(network, "classes", ())
            settings = ClassifierSettings(names, mean, std, image_shape, multilabel, logits, dtype)
            self._register_network(name, external.wrap_classifier(network, settings, self._list_image_shapes()))
        else:
            raise UserError(
                f"{name} is {type(network).__name__}; give an nn.Module that classifies, or a latent model. Weights "
                "alone need their network: network.load_state_dict(weights), then add the network."
            )

    def bring_classifier(
        self,
        path: Path,
        architecture: str,
        classes: Sequence[str],
        mean: Sequence[float] | None = None,
        std: Sequence[float] | None = None,
        size: int | None = None,
    ) -> str:
        """Add a classifier from a safetensors file of a torchvision or timm architecture, named by the file's stem."""
        settings, worlds = ClassifierSettings(classes, mean, std), self._list_image_shapes()
        self._register_network(path.stem, external.load_external_classifier(path, architecture, settings, size, worlds))
        return path.stem

    def bring_folder(self, folder: Path) -> str:
        """Add a classifier as Hugging Face keeps it, from a folder on this disk, named by the folder."""
        self._register_network(folder.name, hub_folder.load_hub_folder(folder, self._list_image_shapes()))
        return folder.name

    def _list_image_shapes(self) -> list[ImageShape]:
        return [self.find_image_shape(world) for world in self.worlds]

    def notes(self, name: str) -> tuple[str, ...]:
        """Return what was found out about a network when it was added."""
        found = self._added.get(name.partition(":")[0])
        return tuple(getattr(found[1], "notes", ())) if found else ()

    def _register_network(self, name: str, network: Any) -> None:
        """Put a network on the device and add it by replacing the dictionary: others may be walking through it."""
        if not CHECKPOINT_NAME.fullmatch(name):
            raise UserError(f"{name[:60]!r} is no name for a network; use letters, digits, . + - and _, at most 64.")
        shape, classes = tuple(network.image_shape), tuple(getattr(network, "classes", ()))
        placed = network.to(self.device) if isinstance(network, nn.Module) else network
        with self._lock:
            if name in self._entries or name in self._added:
                raise UserError(f"There is already a network {name}; choose another name.")
            card = Card(BROUGHT_KIND, {}, shape, classes=classes, multilabel=getattr(network, "multilabel", False))
            self._added = self._added | {name: (card, placed)}
        for note in self.notes(name):
            warnings.warn(f"{name}: {note}.", stacklevel=3)


def is_latent_model(network: Any) -> bool:
    return isinstance(network, LatentModel)


def _list_heads(name: str, card: Card) -> list[str]:
    if not card.multilabel:
        return [name]
    return [f"{name}:{attribute}" for attribute in sorted(card.classes, key=lambda a: a != FIRST_ATTRIBUTE)]


def _digest_state(name: str, network: Any) -> str:
    """Digest the tensors of a network; one that shows none is known by its name."""
    state = network.state_dict() if isinstance(network, nn.Module) else {}
    whole = hashlib.sha256(b"" if state else name.encode())
    for name, tensor in sorted(state.items()):
        whole.update(name.encode() + tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return whole.hexdigest()[:16]


def _choose_device(name: str | None) -> torch.device:
    try:
        device = torch.device(name or ("cuda" if torch.cuda.is_available() else "cpu"))
    except RuntimeError as error:
        raise UserError(f"{name!r} is no device; choose cpu or cuda.") from error
    if device.type not in ("cpu", "cuda") or (device.type == "cuda" and not torch.cuda.is_available()):
        raise UserError(f"The device {name} is not there; choose cpu{' or cuda' if torch.cuda.is_available() else ''}.")
    return device
