"""The strongest directions of the latent space, against numpy's singular values."""

from pathlib import Path

import numpy as np
import pytest
import torch

from core.config import DIRECTIONS, ExploreSettings, MakingRequest, OutputSettings
from core.errors import ConfigError, SourceError
from core.runs import RunDirectory
from core.synthesis import load_bundle
from core.synthesis.latents import COARSE
from core.synthesis.making import Maker
from core.synthesis.space import LatentSpace

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def space(trained: RunDirectory) -> LatentSpace:
    return LatentSpace(load_bundle(trained.path))


def test_directions_are_the_principal_components_of_the_coarse_latents(space: LatentSpace) -> None:
    means = space.bundle.latents.means[:, :COARSE].double().numpy()
    deviations = np.linalg.svd(means - means.mean(0), compute_uv=False) / (len(means) - 1) ** 0.5
    lengths = space.directions.norm(dim=1).double().numpy()
    count = min(DIRECTIONS, len(means) - 1)
    assert lengths[:count] == pytest.approx(deviations[:count], rel=1e-4)
    crossed = space.directions @ space.directions.T
    assert torch.allclose(crossed, torch.diag(crossed.diag()), atol=1e-4)


def test_places_are_in_deviations(space: LatentSpace) -> None:
    count = min(DIRECTIONS, len(space.points) - 1)
    assert torch.allclose(space.points[:, :count].std(0), torch.ones(count), atol=1e-3)
    assert torch.allclose(space.points[:, :count].mean(0), torch.zeros(count), atol=1e-3)


def test_moved_sound_lies_where_it_was_moved_to(space: LatentSpace) -> None:
    settings = ExploreSettings(base=2, d1=0.5, d3=-1.0)
    sound = space.sound(settings)
    latents = space.bundle.latents
    lengths = space.directions.square().sum(1).clamp_min(1e-12)
    place = (sound.latent - latents.means.mean(0)) @ space.directions.T / lengths
    expected = space.points[1] + torch.tensor(settings.offsets)
    assert torch.allclose(place[0, :4], expected[:4], atol=1e-3)
    assert torch.equal(sound.latent[0, COARSE:], latents.means[1, COARSE:])


def test_map_names_the_training_sounds(space: LatentSpace) -> None:
    described = space.describe()
    assert len(described.points) == len(described.names) == len(space.bundle.latents)
    assert all(name.startswith("hit-") for name in described.names)
    assert len(described.labels) == DIRECTIONS


@pytest.mark.parametrize("settings", [{"d1": 9.0}, {"d8": float("nan")}, {"base": 0}])
def test_places_outside_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="must be"):
        ExploreSettings(**settings)  # type: ignore[arg-type]


def test_base_that_is_no_training_sound_is_refused(trained: RunDirectory, tmp_path: Path) -> None:
    maker = Maker(trained.path, device="cpu")
    with pytest.raises(SourceError, match="There is no training sound #99; this model has 8"):
        list(maker.make(MakingRequest(ExploreSettings(base=99)), OutputSettings(), tmp_path))
