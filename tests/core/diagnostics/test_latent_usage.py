"""Latents that carry nothing, and dimensions to spare."""

import pytest
import torch

from core.diagnostics.latent_usage import collapse_warning, spare_warning


def latents(*nats: float) -> torch.Tensor:
    return torch.tensor(nats)


def test_collapse_is_reported_when_no_dimension_carries_half_a_nat() -> None:
    assert "posterior collapse" in collapse_warning(torch.full((64,), 0.4)).lower()  # 25.6 nats in all
    assert collapse_warning(latents(0.0, 0.51, 0.0, 0.0)) == ""
    assert collapse_warning(latents(0.0, 0.49, 0.0, 0.0))
    assert collapse_warning(torch.full((64,), 0.5)) == ""


def test_a_dimension_to_spare_is_reported_when_more_than_half_are() -> None:
    used, unused = [2.0], [0.09]
    assert spare_warning(latents(*7 * unused, *9 * used)) == ""
    assert spare_warning(latents(*8 * unused, *8 * used)) == ""
    message = spare_warning(latents(*9 * unused, *7 * used))
    assert message.startswith("More than half of the 16 latent dimensions carry next to nothing")
    assert "in a new run, latent_dim=8 would do" in message


def test_more_unused_dimensions_do_not_change_the_message() -> None:
    kl = torch.full((16,), 2.0)
    kl[:9] = 0.05
    first = spare_warning(kl)
    kl[:12] = 0.01
    assert spare_warning(kl, is_active=True) == first


def test_two_dimensions_are_the_fewest_that_are_suggested() -> None:
    assert "latent_dim=2 would do" in spare_warning(latents(0.0, 0.0, 1.0))


def test_a_model_at_the_limit_does_not_make_warnings_come_and_go() -> None:
    assert collapse_warning(latents(0.55, 0.0), is_active=True)
    assert not collapse_warning(latents(0.61, 0.0), is_active=True)
    assert spare_warning(latents(0.14, 0.14, 1.0), is_active=True)
    assert not spare_warning(latents(0.14, 0.14, 1.0))
    assert not spare_warning(latents(0.16, 0.16, 1.0), is_active=True)


@pytest.mark.parametrize("is_active", [False, True])
def test_numbers_that_are_none_report_nothing(is_active: bool) -> None:
    nothing = torch.full((4,), float("nan"))
    assert collapse_warning(nothing, is_active) == spare_warning(nothing, is_active) == ""
