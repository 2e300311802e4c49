"""Fractions of every class, nested and seeded; pictures of one digit stay together; validation apart."""

from dataclasses import replace

import pytest
import torch

from latentlab import chance, datasets
from latentlab.datasets import Dataset, Split
from latentlab.errors import UserError
from latentlab.training.augmented.subset import split_rows, stratify_rows


@pytest.fixture(scope="module")
def digits():
    return datasets.load_world("digits")


def test_every_class_keeps_its_share():
    """10, 20 and 5 of three classes; 30 % of each is 3, 6 and 2 (1.5 rounded to even)."""
    labels = torch.tensor([0] * 10 + [1] * 20 + [2] * 5)[chance.draw_permutation(35, chance.make_generator(0))]
    rows = stratify_rows(labels, 0.3, seed=1)
    assert labels[rows].bincount().tolist() == [3, 6, 2]
    assert rows.tolist() == sorted(set(rows.tolist()))


def test_a_small_share_lies_inside_a_larger_one_and_depends_on_the_seed():
    labels = torch.arange(200) % 7
    small, large, other = (set(stratify_rows(labels, *rest).tolist()) for rest in ((0.1, 3), (0.4, 3), (0.1, 4)))
    assert small < large
    assert small != other


def test_no_class_dies_out():
    assert len(stratify_rows(torch.tensor([0, 0, 0, 1]), 0.01, 0)) == 2


def test_copies_of_a_picture_are_never_on_both_sides(digits):
    learned, held = split_rows(digits, (), 0.2, 0.25, seed=0)
    pictures = len(digits.train) // digits.copies
    assert not set((learned % pictures).tolist()) & set((held % pictures).tolist())
    assert len(learned) % digits.copies == len(held) % digits.copies == 0
    assert len(learned) + len(held) == pytest.approx(0.2 * len(digits.train), rel=0.02)


def test_copies_are_the_same_picture_in_other_colours(digits):
    """The ink of the copies is one: where a digit is bright against its ground, all of its copies are."""
    pictures = len(digits.train) // digits.copies
    rows = torch.arange(digits.copies) * pictures + 5
    ink = digits.train.images[rows].float().amax(1).flatten(1)
    assert torch.corrcoef(ink).min() > 0.9
    assert digits.train.labels[rows].unique().numel() == 1


def test_chosen_rows_are_the_only_ones(digits):
    learned, held = split_rows(digits, tuple(range(100)), 1.0, 0.2, seed=0)
    assert sorted([*learned.tolist(), *held.tolist()]) == list(range(100))


def test_nothing_left_to_learn_from_is_one_clear_line():
    half = Split(torch.zeros(2, 3, 8, 8).byte(), torch.zeros(2).long())
    world = Dataset("tiny", half, half, ("a",), False, "")
    assert len(split_rows(world, (0,), 1.0, 0.0, 0)[0]) == 1
    assert len(split_rows(world, (0, 1), 1.0, 0.5, 0)[1]) == 1
    with pytest.raises(UserError, match="no training image 2"):
        split_rows(world, (2,), 1.0, 0.0, 0)


def test_one_attribute_becomes_two_classes():
    labels = torch.tensor([[0, 1], [1, 0], [1, 1]])
    half = Split(torch.zeros(3, 3, 8, 8).byte(), labels)
    about = Dataset("faces", half, half, ("Bald", "Smiling"), True, "").select_attribute("Smiling")
    assert about.classes == ("not Smiling", "Smiling")
    assert about.train.labels.tolist() == [1, 0, 1]
    assert not about.multilabel
    with pytest.raises(UserError, match="Bald, Smiling"):
        replace(about, multilabel=True, classes=("Bald", "Smiling")).select_attribute("Hat")
