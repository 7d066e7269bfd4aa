"""The distribution of a dataset's latents."""

import pytest
import torch

from core.config import SpectrogramConfig, TrainingConfig
from core.errors import Cancelled
from core.model import VAE, build_model
from core.model.latents import BANDWIDTH, fit_latents


@pytest.fixture
def model() -> VAE:
    torch.manual_seed(0)
    return build_model(TrainingConfig(chunk_duration_s=0.25, latent_dim=4).model_config(SpectrogramConfig()))


def sounds(count: int) -> torch.Tensor:
    draws = torch.Generator().manual_seed(1)
    return 5 + 3 * torch.randn(count, 1, 128, 24, generator=draws)


def test_draws_have_the_mean_and_covariance_of_the_aggregated_posterior(model: VAE) -> None:
    log_mel = sounds(300)
    fitted = fit_latents(model, log_mel, 64)
    with torch.no_grad():
        mean, log_variance = model.encode(log_mel)
    noise = BANDWIDTH**2 * log_variance.exp().mean(0).diag()
    expected = torch.cov(mean.T) + noise
    draws = torch.Generator().manual_seed(2)
    placed = fitted.place(torch.rand(200_000, generator=draws), torch.randn(200_000, 4, generator=draws))
    scale = float(expected.abs().max())
    assert torch.allclose(placed.mean(0), mean.mean(0), atol=0.02 * scale**0.5)
    assert torch.allclose(torch.cov(placed.T), expected, atol=0.02 * scale)


def test_a_pick_stays_near_its_sound(model: VAE) -> None:
    log_mel = torch.cat([sounds(2), 40 + sounds(2)])
    fitted = fit_latents(model, log_mel, 64)
    placed = fitted.place(torch.tensor([0.0, 0.99, 1.0]), torch.zeros(3, 4))
    nearest = torch.cdist(placed, fitted.means).argmin(1)
    assert nearest.tolist() == [0, 3, 3]


@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_chunks_are_enough(model: VAE, count: int) -> None:
    fitted = fit_latents(model, sounds(count), 64)
    assert torch.isfinite(fitted.place(torch.rand(3), torch.randn(3, 4))).all()


def test_it_is_cancelled(model: VAE) -> None:
    with pytest.raises(Cancelled):
        fit_latents(model, sounds(2), 1, lambda: True)
