"""Pieces of a batch on the cores of a CPU."""

from collections.abc import Iterator
from threading import Thread, get_ident

import pytest
import torch

from latentlab import chance
from latentlab.threads import map_on_cores, split_batch


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Iterator[int]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.parametrize("count", [1, 2, 5, 16])
@pytest.mark.parametrize("most", [None, 1, 3, 100])
def test_pieces_are_the_batch_and_busy_all_cores(threads: int, count: int, most: int | None):
    x = chance.draw_normal((count, 2), chance.make_generator(0))
    parts = split_batch(x, most)
    sizes = [len(part) for part in parts]
    assert torch.equal(torch.cat(parts), x)
    assert max(sizes) - min(sizes) <= 1
    assert max(sizes) <= (most or count)
    assert len(parts) % threads == 0 or len(parts) == count


def test_each_is_map_with_one_thread_a_piece(threads: int):
    inside: list[tuple[int, bool]] = []

    def product(a: int, b: int) -> int:
        inside.append((torch.get_num_threads(), torch.is_grad_enabled()))
        return a * b

    with torch.no_grad():
        assert map_on_cores(product, range(1, 8), range(2, 9)) == [2, 6, 12, 20, 30, 42, 56]
    assert set(inside) == {(1, False)}
    assert torch.get_num_threads() == threads
    assert map_on_cores(lambda _: torch.is_grad_enabled(), range(4)) == [True] * 4
    later: list[int] = []
    thread = Thread(target=lambda: later.append(torch.get_num_threads()))
    thread.start()
    thread.join()
    assert later == [threads]


def test_a_single_piece_stays_in_its_thread(threads: int):
    assert map_on_cores(lambda _: get_ident(), [0]) == [get_ident()]


def test_what_a_piece_fails_with_is_raised(threads: int):
    with pytest.raises(ZeroDivisionError):
        map_on_cores(lambda n: 1 // n, [1, 0, 1])
    assert torch.get_num_threads() == threads
