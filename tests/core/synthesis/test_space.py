"""The strongest directions of the latent space, against numpy's singular values."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from core.config import DIRECTIONS, ExploreSettings, MakingRequest, OutputSettings
from core.errors import ConfigError, SourceError
from core.runs import RunDirectory
from core.synthesis import load_bundle
from core.synthesis.directions import LatentDirections, strongest_directions
from core.synthesis.making import Maker
from core.synthesis.space import LatentSpace

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def space(trained: RunDirectory) -> LatentSpace:
    return LatentSpace(load_bundle(trained.path))


def test_directions_are_those_along_which_decoded_sounds_differ_most(space: LatentSpace) -> None:
    bundle = space.bundle
    decoded = bundle.decode(bundle.latents.means).flatten(1).double().numpy()
    _, sizes, rows = np.linalg.svd(decoded - decoded.mean(0), full_matrices=False)
    count = min(DIRECTIONS, len(decoded) - 1)
    places = (decoded - decoded.mean(0)) @ rows.T / (sizes / len(decoded) ** 0.5)
    for number in range(3):  # the strongest: up to their sign, they are where numpy has them
        alike = np.corrcoef(space.points[:, number].numpy(), places[:, number])[0, 1]
        assert abs(alike) > 0.98
    assert not space.directions[count:].any()


def test_places_are_in_deviations(space: LatentSpace) -> None:
    count = min(DIRECTIONS, len(space.points) - 1)
    deviations = space.points[:, :count].std(0, correction=0)
    assert deviations.numpy() == pytest.approx(1.0, abs=0.05)
    assert torch.allclose(space.points.mean(0), torch.zeros(DIRECTIONS), atol=1e-3)


def test_moved_sound_lies_where_it_was_moved_to(space: LatentSpace) -> None:
    settings = ExploreSettings(base=2, d1=0.5, d3=-1.0)
    place = space.places(space.sound(settings).latent)[0]
    expected = space.points[1] + torch.tensor(settings.offsets)
    assert torch.allclose(place, expected, atol=1e-3)


def test_map_names_the_training_sounds(space: LatentSpace) -> None:
    described = space.describe(space.bundle.latents.means[:3])
    assert len(described.points) == len(described.names) == len(space.bundle.latents)
    assert all(name.startswith("hit-") for name in described.names)
    assert len(described.labels) == DIRECTIONS
    for made, point in zip(described.made, described.points, strict=False):
        assert made == pytest.approx(point[:2], abs=1e-3)


@pytest.mark.parametrize("settings", [{"d1": 9.0}, {"d8": float("nan")}, {"base": 0}])
def test_places_outside_are_refused(settings: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="must be"):
        ExploreSettings(**settings)  # type: ignore[arg-type]


def test_base_that_is_no_training_sound_is_refused(trained: RunDirectory, tmp_path: Path) -> None:
    maker = Maker(trained.path, device="cpu")
    with pytest.raises(SourceError, match="There is no training sound #99; this model has 8"):
        list(maker.make(MakingRequest(ExploreSettings(base=99)), OutputSettings(), tmp_path))


def test_directions_are_found_once_however_many_places_sound(
    trained: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[int] = []

    def count(*arguments: Any) -> LatentDirections:
        found.append(1)
        return strongest_directions(*arguments)

    monkeypatch.setattr("core.synthesis.bundle.strongest_directions", count)
    maker = Maker(trained.path, device="cpu")
    maker.map_space()
    for step in range(3):
        list(maker.make(MakingRequest(ExploreSettings(d1=step / 4)), OutputSettings(), tmp_path))
    assert len(found) == 1
