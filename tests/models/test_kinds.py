"""A kind of model that somebody adds, and a model that somebody brings, are full citizens."""

from __future__ import annotations

import io
import math
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from latentlab import images
from latentlab.chance import draw_normal
from latentlab.datasets import Dataset
from latentlab.models.kinds import (
    KINDS,
    ModelKind,
    list_classifier_kinds,
    list_judge_kinds,
    list_stored_kinds,
    rank_drawing,
)
from latentlab.operators import Noise
from latentlab.session import (
    Session,
    Workspace,
    apply_move,
    choose_networks,
    export_png,
    export_python,
    move_once,
    open_world,
    predict_path,
    restore_png,
)
from latentlab.store import Store
from latentlab.training.augmented import Augmentation
from latentlab.training.fit import fit
from latentlab.types import DensityModel, Images, LatentModel, Latents, Nats
from latentlab.ui.stage.view import describe_model, draw_stage, shorten_model_name
from latentlab.ui.workbench.view import draw_models

SHAPE = (3, 32, 32)


class Scaling(nn.Module):
    """The smallest flow: every pixel times one number."""

    def __init__(self, image_shape: tuple[int, int, int] = SHAPE) -> None:
        super().__init__()
        self.image_shape = image_shape
        self.log_scale = nn.Parameter(torch.tensor(1.0))
        self.directions: dict[str, Tensor] = {}

    def encode(self, images: Images) -> Latents:
        return Latents({"all": (images - 0.5) * self.log_scale.exp()})

    def decode(self, latents: Latents) -> Images:
        return latents.parts["all"] / self.log_scale.exp() + 0.5

    def sample(self, count: int, rng: torch.Generator) -> Latents:
        return Latents({"all": draw_normal((count, *self.image_shape), rng)})

    def log_prob(self, images: Images, rng: torch.Generator | None = None) -> Nats:
        z = self.encode(images).flat
        each = self.log_scale - 0.5 * z.square() - 0.5 * math.log(2 * math.pi) - math.log(256)
        return each.sum(1)


class ScalingFitter:
    batch, average = 16, 0.9

    def __init__(self, world: Dataset, device: str) -> None:
        self.arguments: dict[str, Any] = {"image_shape": world.image_shape}
        self.network = Scaling(world.image_shape)
        self.modules = nn.ModuleDict({"network": self.network})
        self.optimisers = {"sgd": torch.optim.SGD(self.network.parameters(), 1e-6)}

    def begin(self, images: Images) -> None:
        pass

    def step(self, images: Images, labels: Tensor, rng: torch.Generator, progress: float) -> dict[str, float]:
        loss = -self.network.log_prob(images).mean()
        self.optimisers["sgd"].zero_grad(set_to_none=True)
        loss.backward()
        self.optimisers["sgd"].step()
        return {"nats": loss.item()}

    def finish(self, network: nn.Module, world: Dataset) -> None:
        pass


def score_scaling(network: Any, world: Dataset, *place: Any) -> dict[str, float]:
    return {"nats": float(network.log_prob(world.test.take_batch(range(10))[0]).mean())}


@pytest.fixture
def store(small_world: Path, tmp_path: Path) -> Store:
    """A store without a flow."""
    shutil.copytree(small_world, tmp_path / "checkpoints")
    (tmp_path / "checkpoints" / "digits-glow.safetensors").unlink()
    return Store(tmp_path / "checkpoints", "cpu")


@pytest.fixture
def brought(store: Store) -> Workspace:
    """A workspace to which somebody has brought a latent model with a density."""
    store.add("mine", Scaling().requires_grad_(False))
    return Workspace(store)


@pytest.fixture
def session(brought: Workspace) -> Session:
    there = choose_networks(brought, open_world(brought, "digits"), model="mine")
    return apply_move(brought, there, Noise(epsilon=2.0))


def test_the_table_orders_classifiers_as_they_are_offered_and_trusted() -> None:
    assert list_stored_kinds() == ["glow", "vae", "stylegan2", "airbench", "resnet18", "resnet20", "resnet"]
    assert list_classifier_kinds() == ["airbench", "resnet18", "resnet20", "resnet"]
    assert list_judge_kinds() == ["resnet20", "airbench", "resnet18", "resnet"]


def test_samples_of_a_map_are_shown_after_those_of_a_flow() -> None:
    assert rank_drawing("stylegan2", {"stride": 4}) < rank_drawing("glow", {}) < rank_drawing("stylegan2", {})


def test_an_added_kind_is_fitted_listed_named_and_moved_in(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    row = ModelKind(Scaling, "Scaling", "One number.", fitter=ScalingFitter, scorer=score_scaling)
    monkeypatch.setitem(KINDS, "scaling", row)
    card = fit("scaling", "digits", store.folder / "digits-scaling.safetensors", steps=2, device="cpu")
    assert card.scores.keys() == {"nats"}
    store.rescan_folders()
    assert "digits-scaling" in store.list_models("digits")
    assert isinstance(store.load("digits-scaling"), LatentModel | DensityModel)
    workspace = Workspace(store)
    assert workspace.find_density_model("digits") == "digits-scaling"
    assert describe_model(workspace, "digits-scaling") == ("Scaling", "One number.")
    picture = Image.new("RGB", (40, 40), "red")
    moved = move_once(workspace, [picture], "digits-scaling", "", 0, Noise(epsilon=1.0))
    assert moved.result.prediction.bits is not None
    assert "Scaling" in draw_models(workspace, choose_networks(workspace, open_world(workspace, "digits")))
    assert Augmentation("noise", {}, "digits-scaling").choose_space("digits") == "digits-scaling"
    with pytest.raises(Exception, match="eye"):
        fit(
            "scaling", "digits", store.folder / "x.safetensors", steps=1, eye=store.folder / "digits-resnet.safetensors"
        )


def test_a_model_that_was_brought_goes_by_its_own_name(brought: Workspace, session: Session) -> None:
    assert describe_model(brought, "mine")[0] == "mine"
    assert shorten_model_name(brought, "mine", "digits") == "mine"
    assert "mine" in draw_models(brought, session)
    assert "Pixels: the identity" not in draw_stage(brought, session)
    assert brought.draw_sample("mine", 3, 0.5).origin == "drawn from mine, seed 3, T 0.5"


def test_the_density_of_a_model_that_was_brought_is_used(brought: Workspace, session: Session) -> None:
    assert brought.find_density_model("digits") == "mine"
    bits = session.result.prediction.bits
    assert bits == pytest.approx(brought.measure_bits("mine", session.result.image)[0])
    path = session.result.tool.make_path()
    assert path is not None
    assert all(said.bits is not None for said in predict_path(brought, session, path).predictions)


def test_a_space_with_a_density_goes_before_the_flow_of_the_world(small_world: Path) -> None:
    store = Store(small_world, "cpu")
    store.add("mine", Scaling().requires_grad_(False))
    workspace = Workspace(store)
    assert workspace.find_density_model("digits") == "digits-glow"
    assert workspace.find_density_model("digits", "mine") == "mine"
    assert workspace.find_density_model("digits", "digits-vae") == "digits-glow"


def test_a_model_that_was_brought_is_moved_in_over_http_and_taken_home(brought: Workspace, session: Session) -> None:
    moved = move_once(brought, [Image.new("RGB", (50, 40), "blue")], "mine", "", 0, Noise(epsilon=1.0))
    assert (moved.world, moved.model) == ("digits", "mine")
    data = export_png(brought, session)
    assert Image.open(io.BytesIO(data)).size == (32, 32)
    restored = restore_png(brought, open_world(brought, "digits"), data)
    assert restored is not None
    assert restored.model == "mine"
    assert images.to_pillow(restored.result.image[0]).tobytes() == images.to_pillow(session.result.image[0]).tobytes()
    assert 'store.add("mine", …)' in export_python(brought, session)


def test_two_models_without_tensors_are_told_apart(store: Store) -> None:
    class Plain:
        image_shape = SHAPE
        encode, decode, sample = Scaling().encode, Scaling().decode, Scaling().sample

    store.add("one", Plain())
    store.add("two", Plain())
    assert store.digest("one") != store.digest("two")
