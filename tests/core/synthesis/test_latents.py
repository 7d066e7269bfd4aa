"""The distribution of a dataset's latents."""

from dataclasses import replace

import pytest
import torch

from core.config import SpectrogramConfig, TrainingConfig
from core.model import VAE, build_model
from core.model.reconstruction import reconstruct
from core.synthesis.latents import (
    BANDWIDTH,
    COARSE,
    SMALLEST_CLOSENESS,
    LatentDistribution,
    find_neighbourhoods,
    fit_latents,
    nearest_sounds,
)


@pytest.fixture
def model() -> VAE:
    torch.manual_seed(0)
    return build_model(
        TrainingConfig(chunk_duration_s=0.25, latent_dim=4).resolved(1).model_config(SpectrogramConfig())
    )


def sounds(count: int) -> torch.Tensor:
    draws = torch.Generator().manual_seed(1)
    return 5 + 3 * torch.randn(count, 1, 128, 24, generator=draws)


def test_draws_have_the_mean_and_covariance_of_kernels_around_the_sounds() -> None:
    means = torch.randn(100, 3, generator=torch.Generator().manual_seed(1)) * torch.tensor([1.0, 2.0, 0.1])
    deviation = torch.tensor([0.5, 0.1, 0.2])
    everyone = torch.arange(100).expand(100, 100)
    kernels = LatentDistribution(means, everyone, deviation, BANDWIDTH)
    drawn = kernels.draw(100_000, torch.Generator().manual_seed(2))
    of_sounds = torch.cov(means.T, correction=0)
    expected = (1 + BANDWIDTH**2) * of_sounds + deviation.square().diag()
    assert torch.allclose(drawn.latents.mean(0), means.mean(0), atol=0.03)
    assert torch.allclose(torch.cov(drawn.latents.T), expected, atol=0.03 * float(expected.max()))


def test_a_draw_names_the_sound_it_is_around_and_another_one_like_it() -> None:
    neighbours = torch.stack([torch.arange(kind, kind + 10).roll(-n) for kind in (0, 10) for n in range(10)])
    means = torch.arange(20.0).unsqueeze(1).repeat(1, COARSE + 1) * 100
    distribution = LatentDistribution(means, neighbours, torch.zeros(COARSE + 1), bandwidth=0.0)
    drawn = distribution.draw(2000, torch.Generator().manual_seed(0))
    assert torch.equal(drawn.latents[:, :COARSE], means[drawn.sources, :COARSE])
    assert torch.equal(drawn.latents[:, COARSE], means[drawn.partners, COARSE])
    ahead = (drawn.partners - drawn.sources) % 10
    assert torch.equal(drawn.sources < 10, drawn.partners < 10)
    assert set(drawn.sources.tolist()) == set(range(20))
    assert set(ahead.tolist()) == {1, 2, 3, 4}  # the nearest four, itself not among them


def test_only_the_coarse_latents_vary() -> None:
    means = torch.randn(20, COARSE + 8, generator=torch.Generator().manual_seed(0))
    distribution = LatentDistribution(means, torch.arange(20).expand(20, 20), torch.ones(COARSE + 8), 1.0)
    drawn = distribution.draw(100, torch.Generator().manual_seed(0))
    assert torch.equal(drawn.latents[:, COARSE:], means[drawn.partners, COARSE:])
    assert torch.cdist(drawn.latents[:, :COARSE], means[:, :COARSE]).min() > 1


def test_a_new_sound_varies_as_the_sounds_like_it_do(model: VAE) -> None:
    quiet, loud = sounds(30), 40 + sounds(30)
    loud[:, :, 64:] += 20 * torch.randn(30, 1, 1, 1, generator=torch.Generator().manual_seed(3))
    fitted = replace(fit_latents(reconstruct(model, torch.cat([quiet, loud]))), bandwidth=BANDWIDTH)
    quiet_means, loud_means = fitted.means[:30], fitted.means[30:]
    drawn = fitted.draw(400, torch.Generator().manual_seed(4)).latents
    is_quiet = torch.cdist(drawn, quiet_means).amin(1) < torch.cdist(drawn, loud_means).amin(1)
    for of_kind, means in ((drawn[is_quiet], quiet_means), (drawn[~is_quiet], loud_means)):
        ratio = torch.cov(of_kind.T).trace() / torch.cov(means.T).trace()
        assert 1.3 < ratio < 2.5  # as the sounds themselves do, and as their neighbours
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
        distribution = LatentDistribution(means, neighbours, torch.ones(4), 1.0)
        drawn = distribution.draw(8, torch.Generator().manual_seed(5)).latents
        near.append((torch.cdist(drawn, means).argmin(1) < 10).tolist())
    assert near[0] == near[1]
    assert set(near[0]) == {True, False}


@pytest.mark.parametrize("count", [1, 2])
def test_one_or_two_chunks_are_enough(model: VAE, count: int) -> None:
    fitted = fit_latents(reconstruct(model, sounds(count)))
    drawn = fitted.draw(3, torch.Generator().manual_seed(0)).latents
    assert torch.isfinite(drawn).all()
    assert torch.pdist(drawn).min() > 0


def kinds(count: int, spread: float) -> torch.Tensor:
    """So many pairs of sounds, whose second is `spread` as far from the first as two pairs are."""
    draws = torch.Generator().manual_seed(2)
    first = torch.randn(count, 1, 128, 24, generator=draws)
    return torch.cat([first, first + spread * torch.randn(count, 1, 128, 24, generator=draws)])


def test_of_a_few_sounds_new_ones_are_nearer_to_the_given_ones() -> None:
    many, few = find_neighbourhoods(kinds(80, 0.2)), find_neighbourhoods(kinds(8, 0.2))
    assert many.bandwidth == pytest.approx(0.925 * BANDWIDTH)
    assert few.bandwidth == BANDWIDTH / 4
    assert many.neighbours.shape == (160, 16)
    assert find_neighbourhoods(kinds(1, 0.2)).neighbours.shape == (2, 2)


def test_where_no_sound_is_like_another_new_ones_are_nearer_to_the_given_ones() -> None:
    twice, alike, less, not_at_all = (
        find_neighbourhoods(kinds(80, spread)).bandwidth for spread in (0.0, 0.5, 1.2, 50.0)
    )
    assert twice == alike
    assert alike == pytest.approx(0.925 * BANDWIDTH)
    assert 0.3 * alike < less < 0.9 * alike
    assert not_at_all == pytest.approx(SMALLEST_CLOSENESS * alike)
