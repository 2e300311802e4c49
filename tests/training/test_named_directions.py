"""An attribute's direction does not drag along those that go with it."""

import torch
from torch.nn.functional import cosine_similarity

from latentlab import chance
from latentlab.training.named_directions import find_attribute_directions, find_label_directions


def test_an_attribute_that_goes_with_another_is_told_from_it():
    """Each moves a coordinate of its own; four in five that have one have the other, too."""
    rng = chance.make_generator(0)
    first = torch.arange(4000) % 2
    second = torch.where(chance.draw_uniform((4000,), rng) < 0.8, first, 1 - first)
    marks, names = torch.stack([first, second], 1), ("smile", "lipstick")
    codes = torch.cat([2.0 * marks, torch.zeros(4000, 3)], 1) + 0.5 * chance.draw_normal((4000, 5), rng)
    apart, dragged = (find(codes, marks, names)["smile"] for find in (find_attribute_directions, find_label_directions))
    own = torch.eye(5)[0]
    assert cosine_similarity(apart, own, dim=0) > 0.99
    assert cosine_similarity(dragged, own, dim=0) < 0.9
    assert abs(apart.norm() - (codes @ own).std()) < 0.05


def test_rare_attributes_have_none():
    marks = torch.zeros(200, 2, dtype=torch.long)
    marks[:100, 0], marks[:20, 1] = 1, 1
    codes = chance.draw_normal((200, 3), chance.make_generator(1))
    assert list(find_attribute_directions(codes, marks, ("common", "rare"))) == ["common"]
