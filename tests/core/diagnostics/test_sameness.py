"""New sounds that are all the same."""

import math

import pytest
import torch

from core.diagnostics.sameness import diversity, mean_distance, sameness_warning
from core.model.reconstruction import Reconstruction


def sounds(count: int, deviation: float, seed: int = 0) -> torch.Tensor:
    draws = torch.Generator().manual_seed(seed)
    return 3 + deviation * torch.randn(count, 1, 128, 24, generator=draws)


def given(log_mel: torch.Tensor) -> Reconstruction:
    """Sounds that a model makes one sound of."""
    none = torch.zeros(len(log_mel), 2)
    return Reconstruction(log_mel, none, none, torch.zeros_like(log_mel))


def test_the_mean_distance_is_that_of_all_pairs() -> None:
    points = torch.tensor([[0.0, 0.0], [3.0, 4.0], [3.0, 0.0]])
    assert mean_distance(points) == pytest.approx((5 + 3 + 4) / 3)


def test_new_sounds_as_different_as_held_out_ones_have_a_diversity_of_one() -> None:
    found = diversity(sounds(64, 1.0), given(sounds(30, 1.0, 1)), given(sounds(20, 1.0, 2)))
    assert found == pytest.approx(1, abs=0.01)
    assert sameness_warning(found) == ""


def test_new_sounds_that_are_nearly_the_same_are_reported() -> None:
    found = diversity(sounds(64, 0.1), given(sounds(30, 1.0, 1)), given(sounds(20, 1.0, 2)))
    assert found == pytest.approx(0.1, abs=0.01)
    assert "New sounds are nearly all the same" in sameness_warning(found)


def test_new_sounds_need_not_differ_more_than_training_sounds_do() -> None:
    found = diversity(sounds(64, 0.2), given(sounds(30, 0.2, 1)), given(sounds(4, 1.0, 2)))
    assert found == pytest.approx(1, abs=0.01)


def test_a_side_of_one_sound_or_of_equal_ones_does_not_count() -> None:
    new, others = sounds(64, 0.5), given(sounds(30, 1.0, 1))
    for side in (given(sounds(1, 1.0)), given(sounds(5, 0.0))):
        assert diversity(new, others, side) == diversity(new, side, others) == pytest.approx(0.5, abs=0.01)
        assert math.isnan(diversity(new, side, side))
    assert sameness_warning(math.nan) == ""


def test_warning_of_sameness_has_hysteresis() -> None:
    assert sameness_warning(0.31) == ""
    assert sameness_warning(0.31, is_active=True) == sameness_warning(0.01)
    assert sameness_warning(0.37, is_active=True) == ""
