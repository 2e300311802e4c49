"""Images are encoded once, and memory does not grow with them: counted, not clocked."""

from __future__ import annotations

import gc
from collections import Counter
from dataclasses import replace

import pytest
import torch
from auditing.digits_case import CONFIG

from latentlab.auditing import audit_moves
from latentlab.auditing.chunk import measure_chunk
from latentlab.auditing.codes import CodeCache
from latentlab.auditing.reach import search_limits
from latentlab.auditing.subject import prepare_subject
from latentlab.training.augmented import Augmentation

FLOW_MOVES = (Augmentation("randomized-la", {"epsilon": 40.0}), Augmentation("mix", space="digits-glow"))


class CountedSpace:
    """A latent model that counts its batches."""

    def __init__(self, model):
        self.model, self.image_shape, self.counts = model, model.image_shape, Counter()

    def encode(self, images):
        self.counts["encode"] += 1
        return self.model.encode(images)

    def decode(self, latents):
        self.counts["decode"] += 1
        return self.model.decode(latents)

    def sample(self, count, rng):
        return self.model.sample(count, rng)


@pytest.fixture
def counted(store):
    """The subject of two moves in one space, and that space."""
    subject = prepare_subject(replace(CONFIG, moves=FLOW_MOVES, reach=40), store)
    space = CountedSpace(subject.moves[0].space)
    return replace(subject, moves=tuple(replace(move, space=space) for move in subject.moves)), space.counts


def test_a_chunk_is_encoded_once_for_all_moves_of_a_space(counted):
    subject, counts = counted
    measure_chunk(subject, 0)
    assert counts == {"encode": 1, "decode": 3}  # rebuilt, and after each of the moves


def test_the_trials_of_all_limits_of_a_space_encode_a_chunk_once(counted):
    subject, counts = counted
    trials = list(search_limits(subject, [], CodeCache()))
    assert {trial["move"] for _, trial in trials} == {move.title for move in subject.moves}
    assert counts == {"encode": 3, "decode": 3 * len(trials)}  # three chunks of 15 or 16 hold 40 images


def test_codes_are_kept_within_a_bound_and_another_space_gives_way(store):
    subject = prepare_subject(CONFIG, store)
    flow, pixels = subject.moves
    batches = [subject.take_batch(rows).images for rows in subject.chunks]
    most = 2 * batches[0].nbytes
    cache, free = CodeCache(most), CodeCache()
    for move in (flow, pixels, flow):
        for place, images in enumerate(batches):
            assert torch.equal(
                cache.encode_chunk(move, place, images).flat, free.encode_chunk(move, place, images).flat
            )
            assert cache.count_bytes() <= most
    kept = cache.encode_chunk(flow, 0, batches[0])
    assert cache.encode_chunk(flow, 0, batches[0]) is kept


def test_memory_does_not_grow_with_the_images(store):
    """At the end of each chunk as many bytes of tensors are alive."""
    config, alive = replace(CONFIG, images=80, batch=10, reach=0), []
    for event in audit_moves(config, store):
        if event["event"] == "chunk":
            gc.collect()
            alive.append(sum(item.nbytes for item in gc.get_objects() if type(item) is torch.Tensor))
    assert len(alive) == 8
    assert max(alive[1:]) == min(alive[1:])
