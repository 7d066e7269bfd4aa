"""The losses against closed forms and torch.distributions."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from core.model.losses import (
    SMALLEST_MSE,
    active_dimensions,
    calibrated_losses,
    gaussian_kl,
    losses,
    mse_losses,
)

DRAWS = torch.Generator().manual_seed(0)


def test_kl_equals_torch_distributions() -> None:
    mean = 3 * torch.randn(50, 8, generator=DRAWS)
    log_variance = 2 * torch.randn(50, 8, generator=DRAWS)
    expected = kl_divergence(Normal(mean, (log_variance / 2).exp()), Normal(0.0, 1.0))
    assert torch.allclose(gaussian_kl(mean, log_variance), expected, rtol=1e-4, atol=1e-5)
    assert float(gaussian_kl(torch.zeros(1), torch.zeros(1))) == 0


def test_calibrated_loss_is_the_elbo_of_a_gaussian_decoder_at_its_best_variance() -> None:
    """Up to the constant (1 + log 2π)/2, per element; compared with a log-likelihood from torch."""
    target, output = torch.randn(2, 6, 1000, generator=DRAWS), torch.randn(2, 6, 1000, generator=DRAWS)
    squared_error = (target - output).square().mean()
    kl = torch.rand(2, 4, generator=DRAWS) + 1
    found = calibrated_losses(squared_error, kl, elements=6000, kl_weight=1.0, free_bits=0.0)
    likelihood = Normal(output, squared_error.sqrt()).log_prob(target).sum(dim=(1, 2)).mean()
    elbo = likelihood - kl.sum(1).mean()
    assert float(found.total) == pytest.approx(
        -float(elbo) / 6000 - (1 + math.log(2 * math.pi)) / 2, abs=1e-3
    )


def test_mse_loss_is_mean_squared_error_plus_summed_kl() -> None:
    kl = torch.tensor([[0.1, 2.0], [0.3, 0.1]])
    found = mse_losses(torch.tensor(0.7), kl, kl_weight=0.5, free_bits=0.0)
    assert float(found.kl) == pytest.approx((2.1 + 0.4) / 2)
    assert float(found.total) == pytest.approx(0.7 + 0.5 * 1.25)


def test_free_bits_hold_for_the_batch_or_for_each_sample() -> None:
    kl = torch.tensor([[0.1, 2.0], [0.3, 0.0]])
    calibrated = calibrated_losses(torch.tensor(1.0), kl, elements=10, kl_weight=1.0, free_bits=0.5)
    assert float(calibrated.kl) == pytest.approx((0.5 + 1.0) / 10)
    mse = mse_losses(torch.tensor(1.0), kl, kl_weight=1.0, free_bits=0.5)
    assert float(mse.kl) == pytest.approx((0.5 + 2.0 + 0.5 + 0.5) / 2)


def test_free_bits_remove_the_gradient_of_a_dimension_below_them() -> None:
    mean = torch.full((4, 2), 0.1, requires_grad=True)
    kl = gaussian_kl(mean, torch.zeros(4, 2))
    calibrated_losses(torch.tensor(1.0), kl, elements=10, kl_weight=1.0, free_bits=0.5).total.backward()
    assert mean.grad is not None
    assert not mean.grad.any()


@pytest.mark.parametrize("kind", ["calibrated", "mse"])
def test_the_total_is_the_sum_of_its_parts(kind: str) -> None:
    found = losses(kind, torch.tensor(0.3), torch.rand(3, 5), 100, 0.25, 0.1)
    assert float(found.total) == pytest.approx(float(found.reconstruction) + 0.25 * float(found.kl))


def test_the_loss_of_a_perfect_reconstruction_is_finite() -> None:
    found = calibrated_losses(torch.tensor(0.0), torch.zeros(1, 2), 10, 1.0, 0.0)
    assert float(found.total) == pytest.approx(math.log(SMALLEST_MSE) / 2)


def test_active_dimensions_are_counted() -> None:
    assert active_dimensions(torch.tensor([0.0, 0.09, 0.11, 3.0])) == 2
