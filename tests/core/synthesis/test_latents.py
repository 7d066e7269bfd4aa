"""The distribution of a dataset's latents."""

import pytest
import torch

from core.config import SpectrogramConfig, TrainingConfig
from core.model import VAE, build_model
from core.model.reconstruction import reconstruct
from core.synthesis.latents import BANDWIDTH, LatentDistribution, fit_latents, nearest_sounds


@pytest.fixture
def model() -> VAE:
    torch.manual_seed(0)
    return build_model(TrainingConfig(chunk_duration_s=0.25, latent_dim=4).model_config(SpectrogramConfig()))


def sounds(count: int) -> torch.Tensor:
    draws = torch.Generator().manual_seed(1)
    return 5 + 3 * torch.randn(count, 1, 128, 24, generator=draws)


def test_draws_have_the_mean_and_covariance_of_kernels_around_the_sounds() -> None:
    means = torch.randn(100, 3, generator=torch.Generator().manual_seed(1)) * torch.tensor([1.0, 2.0, 0.1])
    deviation = torch.tensor([0.5, 0.1, 0.2])
    everyone = torch.arange(100).expand(100, 100)
    drawn = LatentDistribution(means, everyone, deviation).draw(100_000, torch.Generator().manual_seed(2))
    of_sounds = torch.cov(means.T, correction=0)
    pulled, spread = 1 - BANDWIDTH**2 / 2, BANDWIDTH**2
    expected = pulled * of_sounds + spread * (of_sounds + deviation.square().diag())
    assert torch.allclose(drawn.mean(0), means.mean(0), atol=0.03)
    assert torch.allclose(torch.cov(drawn.T), expected, atol=0.03 * float(expected.max()))


def test_a_new_sound_varies_as_the_sounds_like_it_do(model: VAE) -> None:
    quiet, loud = sounds(30), 40 + sounds(30)
    loud[:, :, 64:] += 20 * torch.randn(30, 1, 1, 1, generator=torch.Generator().manual_seed(3))
    fitted = fit_latents(reconstruct(model, torch.cat([quiet, loud])))
    quiet_means, loud_means = fitted.means[:30], fitted.means[30:]
    drawn = fitted.draw(400, torch.Generator().manual_seed(4))
    is_quiet = torch.cdist(drawn, quiet_means).amin(1) < torch.cdist(drawn, loud_means).amin(1)
    for of_kind, means in ((drawn[is_quiet], quiet_means), (drawn[~is_quiet], loud_means)):
        ratio = torch.cov(of_kind.T).trace() / torch.cov(means.T).trace()
        assert 0.5 < ratio < 2
    assert 120 < int(is_quiet.sum()) < 280


def test_the_nearest_sound_of_each_is_itself_even_of_duplicates() -> None:
    twice = torch.cat([sounds(20), sounds(20)])
    nearest = nearest_sounds(twice, 2)
    assert torch.equal(nearest[:, 0], torch.arange(40))
    assert torch.equal(nearest[:, 1], (torch.arange(40) + 20) % 40)


def test_the_same_draws_are_near_the_same_sounds_whatever_the_model_makes_of_them() -> None:
    neighbours = torch.arange(20).view(2, 10).repeat_interleave(10, dim=0)  # two kinds of ten sounds
    near = []
    for seed in range(2):
        means = torch.randn(20, 4, generator=torch.Generator().manual_seed(seed))
        means[10:] += 20 + seed
        distribution = LatentDistribution(means, neighbours, torch.ones(4))
        drawn = distribution.draw(8, torch.Generator().manual_seed(5))
        near.append((torch.cdist(drawn, means).argmin(1) < 10).tolist())
    assert near[0] == near[1]
    assert set(near[0]) == {True, False}


@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_chunks_are_enough(model: VAE, count: int) -> None:
    drawn = fit_latents(reconstruct(model, sounds(count))).draw(3, torch.Generator().manual_seed(0))
    assert torch.isfinite(drawn).all()
    assert torch.pdist(drawn).min() > 0
