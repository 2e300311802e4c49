"""Classifiers side by side on the same test images: every figure with its interval, and what changed."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from latentlab import chance, datasets, metrics
from latentlab.datasets import Dataset
from latentlab.errors import UserError
from latentlab.judges import find_judge
from latentlab.knobs import Knob, tool, tool_from_json
from latentlab.metrics import METRICS, Estimate, Metric
from latentlab.models import Pixels
from latentlab.models.networks import NetworkSource
from latentlab.training.augmented import Config, RunEvent
from latentlab.types import Batch, Bench, LatentModel

METRIC_NAMES = tuple(METRICS)
ALL_MEASURED = "Everything was measured."


@tool
class Comparison:
    """The first classifier is the one that the others are set against."""

    classifiers: Annotated[tuple[str, ...], Knob("checkpoints and runs", 0, 12)] = ()
    world: Annotated[str, Knob("data set")] = "digits"
    images: Annotated[int, Knob("test images", 10, 10_000)] = 500
    metrics: Annotated[tuple[str, ...], Knob("figures", choices=METRIC_NAMES)] = METRIC_NAMES
    severity: Annotated[int, Knob("of the corruptions", 1, 5)] = 3
    epsilon: Annotated[float, Knob("largest change of a pixel by FGSM, PGD and for linearity", 0, 1)] = 8 / 255
    steps: Annotated[int, Knob("gradient steps of PGD and for linearity", 1, 200)] = 10
    radius: Annotated[float, Knob("of the latent attack", 0, 100, unit="σ")] = 1.0
    space: Annotated[str, Knob("latent model of that attack; empty for the world's Glow")] = ""
    judge: Annotated[str, Knob("independent classifier that says if labels are kept; empty for the world's")] = ""
    seed: Annotated[int, Knob("of everything that is drawn", 0, 2**31 - 1)] = 0

    def make_metrics(self) -> dict[str, Metric]:
        """Return the chosen metrics, each with those of these knobs that it has."""
        own = {"severity": self.severity, "epsilon": self.epsilon, "steps": self.steps, "radius": self.radius}
        known: dict[str, tuple[str, ...]] = {
            "corruptions": ("severity",),
            "fgsm": ("epsilon",),
            "pgd": ("epsilon", "steps"),
            "linearity": ("epsilon", "steps"),
            "latent-attack": ("radius",),
        }
        chosen = [name for name in METRIC_NAMES if name in self.metrics]
        return {
            name: tool_from_json(METRICS[name], {knob: own[knob] for knob in known.get(name, ())}) for name in chosen
        }


@dataclass(frozen=True, eq=False)
class ComparisonInput:
    """The images on which all are compared."""

    config: Comparison
    networks: NetworkSource
    world: Dataset
    rows: Tensor  # of the test images
    batch: Batch

    def make_bench(self, classifier: str, model: LatentModel | None = None) -> Bench:
        space = Pixels(self.world.image_shape) if model is None else model
        return Bench(space, self.networks.load(classifier), chance.make_generator(self.config.seed))


def compare_classifiers(
    config: Comparison, networks: NetworkSource, done: Collection[str] = (), asked: Callable[[], str] = lambda: ""
) -> Iterator[RunEvent]:
    """Yield the events of metric after metric, one event a classifier; the metrics in `done` were finished before."""
    field = _prepare_input(config, networks)
    tools = config.make_metrics()
    missing, start, count = 0, time.monotonic(), len(config.classifiers) * len(set(done) & set(tools))

    def make_event(name: str, **values: Any) -> RunEvent:
        return {"event": name, "step": count, "seconds": round(time.monotonic() - start, 3), **values}

    yield make_event("begin", metrics=list(tools), **_describe_input(field))
    for metric, measure in tools.items():
        if metric in done:
            continue
        found: dict[str, Estimate] = {}
        for classifier in config.classifiers:
            if said := asked():
                if said != "interrupt":
                    yield make_event("end", state="stopped", cause="Stopped on request.")
                return
            count += 1
            try:
                measured = _measure_classifier(field, metric, measure, classifier)
            except UserError as error:
                missing += 1
                yield make_event(
                    "note", classifier=classifier, metric=metric, text=f"{metric} of {classifier}: {error}"
                )
                continue
            found[classifier] = measured
            yield make_event("figures", **_describe_estimate(classifier, metric, measured))
        yield from (make_event(name, **values) for name, values in _compare_estimates(field, metric, found))
        yield make_event("metric", metric=metric)
    cause = f"{missing} of the figures could not be measured; the lines above say why." if missing else ALL_MEASURED
    yield make_event("end", state="finished", cause=cause)


def _describe_input(field: ComparisonInput) -> dict[str, Any]:
    return {
        "classifiers": list(field.config.classifiers),
        "images": len(field.rows),
        "rows": field.rows.tolist(),
        "world": field.config.world,
    }


def _prepare_input(config: Comparison, networks: NetworkSource) -> ComparisonInput:
    if not config.classifiers:
        raise UserError("There is no classifier to compare; name one or more.")
    world = _load_world(config, networks)
    for name in config.classifiers:
        network = networks.load(name)
        if tuple(getattr(network, "classes", ())) != world.classes or tuple(network.image_shape) != world.image_shape:
            raise UserError(
                f"{name} does not tell the classes of {config.world} apart as {config.classifiers[0]} does; "
                "choose classifiers of the same classes and image size."
            )
    order = chance.draw_permutation(len(world.test), chance.make_generator(config.seed))
    rows = order[: config.images].sort().values
    images, labels = world.test.take_batch(rows)
    targets = one_hot(labels, len(world.classes)).float()
    return ComparisonInput(
        config, networks, world, rows, Batch(images.to(networks.device), targets.to(networks.device))
    )


def _load_world(config: Comparison, networks: NetworkSource) -> Dataset:
    """Load the data; where labels are attributes, with the one that the first classifier tells."""
    world = datasets.load_world(config.world)
    if not world.multilabel:
        return world
    classes = tuple(getattr(networks.load(config.classifiers[0]), "classes", ()))
    if len(classes) != 2:
        raise UserError(
            f"In {world.name} labels are attributes; choose classifiers of one, such as NAME:{world.classes[0]}."
        )
    return world.select_attribute(classes[1])


def _measure_classifier(field: ComparisonInput, metric: str, measure: Metric, classifier: str) -> Estimate:
    if metric == "label-preservation":
        return _measure_preserved(field, classifier)
    model = None
    if metric == "latent-attack":
        model = field.networks.load(field.config.space or f"{field.config.world}-glow")
    return measure(field.batch, field.make_bench(classifier, model))


def _describe_estimate(classifier: str, metric: str, found: Estimate) -> dict[str, Any]:
    return {
        "classifier": classifier,
        "metric": metric,
        "value": round(found.value, 6),
        "low": round(found.low, 6),
        "high": round(found.high, 6),
        "detail": found.detail,
    }


def _compare_estimates(
    field: ComparisonInput, metric: str, found: dict[str, Estimate]
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield differences to the first on the same images, images that changed sides, and means over seeds."""
    each = {name: measured.each for name, measured in found.items() if measured.each is not None}
    first = next(iter(each), "")
    for second in list(each)[1:]:
        change = each[second] - each[first]
        apart = metrics.estimate_mean(change)
        yield "difference", {"first": first, "second": second, **_describe_interval(metric, apart)}
        if metric == "accuracy":
            gained, lost = (change == sign for sign in (1, -1))
            rows = {"gained": field.rows[gained].tolist(), "lost": field.rows[lost].tolist()}
            yield "flips", {"first": first, "second": second, **rows}
    for names in _group_seed_runs(field.networks, list(found)):
        over = metrics.estimate_mean(torch.tensor([found[name].value for name in names]))
        yield "seeds", {"classifiers": names, **_describe_interval(metric, over)}


def _describe_interval(metric: str, found: Estimate) -> dict[str, Any]:
    return {"metric": metric, **{name: round(getattr(found, name), 6) for name in ("value", "low", "high")}}


def _group_seed_runs(networks: NetworkSource, names: Sequence[str]) -> list[list[str]]:
    """Group runs, two or more, that were asked for the same, but for the seed."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        if config := networks.card(name).recipe.get("config"):
            groups[json.dumps({**config, "seed": None}, sort_keys=True)].append(name)
    return [group for group in groups.values() if len(group) > 1]


def _measure_preserved(field: ComparisonInput, classifier: str) -> Estimate:
    """Measure the labels that a run's augmentations keep, aimed at the run's own classifier, by another that has
    nothing to do with it.
    """
    recipe = field.networks.card(classifier).recipe
    if not recipe.get("config", {}).get("augmentations"):
        raise UserError("it was trained without moves, so there is nothing that they could keep.")
    steps = tool_from_json(Config, recipe["config"]).augmentations
    spaces = [_load_space(field, step.choose_space(field.world.name)) for step in steps]
    bench, judge = field.make_bench(classifier), _choose_judge(field)

    def move_batch(batch: Batch) -> Batch:
        for step, space in zip(steps, spaces, strict=True):
            batch = step.build_operator()(batch, Bench(space, bench.classifier, bench.rng))
        return batch

    found = metrics.estimate_preserved(move_batch, field.batch, field.make_bench(judge))
    found.detail["judge"] = judge
    return found


def _load_space(field: ComparisonInput, name: str) -> LatentModel:
    return Pixels(field.world.image_shape) if name.endswith("-pixels") else field.networks.load(name)


def _choose_judge(field: ComparisonInput) -> str:
    """Return the judge that is named, else the world's first that is not itself compared."""
    if field.config.judge:
        return field.config.judge
    compared = {name.partition(":")[0] for name in field.config.classifiers}
    found = find_judge(field.networks, field.config.world, field.world.classes, compared)
    if found is None:
        raise UserError("there is no independent classifier to judge by; name one as judge.")
    return found
