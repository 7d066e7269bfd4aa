"""New sounds that repeat training sounds."""

import math
from dataclasses import replace

import pytest
import torch

from core.config import SpectrogramConfig, TrainingConfig
from core.diagnostics.memorisation import memorisation_warning, nearness
from core.model import VAE, build_model
from core.model.reconstruction import reconstruct
from core.synthesis.latents import LatentDistribution, fit_latents

CONFIG = TrainingConfig(chunk_duration_s=0.25, latent_dim=4)


def sounds(count: int, seed: int) -> torch.Tensor:
    """Log-mel spectrograms that lie near a plane of four dimensions."""
    plane = torch.randn(4, 128 * 24, generator=torch.Generator().manual_seed(0))
    draws = torch.Generator().manual_seed(seed)
    noise = 0.01 * torch.randn(count, 128 * 24, generator=draws)
    return (torch.randn(count, 4, generator=draws) @ plane + noise).view(count, 1, 128, 24) + 8


@pytest.fixture
def model() -> VAE:
    torch.manual_seed(0)
    vae = build_model(CONFIG.resolved(1).model_config(SpectrogramConfig())).eval()
    vae.initialise(sounds(200, 1), torch.Generator().manual_seed(0))
    return vae


def new_sounds(model: VAE, fitted: LatentDistribution) -> torch.Tensor:
    with torch.no_grad():
        return model.decode(fitted.draw(64, torch.Generator().manual_seed(0)).latents)


@pytest.mark.slow
def test_sounds_of_the_same_kind_are_as_new_as_held_out_ones(model: VAE) -> None:
    train, held_out = reconstruct(model, sounds(200, 1)), reconstruct(model, sounds(100, 2))
    found = nearness(new_sounds(model, fit_latents(train)), train, held_out)
    assert 0.6 < found < 1.4
    assert memorisation_warning(found) == ""


@pytest.mark.slow
def test_copies_of_training_sounds_are_reported(model: VAE) -> None:
    train, held_out = reconstruct(model, sounds(200, 1)), reconstruct(model, sounds(100, 2))
    copies = replace(fit_latents(train), bandwidth=0.02)
    found = nearness(new_sounds(model, copies), train, held_out)
    assert found < 0.2
    assert "New sounds repeat training sounds" in memorisation_warning(found)


def test_warning_has_hysteresis() -> None:
    assert memorisation_warning(0.33) == ""
    assert memorisation_warning(0.33, is_active=True) == memorisation_warning(0.1)
    assert memorisation_warning(0.4, is_active=True) == ""


def test_without_held_out_sounds_nothing_is_reported(model: VAE) -> None:
    train = reconstruct(model, sounds(50, 1))
    found = nearness(new_sounds(model, fit_latents(train)), train, train)
    assert math.isnan(found)
    assert memorisation_warning(found) == ""


def test_copies_are_copies_with_any_amount_of_detail(model: VAE) -> None:
    """What a model leaves out of a sound must not make its copy new."""
    train, held_out = (
        reconstruct(model, sounds(60, seed) + 2 * torch.rand(60, 1, 128, 24)) for seed in (1, 2)
    )
    for detail in (0.0, 0.5, 1.0):
        copies = train.decoded + detail * (train.log_mel - train.decoded)
        assert nearness(copies[:20], train, held_out, detail) < 0.01
    assert nearness(held_out.log_mel, train, held_out, 1.0) == pytest.approx(1.0)
