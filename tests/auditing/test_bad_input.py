"""What cannot be audited is refused with one line; what is only odd is said."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from auditing.digits_case import CONFIG

from latentlab import datasets
from latentlab.auditing.chunk import measure_chunk
from latentlab.auditing.codes import CodeCache
from latentlab.auditing.cost import measure_cost
from latentlab.auditing.image_source import WorldImages, draw_stratified_rows, find_folder_images
from latentlab.auditing.reach import search_limits
from latentlab.auditing.subject import NO_LABELS_NOTE, prepare_subject
from latentlab.auditing.tables import parse_requirement
from latentlab.errors import UserError
from latentlab.images import png
from latentlab.training.augmented import Augmentation
from latentlab.types import Latents


@pytest.mark.parametrize(
    ("changed", "line"),
    [
        ({"judge": "digits-resnet-biased"}, "which is the classifier under test; choose another"),
        ({"judge": "digits-glow"}, "digits-glow is no classifier"),
        ({"judge": "cifar10-resnet"}, "does not tell the 10 classes of digits apart"),
        ({"images": 9}, "9 images are fewer than the 10 classes"),
        ({"rows": (0, 355)}, "There is no image 355; the last is 354"),
        ({"density": "digits-vae"}, "digits-vae knows no density"),
        ({"moves": (Augmentation("mixup", space="faces-vae"),)}, "faces-vae is no latent model of the images of"),
        ({"moves": (Augmentation("mixup"), Augmentation("mixup"))}, "mixup in digits-pixels is asked for twice"),
        ({"moves": (Augmentation("nonsense"),)}, "There is no operator 'nonsense'"),
        ({"moves": (Augmentation("randmix"),), "distance": 2.0}, "randmix has no knob that says how far it goes"),
    ],
)
def test_one_line(store, changed, line):
    with pytest.raises(UserError, match=line) as told:
        prepare_subject(replace(CONFIG, **changed), store)
    assert "\n" not in str(told.value)


def test_no_judge_and_no_move():
    with pytest.raises(UserError, match="moves is of 0; it must be 1 to 6"):
        replace(CONFIG, moves=())


def test_pictures_without_labels_take_the_classifiers_word(store, tmp_path):
    images = datasets.load_world("digits").test.take_batch(range(12))[0]
    for place, image in enumerate(images):
        (tmp_path / f"{place}.png").write_bytes(png(image))
    subject = prepare_subject(CONFIG, store, tmp_path)
    assert subject.notes == (NO_LABELS_NOTE,)
    batch = subject.take_batch(subject.chunks[0])
    assert torch.equal(batch.targets.argmax(1), subject.test_network(batch.images).argmax(1))


def test_a_folder_of_classes_is_labelled_and_a_stray_picture_is_named(tmp_path):
    world = datasets.load_world("digits")
    for place in range(3):
        (tmp_path / str(place)).mkdir()
        (tmp_path / str(place) / "a.png").write_bytes(png(world.test.take_batch([place])[0][0]))
    found = find_folder_images(tmp_path, world.classes, world.image_shape)
    assert found.labels is not None
    assert found.labels.tolist() == [0, 1, 2]
    (tmp_path / "stray.png").write_bytes(png(world.test.take_batch([0])[0][0]))
    with pytest.raises(UserError, match=r"1 pictures such as stray.png lie in no folder of a class"):
        find_folder_images(tmp_path, world.classes, world.image_shape)


def test_a_class_without_images_is_named(store, tmp_path):
    world = datasets.load_world("digits")
    (tmp_path / "4").mkdir()
    for place in range(12):
        (tmp_path / "4" / f"{place}.png").write_bytes(png(world.test.take_batch([place])[0][0]))
    with pytest.raises(UserError, match="No image of 0, 1, 2, 3, 5, 6, 7, 8, 9 is there"):
        prepare_subject(CONFIG, store, tmp_path)


def test_each_class_by_its_share():
    labels = torch.tensor([0] * 70 + [1] * 20 + [2] * 10)
    rows = draw_stratified_rows(labels, 30, 0)
    assert torch.bincount(labels[rows]).tolist() == [21, 6, 3]
    assert len(set(rows.tolist())) == 30
    assert rows.tolist() != sorted(rows.tolist())
    assert torch.equal(rows, draw_stratified_rows(labels, 30, 0))


def test_moves_can_be_brought_to_one_distance(store):
    subject = prepare_subject(replace(CONFIG, distance=2.0), store)
    for move in subject.moves:
        batch = subject.take_batch(subject.chunks[0])
        rng = torch.Generator().manual_seed(0)
        far = (move.operator(batch, move.make_bench(subject.attacked_network, rng)).images - batch.images).flatten(1)
        assert float(far.norm(dim=1).mean()) == pytest.approx(2.0, rel=0.25)  # other chance than the calibration's
        assert move.recipe.make_operator() == move.operator


@pytest.mark.parametrize("text", ["kept", "kept>=", ">=0.9", "kept>=many", "kept=0.9"])
def test_a_condition_is_read_or_refused(text):
    with pytest.raises(UserError, match="is no condition; write a figure, a sign and a number"):
        parse_requirement(text)


class Broken(torch.nn.Module):
    """A network or latent model whose every answer is NaN."""

    image_shape = (3, 32, 32)

    def forward(self, images):
        return torch.full((len(images), 10), float("nan"))

    def encode(self, images):
        return Latents({"z": images})

    def decode(self, latents):
        return latents.parts["z"] * float("nan")

    def sample(self, count, rng):
        return Latents({"z": torch.full((count, *self.image_shape), float("nan"))})


@pytest.mark.parametrize("role", ["test_network", "judge_network"])
def test_a_classifier_that_answers_nan_is_named(store, role):
    subject = replace(prepare_subject(CONFIG, store), **{role: Broken()})
    name = subject.classifier if role == "test_network" else subject.judge
    with pytest.raises(
        UserError, match=f"^{name} answers NaN or infinite numbers; choose a classifier that is whole.$"
    ):
        measure_chunk(subject, 0)


def test_a_judge_that_answers_nan_is_named_in_a_search_alone(store):
    subject = replace(prepare_subject(CONFIG, store), judge_network=Broken())
    with pytest.raises(UserError, match=r"^digits-resnet answers NaN"):
        next(search_limits(subject, [], CodeCache()))


def test_a_model_that_decodes_nan_is_named(store):
    subject = prepare_subject(CONFIG, store)
    flow = replace(subject.moves[0], space=Broken())
    subject = replace(subject, moves=(flow,))
    with pytest.raises(UserError, match=r"^digits-glow rebuilds images as NaN; choose another model.$"):
        measure_chunk(subject, 0)
    with pytest.raises(
        UserError, match=r"^randomized-la, epsilon 40 gives NaN or infinite pixels in digits-glow; choose"
    ):
        measure_cost(subject)


def test_images_with_nan_are_refused(store):
    subject = prepare_subject(CONFIG, store)

    class NaNImages(WorldImages):
        def take_images(self, rows):
            return super().take_images(rows) * float("nan")

    world = datasets.load_world("digits")
    with pytest.raises(UserError, match=r"^The images hold NaN; repair the data first.$"):
        replace(subject, source=NaNImages(world.test, "test")).take_batch(subject.rows[:3])
