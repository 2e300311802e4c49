"""What a visitor can do: each verb takes a session and gives the next one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from PIL import Image
from torch.nn.functional import one_hot

from latentlab import images
from latentlab.errors import UserError
from latentlab.images import Box
from latentlab.models import LATENT_KINDS
from latentlab.operators import Mix, Move, Noise, Shift, Swap, distance
from latentlab.session.desk import KNOWN, Desk, found
from latentlab.session.state import Found, Photo, Reading, Rebuilt, Result, Session
from latentlab.store import world_of
from latentlab.types import Batch, Images, Latents, Targets

PHOTO_SIDE = 1024  # of what is kept of a picture, enough for a close crop
STILL = Noise(epsilon=0.0)
EMPTY = Result(STILL, torch.zeros(1, 3, 1, 1), Reading(), 0.0)


def open_world(desk: Desk, world: str | None = None, model: str = "", classifier: str = "", seed: int = 0) -> Session:
    """A first view of a world: an example, the model that draws best, a move already made."""
    world = desk.first_world if world is None else world
    model = model or desk.drawing_model(world)
    classifier = classifier or first_classifier(desk, world)
    first, second, *_ = desk.examples(world)
    session = Session(world, model, classifier, _classes(desk, classifier), first, second, Reading(), {}, EMPTY, seed)
    return act(desk, look(desk, session), opening_move(desk, model))


def first_classifier(desk: Desk, world: str) -> str:
    """The first that can be loaded; empty where there is none."""
    return next((name for name in desk.store.classifiers(world) if desk.loads(name)), "")


def opening_move(desk: Desk, model: str) -> Move:
    """Something that shows: along an attribute that people know, else a principal component, else some noise."""
    names = desk.directions(model)
    known = next((name for name in KNOWN if name in names), names[0] if names else None)
    return Shift(direction=known, amount=2.0) if known else Noise(epsilon=1.0)


def once(desk: Desk, pictures: Sequence[Image.Image], model: str, classifier: str, seed: int, tool: Move) -> Session:
    """One move without a page: the middle of each picture, the last of them the partner."""
    card = desk.store.card(model)
    if card.kind not in (*LATENT_KINDS, "pixels"):
        raise UserError(f"{model[:60]} is no latent model; choose one of {', '.join(desk.latent_names)}.")
    world = world_of(model, card)
    classifier = classifier or first_classifier(desk, world)
    first, last = (found(images.fit_to(pictures[place], card.image_shape), "sent") for place in (0, -1))
    before = desk.reading(world, classifier, first.image)
    return act(
        desk, Session(world, model, classifier, _classes(desk, classifier), first, last, before, {}, EMPTY, seed), tool
    )


def choose(desk: Desk, session: Session, model: str | None = None, classifier: str | None = None) -> Session:
    """Another space or another classifier for the same picture; a move that the space cannot make is replaced."""
    known("space", model, desk.store.models(session.world))
    known("classifier", classifier, desk.store.classifiers(session.world))
    name = session.classifier if classifier is None else classifier
    chosen = replace(session, model=model or session.model, classifier=name, classes=_classes(desk, name), notice="")
    session = replace(chosen, refining=None)
    return again(desk, look(desk, session))


def known(kind: str, name: str | None, names: Sequence[str]) -> None:
    """Refuse a name that is not among these; None is no choice."""
    if name is not None and name not in names:
        raise UserError(f"There is no {kind} {name[:60]!r} here; choose one of {', '.join(names[:12]) or 'none'}.")


def put(desk: Desk, session: Session, picture: Found) -> Session:
    """Another picture, as input or as partner, and the same move."""
    return _put(desk, replace(session, photo=None), picture)


def _put(desk: Desk, session: Session, picture: Found) -> Session:
    if session.filling == "partner":
        return again(desk, replace(session, partner=picture, notice=""))
    fresh = replace(session, source=picture, refined=frozenset(), refining=None, notice="")
    return again(desk, look(desk, fresh))


def put_all(desk: Desk, session: Session, pictures: Mapping[str, Found]) -> Session:
    """These pictures by their place, input or partner; where there is none the one at hand stays."""
    session = replace(session, partner=pictures.get("partner", session.partner))
    return put(desk, session, pictures["input"]) if "input" in pictures else session


def receive(desk: Desk, session: Session, data: bytes) -> Session:
    """A picture that somebody brings, cropped to its middle first."""
    picture = images.read(data)
    picture.thumbnail((PHOTO_SIDE, PHOTO_SIDE))
    box = images.centre_box(picture.size, desk.store.image_shape(session.world))
    return crop(desk, replace(session, photo=Photo(picture, box)), box)


def crop(desk: Desk, session: Session, box: Box) -> Session:
    """Another part of the picture that was brought, in its pixels."""
    if session.photo is None:
        raise UserError("There is no picture to crop; drop one in first.")
    photo = replace(session.photo, box=box)
    wide, high = photo.picture.size
    picture = images.fit_to(photo.picture, desk.store.image_shape(session.world), box)
    return _put(desk, replace(session, photo=photo), Found(picture[None], f"upload {wide} × {high}"))


def reseed(desk: Desk, session: Session, seed: int) -> Session:
    """Another seed for the same move."""
    return again(desk, replace(session, seed=seed))


def act(desk: Desk, session: Session, tool: Move) -> Session:
    """The tool on the picture; the encoding is remembered, so only the decoding is paid for."""
    latents, label = moved(desk, session, tool)
    done = result(desk, session, tool, desk.decode(session.model, latents), label)
    return replace(session, result=done, track=None, notice="")


@torch.no_grad()
def moved(desk: Desk, session: Session, tool: Move) -> tuple[Latents, Targets]:
    """Where the tool takes the picture's latents, and the label that goes with them; one row of each."""
    batch = batch_of(desk, session, tool)
    codes = [code(desk, session), *(desk.latents(session.model, picture[None]) for picture in batch.images[1:])]
    bench = desk.store.bench(session.model, session.classifier or None, session.seed)
    latents, labels = tool.move(stacked(codes), on_device(desk, batch), bench)
    return latents[[0]], labels[[0]]


def code(desk: Desk, session: Session) -> Latents:
    """The input's encoding in the session's space, the improved one where there is one."""
    return desk.latents(session.model, session.source.image, session.model in session.refined)


def clean(desk: Desk, session: Session) -> Rebuilt:
    """The path without a move."""
    return desk.rebuilt(session.model, session.source.image, session.model in session.refined)


def batch_of(desk: Desk, session: Session, tool: Move) -> Batch:
    """The picture, and behind it the partner where the tool wants one."""
    sources = [session.source, session.partner] if isinstance(tool, Mix | Swap) else [session.source]
    classes = max(len(session.classes), 1)
    numbers = torch.tensor([true_class(desk, session, source) for source in sources])
    return Batch(torch.cat([source.image for source in sources]), one_hot(numbers, classes).float())


def true_class(desk: Desk, session: Session, source: Found) -> int:
    """The number of the picture's own class where its data set names it, else of the class that the classifier sees."""
    if not session.classifier:
        return 0
    if source.labels is not None:
        for number, name in enumerate(session.classes):
            if name in source.labels or (name.startswith("not ") and name[4:] not in source.labels):
                return number
    return desk.reading(session.world, session.classifier, source.image).best


def result(desk: Desk, session: Session, tool: Move, image: Images, label: Targets) -> Result:
    reading = desk.reading(session.world, session.classifier, image)
    far = float(distance(image, session.source.image))
    soft = tuple(label[0].tolist()) if session.classifier else ()
    return Result(tool, image, reading, far, soft)


def strip(desk: Desk, session: Session, tools: Sequence[Move]) -> list[Result]:
    """What each of these tools would make of the picture, decoded as one batch."""
    moves = [moved(desk, session, tool) for tool in tools]
    pictures = desk.decode(session.model, stacked([latents for latents, _ in moves]))
    return [
        result(desk, session, tool, pictures[[place]], label)
        for place, (tool, (_, label)) in enumerate(zip(tools, moves, strict=True))
    ]


def on_device(desk: Desk, batch: Batch) -> Batch:
    return Batch(batch.images.to(desk.store.device), batch.targets.to(desk.store.device))


def stacked(codes: Sequence[Latents]) -> Latents:
    return Latents({name: torch.cat([code.parts[name] for code in codes]) for name in codes[0].parts})


def look(desk: Desk, session: Session, only: str = "") -> Session:
    """What every model of the world, or only one, makes of the picture before any move."""
    picture = session.source.image
    names = [only] if only else desk.store.models(session.world)
    before = desk.reading(session.world, session.classifier, picture)
    rebuilt = {name: _rebuilt(desk, name, picture, name in session.refined) for name in names}
    return replace(session, before=before, rebuilt=rebuilt)


def _rebuilt(desk: Desk, name: str, picture: Images, refined: bool) -> Rebuilt | str:
    """A model that cannot be loaded says why, and the others are still shown."""
    try:
        return desk.rebuilt(name, picture, refined)
    except UserError as error:
        return str(error)


def again(desk: Desk, session: Session) -> Session:
    """The same move in the new situation, else the opening one with a line that says so."""
    try:
        return act(desk, session, session.result.tool)
    except UserError as error:
        return replace(act(desk, session, opening_move(desk, session.model)), notice=str(error))


def _classes(desk: Desk, classifier: str) -> tuple[str, ...]:
    return tuple(desk.store.load(classifier).classes) if classifier else ()


def beside(session: Session, other: Session) -> Session:
    """The view with what lies beside it in the other: the last views, and those of the same world's pictures."""
    session = replace(session, past=other.past)
    if session.world != other.world:
        return session
    return replace(session, pinned=other.pinned, selection=other.selection)


def change_world(desk: Desk, session: Session, world: str) -> Session:
    """The first view of another world; a picture that was brought comes along."""
    known("world", world, desk.store.worlds)
    fresh = beside(open_world(desk, world, seed=session.seed), session)
    if session.photo is None or session.filling == "partner":
        return fresh
    box = images.centre_box(session.photo.picture.size, desk.store.image_shape(world))
    return crop(desk, replace(fresh, photo=session.photo), box)
