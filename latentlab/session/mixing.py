"""Many pictures mixed: two sets along a pairing, with random pairs beside it; and the grid of contents and styles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import one_hot

from latentlab.errors import UserError
from latentlab.knobs import Knob, Setting
from latentlab.models import KINDS
from latentlab.operators import LatentOperator, Mix, match_points
from latentlab.operators.pairing import pair_at_random, pair_with_hardest
from latentlab.session.actions import apply_move, find_true_class, inspect_input, stack_latents
from latentlab.session.state import Picture, PictureSource, Session
from latentlab.session.workspace import TEMPERATURE_SETTING, Workspace
from latentlab.types import Bench, Images, Labels, Latents, Targets

SET_SIZE = Setting("k", int, 8, Knob("pictures in each set", 1, 16))
GRID_SIDE = Setting("pictures", int, 5, Knob("each is a row and a column of the grid", 2, 8))


@dataclass(frozen=True)
class TopClass:
    """A `TopClass` is what the classifier sees in one picture, and how surely."""

    label: int
    probability: float


@dataclass(frozen=True, eq=False)
class Pairing:
    """A `Pairing` gives each picture of the first set one of the second, and says what the mix makes of them."""

    how: str  # transport, hardest or random
    partner: tuple[int, ...]  # place in the second set
    total: float  # sum of the squared distances
    alike: int  # pairs of one class
    images: Images
    labels: Targets
    seen: tuple[TopClass, ...]  # none without a classifier


@dataclass(frozen=True, eq=False)
class PairingComparison:
    """Two sets, the squared latent distance of every pair, one pairing and random pairs of the same pictures."""

    first: tuple[Picture, ...]
    second: tuple[Picture, ...]
    origin: str
    unit: str  # of the costs; empty for intensities
    costs: Float[Tensor, "k k"]
    lam: float
    ours: Pairing
    control: Pairing


@dataclass(frozen=True, eq=False)
class StyleGrid:
    """A `StyleGrid` holds row after row the content of the row's picture with the style of the column's."""

    pictures: tuple[Picture, ...]
    origin: str
    images: Images
    own: tuple[int, ...]  # class of each row's picture
    seen: tuple[TopClass, ...]  # none without a classifier


def choose_two_sets(
    workspace: Workspace, session: Session, k: int
) -> tuple[tuple[Picture, ...], tuple[Picture, ...], str]:
    """Return the selection and its second set, else its halves, else the first of the world; equally many."""
    held = session.selection
    if held.rows and held.others:
        k = min(k, len(held.rows), len(held.others))
        return (
            _load_pictures(workspace, session, held.source, held.rows[:k]),
            _load_pictures(workspace, session, held.source, held.others[:k]),
            f"{k} of each of the two selections",
        )
    pictures, origin = choose_pictures(workspace, session, 2 * k)
    k = len(pictures) // 2
    return pictures[:k], pictures[k : 2 * k], origin


def choose_pictures(workspace: Workspace, session: Session, count: int) -> tuple[tuple[Picture, ...], str]:
    """Return so many pictures, and where they come from: the selection, else the first test images, else samples."""
    held = session.selection
    if len(held.rows) > 1:
        rows = held.rows[:count]
        return _load_pictures(workspace, session, held.source, rows), f"{len(rows)} pictures of the selection"
    if has_data(workspace, session.world):
        rows = range(min(count, len(workspace.load_dataset(session.world).test)))
        return _load_pictures(workspace, session, "test", rows), f"the first {len(rows)} test images of {session.world}"
    return _load_pictures(
        workspace, session, "drawn", range(count)
    ), f"{count} samples: the data of {session.world} are not here"


def has_data(workspace: Workspace, world: str) -> bool:
    try:
        workspace.load_dataset(world)
    except UserError:
        return False
    return True


def _load_pictures(
    workspace: Workspace, session: Session, source: PictureSource, rows: Sequence[int]
) -> tuple[Picture, ...]:
    if source == "drawn":
        model = workspace.choose_drawing_model(session.world)
        return tuple(workspace.draw_sample(model, seed, TEMPERATURE_SETTING.default) for seed in rows)
    return tuple(workspace.load_row(session.world, row, source) for row in rows)


@torch.no_grad()
def pair_sets(workspace: Workspace, session: Session, k: int, tool: Mix) -> PairingComparison:
    """Pair two sets as the tool says and at random, and mix each pair by the same λ."""
    first, second, origin = choose_two_sets(workspace, session, SET_SIZE.check_value(k))
    codes = _encode_pictures(workspace, session, [*first, *second])
    targets = make_picture_targets(workspace, session, [*first, *second]).to(workspace.store.device)
    bench = workspace.store.bench(session.model, session.classifier or None, session.seed)
    count, lam = len(first), tool.draw_lambda(bench.rng)
    random = pair_at_random(count, bench.rng)
    chosen = codes.flat * codes.make_mask(tool.parts)
    costs = torch.cdist(chosen[:count].double(), chosen[count:].double()).square().float().cpu()

    def mix_pairs(partner: Labels) -> tuple[Latents, Targets]:
        everyone = torch.cat([count + partner, torch.arange(count, 2 * count)])
        moved, labels = tool.move_toward(everyone, lam, codes, targets)
        return moved[:count], labels[:count]

    def build_pairing(how: str, partner: Labels) -> Pairing:
        moved, labels = mix_pairs(partner)
        images = workspace.decode_latents(session.model, moved)
        total = float(costs[torch.arange(count), partner].sum())
        alike = int((targets[:count].argmax(1) == targets[count:][partner].argmax(1)).sum())
        sights = find_top_classes(workspace, session, images)
        return Pairing(how, tuple(partner.tolist()), total, alike, images, labels.cpu(), sights)

    ours = _choose_partners(tool, chosen[:count], chosen[count:], mix_pairs, bench)
    unit = KINDS[workspace.store.card(session.model).kind].unit
    return PairingComparison(
        first,
        second,
        origin,
        f"{unit}²" if unit else "",
        costs,
        lam,
        build_pairing(tool.partner, ours),
        build_pairing("random", random),
    )


def _choose_partners(tool: Mix, a: Tensor, b: Tensor, mixed, bench: Bench) -> Labels:
    if tool.partner == "hardest":
        return pair_with_hardest(len(a), tool.candidates, mixed, bench)
    if tool.partner != "transport":
        raise UserError(f"Two sets are paired by transport or by the hardest partner, not by {tool.partner}.")
    return match_points(a, b)


@torch.no_grad()
def make_style_grid(workspace: Workspace, session: Session, side: int, parts: tuple[str, ...]) -> StyleGrid:
    """Give every picture's content every picture's style; on the diagonal each is its own rebuilding."""
    pictures, origin = choose_pictures(workspace, session, GRID_SIDE.check_value(side))
    codes, count = _encode_pictures(workspace, session, pictures), len(pictures)
    rows, columns = torch.arange(count).repeat_interleave(count), torch.arange(count).repeat(count)
    images = workspace.decode_latents(session.model, codes[rows].swap(codes[columns], codes.select_part_names(parts)))
    own = tuple(find_true_class(workspace, session, picture) for picture in pictures)
    return StyleGrid(pictures, origin, images, own, find_top_classes(workspace, session, images))


def take_pictures(workspace: Workspace, session: Session, names: Sequence[str], tool: LatentOperator) -> Session:
    """Take the pictures of these names as input and, if there is a second, partner; then use the tool on them."""
    found = [workspace.find_picture(session.world, name) for name in names[:2]]
    fresh = replace(session, source=found[0], partner=found[-1] if len(found) > 1 else session.partner)
    fresh = replace(fresh, photo=None, refined=frozenset(), refining=None, notice="")
    return apply_move(workspace, inspect_input(workspace, fresh), tool)


@torch.no_grad()
def find_top_classes(workspace: Workspace, session: Session, images: Images) -> tuple[TopClass, ...]:
    """Return what the classifier sees in many pictures at once; nothing where the world has none."""
    if not session.classifier:
        return ()
    sure, labels = workspace.store.load(session.classifier)(images.to(workspace.store.device)).softmax(1).max(1)
    return tuple(TopClass(*both) for both in zip(labels.tolist(), sure.tolist(), strict=True))


def _encode_pictures(workspace: Workspace, session: Session, pictures: Sequence[Picture]) -> Latents:
    return stack_latents([workspace.encode_pictures(session.model, picture.image) for picture in pictures])


def make_picture_targets(workspace: Workspace, session: Session, pictures: Sequence[Picture]) -> Targets:
    numbers = torch.tensor([find_true_class(workspace, session, picture) for picture in pictures])
    return one_hot(numbers, max(len(session.classes), 1)).float()
