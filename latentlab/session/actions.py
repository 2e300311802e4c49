"""What a visitor can do: each function takes a session and gives the next one."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from PIL import Image
from torch.nn.functional import one_hot

from latentlab import images
from latentlab.errors import UserError
from latentlab.images import CropBox
from latentlab.operators import LatentOperator, Noise, Shift, measure_distance
from latentlab.session.framing import frame_photo
from latentlab.session.local_directions import recall_local_directions
from latentlab.session.state import Photo, Picture, Prediction, Reconstruction, Result, Session, make_picture
from latentlab.session.workspace import KNOWN_ATTRIBUTES, Workspace
from latentlab.types import Batch, BoundedModel, Images, LatentModel, Latents, Targets

MAX_PHOTO_SIDE = 1024  # of what is kept of a picture, enough for a close crop
OPENING_NOISE = 0.08  # of each pixel, where that is all there is to see
NO_MOVE = Noise(epsilon=0.0)
EMPTY_RESULT = Result(NO_MOVE, torch.zeros(1, 3, 1, 1), Prediction(), 0.0)


def time_action(verb: Callable[..., Session], *args: Any, **named: Any) -> Session:
    """Give what the verb makes of its first argument and the time it took; one that it leaves alone stays the same."""
    start = time.perf_counter()
    session = verb(*args, **named)
    return session if session is args[0] else replace(session, milliseconds=1000 * (time.perf_counter() - start))


def open_world(workspace: Workspace, world: str | None = None, seed: int = 0) -> Session:
    """Open a world with a first view: an example, the model that draws best, a move already made."""
    fresh = begin_session(workspace, workspace.first_world if world is None else world, seed=seed)
    return apply_move(workspace, inspect_input(workspace, fresh), choose_opening_move(workspace, fresh.model))


def begin_session(workspace: Workspace, world: str, model: str = "", classifier: str = "", seed: int = 0) -> Session:
    """Begin a session with two examples of the world, at which nothing has looked yet."""
    model = model or workspace.choose_first_model(world)
    classifier = classifier or find_first_classifier(workspace, world)
    classes = _list_classes(workspace, classifier)
    first, second, *_ = workspace.list_examples(world)
    return Session(world, model, classifier, classes, first, second, Prediction(), {}, EMPTY_RESULT, seed)


def find_first_classifier(workspace: Workspace, world: str) -> str:
    """Return the name of the first classifier that answers for the world's images; empty where there is none."""
    grey = torch.full((1, *workspace.store.find_image_shape(world)), 0.5)
    return next((name for name in workspace.store.list_classifiers(world) if workspace.can_classify(name, grey)), "")


def choose_opening_move(workspace: Workspace, model: str) -> LatentOperator:
    """Choose a move that shows: along an attribute that people know, else a principal component, else some noise."""
    names = workspace.list_directions(model)
    known = next((name for name in KNOWN_ATTRIBUTES if name in names), names[0] if names else None)
    if known:
        return Shift(direction=known, amount=2.0)
    if isinstance(workspace.store.load(model), BoundedModel):
        return Noise(epsilon=round(OPENING_NOISE * math.prod(workspace.store.card(model).image_shape) ** 0.5, 1))
    return Noise(epsilon=1.0)


def move_once(
    workspace: Workspace, pictures: Sequence[Image.Image], model: str, classifier: str, seed: int, tool: LatentOperator
) -> Session:
    """Make one move without a page: the middle of each picture is used, the last of them is the partner."""
    if not isinstance(workspace.store.load(model), LatentModel):
        raise UserError(f"{model[:60]} is no latent model; choose one of {', '.join(workspace.latent_names)}.")
    world, shape = workspace.store.find_world(model), workspace.store.card(model).image_shape
    classifier = classifier or find_first_classifier(workspace, world)
    first, last = (make_picture(images.fit_to(pictures[place], shape), "sent") for place in (0, -1))
    before = workspace.predict_picture(world, classifier, first.image, model)
    return apply_move(
        workspace,
        Session(
            world, model, classifier, _list_classes(workspace, classifier), first, last, before, {}, EMPTY_RESULT, seed
        ),
        tool,
    )


def choose_networks(
    workspace: Workspace, session: Session, model: str | None = None, classifier: str | None = None
) -> Session:
    """Choose another space or classifier for the same picture; a move that the space cannot make is replaced."""
    require_choice("space", model, workspace.store.list_models(session.world))
    require_choice("classifier", classifier, workspace.store.list_classifiers(session.world))
    name = session.classifier if classifier is None else classifier
    chosen = replace(
        session, model=model or session.model, classifier=name, classes=_list_classes(workspace, name), notice=""
    )
    session = replace(chosen, refining=None)
    return repeat_move(workspace, inspect_input(workspace, session))


def require_choice(kind: str, name: str | None, names: Sequence[str]) -> None:
    """Refuse a name that is not among these; None is no choice."""
    if name is not None and name not in names:
        raise UserError(f"There is no {kind} {name[:60]!r} here; choose one of {', '.join(names[:12]) or 'none'}.")


def place_picture(workspace: Workspace, session: Session, picture: Picture) -> Session:
    """Place another picture, as input or as partner, and repeat the move."""
    return _place_picture(workspace, replace(session, photo=None), picture)


def _place_picture(workspace: Workspace, session: Session, picture: Picture) -> Session:
    if session.filling == "partner":
        return repeat_move(workspace, replace(session, partner=picture, notice=""))
    fresh = replace(session, source=picture, refined=frozenset(), refining=None, notice="")
    return repeat_move(workspace, inspect_input(workspace, fresh))


def receive_photo(workspace: Workspace, session: Session, data: bytes) -> Session:
    """Receive a picture that somebody brings, cropped first to what looks most like the world's own pictures."""
    picture = images.read(data)
    picture.thumbnail((MAX_PHOTO_SIDE, MAX_PHOTO_SIDE))
    return _use_photo(workspace, session, frame_photo(workspace, session.world, picture))


def crop_photo(workspace: Workspace, session: Session, box: CropBox) -> Session:
    """Use another part of the picture that was brought; the box is in its pixels."""
    if session.photo is None:
        raise UserError("There is no picture to crop; drop one in first.")
    return _use_photo(workspace, session, Photo(session.photo.picture, box))


def _use_photo(workspace: Workspace, session: Session, photo: Photo) -> Session:
    wide, high = photo.picture.size
    picture = images.fit_to(photo.picture, workspace.store.find_image_shape(session.world), photo.box)
    return _place_picture(workspace, replace(session, photo=photo), Picture(picture[None], f"upload {wide} × {high}"))


def change_seed(workspace: Workspace, session: Session, seed: int) -> Session:
    """Repeat the move with another seed."""
    return repeat_move(workspace, replace(session, seed=seed))


def apply_move(workspace: Workspace, session: Session, tool: LatentOperator) -> Session:
    """Apply the tool to the picture; the encoding is remembered, so only the decoding is paid for."""
    latents, label = move_latents(workspace, session, tool)
    done = measure_result(workspace, session, tool, workspace.decode_latents(session.model, latents), label)
    return replace(session, result=done, trace=None, notice="")


@torch.no_grad()
def move_latents(workspace: Workspace, session: Session, tool: LatentOperator) -> tuple[Latents, Targets]:
    """Return where the tool takes the picture's latents, and the label that goes with them; one row of each."""
    batch = make_move_batch(workspace, session, tool)
    codes = [
        encode_input(workspace, session),
        *(workspace.encode_pictures(session.model, picture[None]) for picture in batch.images[1:]),
    ]
    bench = workspace.store.bench(session.model, session.classifier or None, session.seed)
    stacked = stack_latents(codes)
    known = recall_local_directions(workspace, session, tool.list_terms(), stacked, bench)
    bench = replace(bench, local_directions=known)
    latents, labels = tool.move(stacked, put_batch_on_device(workspace, batch), bench)
    return latents[[0]], labels[[0]]


def encode_input(workspace: Workspace, session: Session) -> Latents:
    """Return the input's encoding in the session's space, the improved one where there is one."""
    return workspace.encode_pictures(session.model, session.source.image, session.model in session.refined)


def rebuild_input(workspace: Workspace, session: Session) -> Reconstruction:
    """Return the path without a move: the input, rebuilt in the session's space."""
    return workspace.rebuild_pictures(session.model, session.source.image, session.model in session.refined)


def make_move_batch(workspace: Workspace, session: Session, tool: LatentOperator) -> Batch:
    """Make a batch of the picture and, where the tool wants one, the partner behind it."""
    sources = [session.source, session.partner] if tool.needs_partner else [session.source]
    classes = max(len(session.classes), 1)
    numbers = torch.tensor([find_true_class(workspace, session, source) for source in sources])
    return Batch(torch.cat([source.image for source in sources]), one_hot(numbers, classes).float())


def find_true_class(workspace: Workspace, session: Session, source: Picture) -> int:
    """Return the number of the picture's own class where its data set names it, else of the class that the
    classifier sees.
    """
    if not session.classifier:
        return 0
    if source.labels is not None:
        for number, name in enumerate(session.classes):
            if name in source.labels or (name.startswith("not ") and name[4:] not in source.labels):
                return number
    return workspace.predict_picture(session.world, session.classifier, source.image, session.model).best_class


def measure_result(
    workspace: Workspace, session: Session, tool: LatentOperator, image: Images, label: Targets
) -> Result:
    reading = workspace.predict_picture(session.world, session.classifier, image, session.model)
    far = float(measure_distance(image, session.source.image))
    soft = tuple(label[0].tolist()) if session.classifier else ()
    return Result(tool, image, reading, far, soft)


def apply_moves(workspace: Workspace, session: Session, tools: Sequence[LatentOperator]) -> list[Result]:
    """Return what each of these tools would make of the picture, decoded as one batch."""
    moves = [move_latents(workspace, session, tool) for tool in tools]
    pictures = workspace.decode_latents(session.model, stack_latents([latents for latents, _ in moves]))
    return [
        measure_result(workspace, session, tool, pictures[[place]], label)
        for place, (tool, (_, label)) in enumerate(zip(tools, moves, strict=True))
    ]


def put_batch_on_device(workspace: Workspace, batch: Batch) -> Batch:
    return Batch(batch.images.to(workspace.store.device), batch.targets.to(workspace.store.device))


def stack_latents(codes: Sequence[Latents]) -> Latents:
    return Latents({name: torch.cat([code.parts[name] for code in codes]) for name in codes[0].parts})


def inspect_input(workspace: Workspace, session: Session, only: str = "") -> Session:
    """Return the session with what every model of the world, or only one, makes of the picture before any move."""
    picture = session.source.image
    names = [only] if only else workspace.store.list_models(session.world)
    before = workspace.predict_picture(session.world, session.classifier, picture, session.model)
    rebuilt = {name: _try_rebuilding(workspace, name, picture, name in session.refined) for name in names}
    return replace(session, before=before, rebuilt=rebuilt)


def _try_rebuilding(workspace: Workspace, name: str, picture: Images, refined: bool) -> Reconstruction | str:
    """Rebuild the picture; a model that cannot be loaded says why, and the others are still shown."""
    try:
        return workspace.rebuild_pictures(name, picture, refined)
    except UserError as error:
        return str(error)


def repeat_move(workspace: Workspace, session: Session) -> Session:
    """Repeat the move in the new situation; where it fails make the opening one, with a line that says so."""
    try:
        return apply_move(workspace, session, session.result.tool)
    except UserError as error:
        return replace(apply_move(workspace, session, choose_opening_move(workspace, session.model)), notice=str(error))


def _list_classes(workspace: Workspace, classifier: str) -> tuple[str, ...]:
    return tuple(workspace.store.load(classifier).classes) if classifier else ()


def copy_surroundings(session: Session, other: Session) -> Session:
    """Return the view with what lies beside it in the other: the last views, and what belongs to the same world's
    pictures.
    """
    session = replace(session, history=other.history)
    if session.world != other.world:
        return session
    second = session.second or other.second
    return replace(session, pinned=other.pinned, selection=other.selection, second=second)


def change_world(workspace: Workspace, session: Session, world: str) -> Session:
    """Open the first view of another world; a picture that was brought comes along."""
    require_choice("world", world, workspace.store.worlds)
    fresh = copy_surroundings(open_world(workspace, world, seed=session.seed), session)
    if session.photo is None or session.filling == "partner":
        return fresh
    return _use_photo(workspace, fresh, frame_photo(workspace, world, session.photo.picture))
