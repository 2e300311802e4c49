"""A world of dropped pictures: surveyed before it is made, there at once for looking and moving, never made twice."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from latentlab.errors import UserError
from latentlab.knobs import tool_from_json
from latentlab.session import Workspace, open_world
from latentlab.session.new_world import PictureDrops, WorldWish, iterate_dropped_world, plan_world
from latentlab.store import Store


@pytest.fixture
def drops(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[PictureDrops, str]:
    """Twenty pictures of 60 × 40 in two folders' worth of names, and a table."""
    monkeypatch.setenv("LATENTLAB_DATA", str(tmp_path / "data"))
    rng = np.random.default_rng(0)
    for n in range(20):
        Image.fromarray(rng.integers(0, 256, (40, 60, 3), np.uint8)).save(tmp_path / f"{n:02}.png")
    (tmp_path / "metadata.csv").write_text(
        "file_name,class\n" + "".join(f"{n:02}.png,{'ab'[n % 2]}\n" for n in range(20))
    )
    drops = PictureDrops()
    return drops, drops.add_files("", sorted(tmp_path.glob("*.*")))


def test_from_a_drop_to_the_first_moved_picture(drops: tuple[PictureDrops, str], small_world: Path) -> None:
    held, key = drops
    workspace = Workspace(Store(small_world, "cpu"))
    wish = WorldWish(title="Mein Fund 船", size="60x40")
    plan = plan_world(held.require_drop(key), wish)
    assert plan.shape == (3, 40, 60)
    assert plan.report[:2] == ("20 pictures: 18 to train, 2 to test; 1 other files lie there", "2 classes: a 10, b 10")
    assert any(line.startswith("stylegan2 cannot be fitted") for line in plan.report)
    assert plan.crops.shape == (3, 80, 300)
    making = iterate_dropped_world(held.require_drop(key), wish)
    seen = [next(making) for _ in range(20)]
    assert seen == list(range(1, 21))
    with pytest.raises(StopIteration) as end:
        next(making)
    world, made = end.value.value
    assert (made.train, made.test, made.skipped) == (18, 2, ())
    assert world in workspace.store.worlds
    assert workspace.store.find_title(world) == "Mein Fund 船"
    session = open_world(workspace, world)
    assert session.source.image.shape == (1, 3, 40, 60)
    assert session.result.distance > 0
    with pytest.raises(UserError, match="already"):
        next(iterate_dropped_world(held.require_drop(key), wish))


def test_a_world_needs_a_name_and_a_drop(drops: tuple[PictureDrops, str]) -> None:
    held, key = drops
    with pytest.raises(UserError, match="name is 1 to"):
        next(iterate_dropped_world(held.require_drop(key), WorldWish()))
    with pytest.raises(UserError, match="LatentLab's own"):
        next(iterate_dropped_world(held.require_drop(key), WorldWish(title="faces")))
    folder = held.require_drop(key).path
    held.forget_drop(key)
    assert not folder.exists()
    with pytest.raises(UserError, match="dropped"):
        held.require_drop(key)
    with pytest.raises(UserError, match="channels"):
        tool_from_json(WorldWish, {"channels": "blue"})


def test_only_so_many_visitors_drops_are_kept(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(io.BytesIO().getvalue())
    drops = PictureDrops()
    keys = [drops.add_files("", [tmp_path / "a.png"]) for _ in range(10)]
    with pytest.raises(UserError):
        drops.require_drop(keys[0])
    assert drops.require_drop(keys[-1]).files == 1
    assert drops.add_files(keys[-1], [tmp_path / "a.png"]) == keys[-1]
    drops.delete_all()
