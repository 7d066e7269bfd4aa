"""The autoencoder's shapes, units and size."""

import pytest
import torch

from core.config import SpectrogramConfig, TrainingConfig
from core.model.vae import VAE


def model(chunk_duration_s: float = 1.0, latent_dim: int = 16) -> VAE:
    config = TrainingConfig(chunk_duration_s=chunk_duration_s, latent_dim=latent_dim)
    torch.manual_seed(0)
    return VAE(config.model_config(SpectrogramConfig()))


@pytest.mark.parametrize("chunk_duration_s", [0.25, 0.3, 0.5, 1.0, 1.7, 2.0, 3.3, 4.0])
def test_any_chunk_duration_comes_back_in_its_own_shape(chunk_duration_s: float) -> None:
    vae = model(chunk_duration_s)
    frames = SpectrogramConfig().frames(round(48_000 * chunk_duration_s))
    log_mel = torch.rand(2, 1, 128, frames)
    output = vae(log_mel, torch.randn(2, 16))
    assert output.reconstruction.shape == log_mel.shape
    assert output.mean.shape == output.log_variance.shape == (2, 16)


@pytest.mark.parametrize("chunk_duration_s", [0.25, 1.0, 4.0])
@pytest.mark.parametrize("latent_dim", [2, 64])
def test_the_number_of_weights_is_known_beforehand(chunk_duration_s: float, latent_dim: int) -> None:
    vae = model(chunk_duration_s, latent_dim)
    assert sum(weight.numel() for weight in vae.parameters()) == vae.config.parameter_count


def test_the_default_model_has_about_three_million_weights() -> None:
    assert 2.5e6 < model(1.0, 64).config.parameter_count < 4e6


def test_normalisation_is_inside_and_part_of_the_state() -> None:
    vae = model().eval()
    log_mel = torch.rand(2, 1, 128, 94)
    latent = torch.randn(2, 16)
    mean, plain = vae.encode(log_mel)[0], vae.decode(latent)
    vae.set_normalisation(torch.full((128,), 5.0), torch.tensor(3.0))
    assert torch.allclose(vae.encode(3 * log_mel + 5)[0], mean, atol=1e-4)
    assert torch.allclose(vae.decode(latent), 3 * plain + 5, atol=1e-4)
    again = model()
    again.load_state_dict(vae.state_dict())
    assert float(again.scale) == 3.0


def test_noise_moves_the_reconstruction_and_its_absence_does_not() -> None:
    vae = model().eval()
    log_mel = torch.rand(1, 1, 128, 94)
    at_mean = vae(log_mel, torch.zeros(1, 16)).reconstruction
    assert torch.equal(at_mean, vae.decode(vae.encode(log_mel)[0]))
    assert not torch.equal(at_mean, vae(log_mel, torch.ones(1, 16)).reconstruction)


def test_extreme_input_gives_a_finite_posterior() -> None:
    vae = model()
    for value in (0.0, 1e6, -1e6):
        mean, log_variance = vae.encode(torch.full((1, 1, 128, 94), value))
        assert torch.isfinite(mean).all()
        assert torch.isfinite(log_variance.exp()).all()


def test_every_weight_gets_a_gradient() -> None:
    vae = model()
    output = vae(torch.rand(2, 1, 128, 94), torch.randn(2, 16))
    (output.reconstruction.square().mean() + output.mean.sum() + output.log_variance.sum()).backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in vae.parameters())
