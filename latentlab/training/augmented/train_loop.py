"""`train_classifier` is a generator of events; a run that is stopped or killed goes on to the same bits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from torch import Tensor, nn

from latentlab import models
from latentlab.errors import UserError
from latentlab.models import Card
from latentlab.models.networks import NetworkSource
from latentlab.training import distributed
from latentlab.training.augmented import events
from latentlab.training.augmented.config import Config, format_train_command
from latentlab.training.augmented.events import RunEvent
from latentlab.training.augmented.learner import Learner, adapts_to_classifier
from latentlab.training.augmented.run_state import RunFiles, TrainingRun, order_batches
from latentlab.training.augmented.task import prepare_task
from latentlab.training.augmented.validation import evaluate_on_test
from latentlab.training.fit_loop import describe_device
from latentlab.training.resume_state import TrainingProgress
from latentlab.training.update_loop import find_divergence, iterate_updates
from latentlab.types import Batch, Images

STEP_EVENT_SECONDS, SAMPLE_SECONDS, STATE_SECONDS = 0.2, 2.0, 5.0  # seconds between step events, samples and states
EVALUATION_SHARE = 0.1  # of the time that may go into looks at held-out images, and half of it into states
STOP_REQUEST, SAVE_REQUEST, INTERRUPT_REQUEST = "stop", "save", "interrupt"


@dataclass(frozen=True, eq=False)
class UpdateSample:
    """What one update learns from."""

    step: int  # counted from 1
    rows: Tensor  # of the training images
    originals: Images
    batch: Batch
    exact: bool  # False where an attack would be aimed at weights that are not known yet


def train_classifier(
    config: Config, networks: NetworkSource, files: RunFiles, asked: Callable[[], str] = lambda: ""
) -> Iterator[RunEvent]:
    """Train until the budget is used up or `asked` says stop, save or interrupt; go on from `files.resume`.

    Under torchrun every process yields its events; the first one's are those to keep.
    """
    task = prepare_task(config, networks)
    place = distributed.join_processes(str(networks.device))
    run = TrainingRun(config, task, files, str(networks.device), place)
    progress = run.begin_or_resume()
    yield events.report_begin(run, progress)
    said = ""

    def compute_done_share(now: TrainingProgress) -> float:
        nonlocal said
        said = said or asked()
        return 1.0 if said else run.compute_spent_share(now)

    for event, reached in _run_updates(run, progress, compute_done_share):
        progress = reached
        if event:
            yield event
    if run.compute_spent_share(progress) < 1:
        said = said or asked() or STOP_REQUEST
    yield from _end_run(run, progress, said)
    distributed.leave_processes()


def _run_updates(
    run: TrainingRun, progress: TrainingProgress, done: Callable[[TrainingProgress], float]
) -> Iterator[tuple[RunEvent | None, TrainingProgress]]:
    """Make the updates, and at times a line, a sample, a look or a state; none of these changes what is learned."""
    tell, show, save, peek = (
        events.Throttle(STEP_EVENT_SECONDS),
        events.Throttle(SAMPLE_SECONDS),
        events.Throttle(STATE_SECONDS, EVALUATION_SHARE / 2),
        events.Throttle(0.0, EVALUATION_SHARE),
    )
    pace, losses, first = events.Pace(progress), [], progress.step + 1
    for update in iterate_updates(run.learner, run.average_network, run.batch_order, progress, done):
        progress, values = update
        if bad := find_divergence(values):
            raise UserError(
                f"The training diverged at step {progress.step} ({bad} is not finite); the last good state is kept. "
                "Take a lower rate or a weaker augmentation."
            )
        losses.append(values["loss"])
        over, head = run.compute_spent_share(progress) >= 1, run.place[0] == 0
        if tell.is_due() or over or progress.step == first:
            loss, losses = sum(losses) / len(losses), []
            yield events.report_step(run, progress, loss, values["rate"], pace), progress
        if head and run.files.sample and (show.is_due() or progress.step == first):
            yield events.report_sample(run, progress), progress
        if (
            head
            and len(run.task.held)
            and (over or (progress.step % run.batch_order.steps_per_epoch == 0 and peek.is_due()))
        ):
            with peek:
                event = events.report_evaluation(run, progress)
            yield event, progress
        if save.is_due():
            with save:
                run.save_state(progress)
        yield None, progress


def _end_run(run: TrainingRun, progress: TrainingProgress, said: str) -> Iterator[RunEvent]:
    """Save the last state; keep the classifier with its card, if the run came to its end or was asked to keep it."""
    run.save_state(progress)
    if said == INTERRUPT_REQUEST or run.place[0] > 0:
        return
    scores = _ship_classifier(run, progress) if said in ("", SAVE_REQUEST) else {}
    if said:
        kept = " and kept its classifier" if scores else ""
        yield events.make_event(
            "end", progress, state="stopped", cause=f"Stopped on request at step {progress.step}{kept}.", scores=scores
        )
        return
    yield events.make_event(
        "end", progress, state="finished", cause=f"The budget was used up at step {progress.step}.", scores=scores
    )
    run.files.resume.unlink(missing_ok=True)


def _ship_classifier(run: TrainingRun, progress: TrainingProgress) -> dict[str, float]:
    scores = evaluate_on_test(run.learner, run.average_network, run.task.world.test, run.device)
    world = run.task.world
    card = Card(
        kind=run.task.kind,
        arguments=run.task.arguments,
        image_shape=world.image_shape,
        data=world.name,
        classes=world.classes,
        command=format_train_command(run.config),
        seconds=round(progress.seconds, 1),
        device=describe_device(run.device),
        images_seen=progress.images_seen,
        scores={"accuracy": float(f"{scores['accuracy']:.4g}")},
        parent=run.task.parent,
        licence=f"weights: as the project; data: {world.licence}",
        recipe=run.task.recipe,
    )
    models.save_network(run.files.out, run.average_network, card)
    return {name: round(value, 5) for name, value in scores.items()}


def require_trainable(config: Config, networks: NetworkSource) -> None:
    """Say in one line why this cannot be trained, if it cannot: the first batch is made and thrown away."""
    make_update_batch(config, networks, 1)


def make_update_batch(
    config: Config, networks: NetworkSource, step: int, classifier: nn.Module | None = None
) -> UpdateSample:
    """Return the batch of an update, counted from 1, as `train_classifier` in one process has it.

    Attacks are aimed at `classifier`; without one at the first weights, which is exact for the first update alone.
    """
    task, device = prepare_task(config, networks), str(networks.device)
    course, learner = order_batches(config, task, device, (0, 1)), Learner(config, task)
    rows = next(course.iterate_rows(step - 1))
    images, labels = (part.to(device) for part in course.data.take_batch(rows))
    target = learner.network.to(device) if classifier is None else classifier
    batch = learner.move_images(images, labels, target, course.make_rng(step - 1))
    blind = classifier is None and step > 1 and any(adapts_to_classifier(move.operator) for move in task.moves)
    return UpdateSample(step, task.learned[rows], images, batch, not blind)
