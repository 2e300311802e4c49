"""What is audited, with its names resolved: images and their reference labels, networks, moves."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import one_hot

from latentlab import chance
from latentlab.auditing.config import Audit
from latentlab.auditing.image_source import (
    ChosenRows,
    ImageSource,
    WorldImages,
    draw_stratified_rows,
    load_audited_world,
    open_images,
)
from latentlab.auditing.moves import AuditedMove, resolve_moves
from latentlab.auditing.nearest_images import NearestImages, collect_nearest_images
from latentlab.datasets import Dataset
from latentlab.errors import UserError
from latentlab.judges import find_judge, list_judges
from latentlab.store import Store
from latentlab.types import Batch, DensityModel, Images

NO_LABELS_NOTE = "The pictures have no labels: what the classifier says of a picture before the move is its reference."


@dataclass(frozen=True, eq=False)
class AuditSubject:
    """Everything that an audit needs; `classifier` and `judge` are names, their networks stand beside them."""

    config: Audit
    world: Dataset
    source: ImageSource
    rows: ChosenRows
    moves: tuple[AuditedMove, ...]
    classifier: str
    judge: str
    test_network: nn.Module
    attacked_network: nn.Module  # the fast form of the same: what the moves look at
    judge_network: nn.Module
    density: DensityModel | None
    nearest: NearestImages | None
    digests: dict[str, str]
    device: torch.device
    notes: tuple[str, ...]

    @property
    def chunks(self) -> tuple[ChosenRows, ...]:
        """Return the rows that are moved together."""
        return self.rows.tensor_split(-(-len(self.rows) // self.config.batch))

    def take_batch(self, rows: ChosenRows) -> Batch:
        """Return these images with the reference label of each."""
        images = self.source.take_images(rows.tolist()).to(self.device)
        if not images.isfinite().all():
            raise UserError("The images hold NaN; repair the data first.")
        labels = self._refer(images) if self.source.labels is None else self.source.labels[rows].to(self.device)
        return Batch(images, one_hot(labels, len(self.world.classes)).float())

    def _refer(self, images: Images) -> Tensor:
        return require_finite(self.test_network(images), self.classifier).argmax(1)


def prepare_subject(config: Audit, networks: Store, folder: Path | None = None) -> AuditSubject:
    """Resolve the names of an audit, or refuse it with one line that says what is missing."""
    classifier = config.classifier or _choose_classifier(config.world, networks)
    world = load_audited_world(config.world, _find_classes(networks.load(classifier)))
    judge = config.judge or _choose_judge(world, config.world, classifier, networks)
    _require_independence(classifier, judge)
    for name in (classifier, judge):
        _require_classes(networks.load(name), name, world)
    source = open_images(config.half, world, folder)
    rows, notes = _choose_rows(config, world, source)
    density = _find_density(config, networks)
    subject = AuditSubject(
        config=config,
        world=world,
        source=source,
        rows=rows,
        moves=(),
        classifier=classifier,
        judge=judge,
        test_network=networks.load(classifier),
        attacked_network=networks.load_fast(classifier),
        judge_network=networks.load(judge),
        density=density,
        nearest=collect_nearest_images(networks.load(judge), world, config.seed, _list_own_rows(config, source, rows)),
        digests={name: networks.digest(name) for name in (classifier, judge)},
        device=networks.device,
        notes=notes,
    )
    moves = resolve_moves(
        config, world.image_shape, classifier, networks, lambda: subject.take_batch(subject.chunks[0])
    )
    return replace(subject, moves=moves)


def require_finite(logits: Tensor, name: str) -> Tensor:
    if not logits.isfinite().all():
        raise UserError(f"{name} answers NaN or infinite numbers; choose a classifier that is whole.")
    return logits


def _choose_classifier(world: str, networks: Store) -> str:
    """Return the last of the world's judges: the others are left to judge."""
    found = [name for name in list_judges(world) if _is_there(name, networks)]
    if not found:
        raise UserError(f"There is no classifier of {world} to audit; name one as classifier.")
    return found[-1]


def _choose_judge(world: Dataset, name: str, classifier: str, networks: Store) -> str:
    """Return the world's best judge; where none is left, any other classifier of the same classes."""
    tested = classifier.partition(":")[0]
    found = find_judge(networks, name, world.classes, {tested})
    others = (other for other in networks.list_classifiers(name) if other.partition(":")[0] != tested)
    return found or next((other for other in others if _find_classes(networks.load(other)) == world.classes), "")


def _find_classes(network: Any) -> tuple[str, ...]:
    return tuple(getattr(network, "classes", ()))


def _is_there(name: str, networks: Store) -> bool:
    try:
        networks.card(name)
    except UserError:
        return False
    return True


def _require_independence(classifier: str, judge: str) -> None:
    if not judge:
        raise UserError(f"There is no classifier beside {classifier} to judge by; fit another, or name one as judge.")
    if judge.partition(":")[0] == classifier.partition(":")[0]:
        raise UserError(
            f"The judge is {judge}, which is the classifier under test; choose another, or it judges itself."
        )


def _require_classes(network: Any, name: str, world: Dataset) -> None:
    classes = _find_classes(network)
    if not isinstance(network, nn.Module) or not classes:
        raise UserError(f"{name} is no classifier; choose one that `latentlab list` shows.")
    if classes != world.classes or tuple(getattr(network, "image_shape", ())) != world.image_shape:
        raise UserError(
            f"{name} does not tell the {len(world.classes)} classes of {world.name} apart at its image size; choose "
            "another."
        )


def _choose_rows(config: Audit, world: Dataset, source: ImageSource) -> tuple[ChosenRows, tuple[str, ...]]:
    """Return the rows, and what has to be said of them."""
    if config.rows:
        rows = _check_rows(config.rows, source)
    elif source.labels is None:
        rows = chance.draw_permutation(len(source), chance.make_generator(config.seed))[: config.images]
    else:
        rows = draw_stratified_rows(source.labels, config.images, config.seed)
    if source.labels is None:
        return rows, (NO_LABELS_NOTE,)
    counts = torch.bincount(source.labels[rows], minlength=len(world.classes))
    if not config.rows and config.images < len(world.classes):
        raise UserError(
            f"{config.images} images are fewer than the {len(world.classes)} classes of {world.name}; ask for more."
        )
    missing = [name for name, count in zip(world.classes, counts.tolist(), strict=True) if not count]
    if missing and not config.rows:
        raise UserError(f"No image of {', '.join(missing)} is there; add some, or name the rows to audit.")
    short = (f"No image of {', '.join(missing)} is among those that were chosen.",) if missing else ()
    return rows, short


def _check_rows(rows: tuple[int, ...], source: ImageSource) -> ChosenRows:
    if bad := [row for row in rows if row >= len(source)]:
        raise UserError(f"There is no image {bad[0]}; the last is {len(source) - 1}.")
    return torch.tensor(sorted(set(rows)))


def _list_own_rows(config: Audit, source: ImageSource, rows: ChosenRows) -> ChosenRows:
    """Return the training images that are audited: none of them is its own neighbour."""
    audits_training = isinstance(source, WorldImages) and config.half == "train"
    return rows if audits_training else torch.empty(0, dtype=torch.int64)


def _find_density(config: Audit, networks: Store) -> DensityModel | None:
    name = config.density or f"{config.world}-glow"
    if not config.density and not _is_there(name, networks):
        return None
    network = networks.load(name)
    if not isinstance(network, DensityModel):
        raise UserError(f"{name} knows no density; choose a Glow.")
    return network
