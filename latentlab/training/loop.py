"""`train`: a generator of events; a run that is stopped or killed goes on to the same bits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import Tensor, nn

from latentlab import models
from latentlab.errors import UserError
from latentlab.fit import parallel
from latentlab.fit.loop import device_name
from latentlab.fit.state import Progress
from latentlab.fit.updates import diverged, updates
from latentlab.models import Card
from latentlab.models.networks import Networks
from latentlab.training import reports
from latentlab.training.config import Config, command
from latentlab.training.judging import judge
from latentlab.training.learner import Learner, adapts
from latentlab.training.reports import Event
from latentlab.training.run import Files, Run, course_of
from latentlab.training.task import prepare
from latentlab.types import Batch, Images

TELL, SHOW, SAVE = 0.2, 2.0, 5.0  # seconds between step events, samples and states
SHARE = 0.1  # of the time that may go into looks at held-out images, and half of it into states
STOP, SAVE_TOO, INTERRUPT = "stop", "save", "interrupt"


@dataclass(frozen=True, eq=False)
class Sample:
    """What one update learns from."""

    step: int  # counted from 1
    rows: Tensor  # of the training images
    originals: Images
    batch: Batch
    exact: bool  # False where an attack would be aimed at weights that are not known yet


def train(config: Config, networks: Networks, files: Files, asked: Callable[[], str] = lambda: "") -> Iterator[Event]:
    """Trains until the budget is used up or `asked` says stop, save or interrupt; goes on from `files.resume`.

    Under torchrun every process yields its events; the first one's are those to keep.
    """
    task = prepare(config, networks)
    place = parallel.start(str(networks.device))
    run = Run(config, task, files, str(networks.device), place)
    progress = run.begin()
    yield reports.begin(run, progress)
    said = ""

    def done(now: Progress) -> float:
        nonlocal said
        said = said or asked()
        return 1.0 if said else run.done(now)

    for event, reached in _learn(run, progress, done):
        progress = reached
        if event:
            yield event
    if run.done(progress) < 1:
        said = said or asked() or STOP
    yield from _end(run, progress, said)
    parallel.stop()


def _learn(run: Run, progress: Progress, done: Callable[[Progress], float]) -> Iterator[tuple[Event | None, Progress]]:
    """Updates, and from time to time a line, a sample, a look or a state; nothing of it changes what is learned."""
    tell, show, save, peek = (
        reports.Rhythm(TELL),
        reports.Rhythm(SHOW),
        reports.Rhythm(SAVE, SHARE / 2),
        reports.Rhythm(0.0, SHARE),
    )
    pace, losses, first = reports.Pace(progress), [], progress.step + 1
    for progress, values in updates(run.learner, run.average, run.course, progress, done):  # noqa: B020
        if bad := diverged(values):
            raise UserError(
                f"The training diverged at step {progress.step} ({bad} is not finite); the last good state is kept. "
                "Take a lower rate or a weaker augmentation."
            )
        losses.append(values["loss"])
        over, head = run.done(progress) >= 1, run.place[0] == 0
        if tell.due() or over or progress.step == first:
            loss, losses = sum(losses) / len(losses), []
            yield reports.step(run, progress, loss, values["rate"], pace), progress
        if head and run.files.sample and (show.due() or progress.step == first):
            yield reports.sample(run, progress), progress
        if head and len(run.task.held) and (over or (progress.step % run.course.steps_per_epoch == 0 and peek.due())):
            with peek:
                event = reports.looked(run, progress)
            yield event, progress
        if save.due():
            with save:
                run.save(progress)
        yield None, progress


def _end(run: Run, progress: Progress, said: str) -> Iterator[Event]:
    """The last state; the classifier with its card, if the run came to its end or was asked to keep it."""
    run.save(progress)
    if said == INTERRUPT or run.place[0] > 0:
        return
    scores = _ship(run, progress) if said in ("", SAVE_TOO) else {}
    if said:
        kept = " and kept its classifier" if scores else ""
        yield reports.event(
            "end", progress, state="stopped", cause=f"Stopped on request at step {progress.step}{kept}.", scores=scores
        )
        return
    yield reports.event(
        "end", progress, state="finished", cause=f"The budget was used up at step {progress.step}.", scores=scores
    )
    run.files.resume.unlink(missing_ok=True)


def _ship(run: Run, progress: Progress) -> dict[str, float]:
    scores = judge(run.learner, run.average, run.task.world.test, run.device)
    world = run.task.world
    card = Card(
        kind=run.task.kind,
        arguments=run.task.arguments,
        image_shape=world.image_shape,
        data=world.name,
        classes=world.classes,
        command=command(run.config),
        seconds=round(progress.seconds, 1),
        device=device_name(run.device),
        images_seen=progress.images_seen,
        scores={"accuracy": float(f"{scores['accuracy']:.4g}")},
        parent=run.task.parent,
        licence=f"weights: as the project; data: {world.licence}",
        recipe=run.task.recipe,
    )
    models.save(run.files.out, run.average, card)
    return {name: round(value, 5) for name, value in scores.items()}


def check(config: Config, networks: Networks) -> None:
    """One line that says why this cannot be trained, if it cannot: the first batch is made and thrown away."""
    batch_at(config, networks, 1)


def batch_at(config: Config, networks: Networks, step: int, classifier: nn.Module | None = None) -> Sample:
    """The batch of an update, counted from 1, as `train` in one process has it.

    Attacks are aimed at `classifier`; without one at the first weights, which is exact for the first update alone.
    """
    task, device = prepare(config, networks), str(networks.device)
    course, learner = course_of(config, task, device, (0, 1)), Learner(config, task)
    rows = next(course.rows(step - 1))
    images, labels = (part.to(device) for part in course.data.batch(rows))
    target = learner.network.to(device) if classifier is None else classifier
    batch = learner.moved(images, labels, target, course.rng(step - 1))
    blind = classifier is None and step > 1 and any(adapts(move.operator) for move in task.moves)
    return Sample(step, task.learned[rows], images, batch, not blind)
