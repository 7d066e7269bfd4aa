"""The autoencoders' shapes, units, sizes and initialisation."""

import pytest
import torch

from core.config import SpectrogramConfig, TrainingConfig
from core.model import VAE, build_model, copy_model
from core.model.losses import gaussian_kl

KINDS = ("pca_unet", "convolutional")


def make(kind: str = "pca_unet", chunk_duration_s: float = 1.0, latent_dim: int = 16) -> VAE:
    config = TrainingConfig(model=kind, chunk_duration_s=chunk_duration_s, latent_dim=latent_dim)
    torch.manual_seed(0)
    return build_model(config.resolved(1).model_config(SpectrogramConfig()))


def draws(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(params=KINDS)
def vae(request: pytest.FixtureRequest) -> VAE:
    return make(request.param)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chunk_duration_s", [0.25, 0.3, 0.5, 1.0, 1.7, 2.0, 3.3, 4.0])
def test_reconstructions_have_the_shape_of_any_chunk_duration(kind: str, chunk_duration_s: float) -> None:
    vae = make(kind, chunk_duration_s)
    frames = SpectrogramConfig().frames(round(48_000 * chunk_duration_s))
    log_mel = torch.rand(2, 1, 128, frames)
    output = vae(log_mel, torch.randn(2, 16))
    assert output.reconstruction.shape == log_mel.shape
    assert output.mean.shape == output.log_variance.shape == (2, 16)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("chunk_duration_s", [0.25, 1.0, 4.0])
@pytest.mark.parametrize("latent_dim", [2, 64])
def test_parameter_counts_are_those_of_the_model(kind: str, chunk_duration_s: float, latent_dim: int) -> None:
    vae = make(kind, chunk_duration_s, latent_dim)
    assert sum(weight.numel() for weight in vae.parameters()) == vae.config.trained_count
    statistics = vae.band_mean.numel() + vae.scale.numel()
    assert sum(each.numel() for each in vae.state_dict().values()) - statistics == vae.config.parameter_count


def test_principal_components_are_trained_only_if_asked_for() -> None:
    fixed, trained = (
        build_model(
            TrainingConfig(latent_dim=4, chunk_duration_s=0.25, train_pca=choice)
            .resolved(1)
            .model_config(SpectrogramConfig())
        )
        for choice in (False, True)
    )
    linear = {f"{layer}.{part}" for layer in ("to_latent", "from_latent") for part in ("weight", "bias")}
    assert linear <= {name for name, _ in trained.named_parameters()}
    assert not linear & {name for name, _ in fixed.named_parameters()}
    assert fixed.state_dict().keys() == trained.state_dict().keys()
    assert trained.config.trained_count == trained.config.parameter_count
    fixed.load_state_dict(trained.state_dict())
    assert torch.equal(fixed.state_dict()["to_latent.weight"], trained.state_dict()["to_latent.weight"])


def test_a_copy_has_parameters_of_its_own_and_the_same_buffers(vae: VAE) -> None:
    copied = copy_model(vae)
    of_copy = [each.data_ptr() for each in copied.parameters()]
    assert not set(of_copy) & {each.data_ptr() for each in vae.parameters()}
    assert [each.data_ptr() for each in copied.buffers()] == [each.data_ptr() for each in vae.buffers()]


def test_all_weights_are_in_one_group_each(vae: VAE) -> None:
    grouped = [weight for group in vae.parameter_groups() for weight in group.parameters]
    assert len(grouped) == len(set(map(id, grouped)))
    assert set(map(id, grouped)) == set(map(id, vae.parameters()))


def test_normalisation_is_part_of_the_state(vae: VAE) -> None:
    vae.eval()
    log_mel = torch.rand(2, 1, 128, 94)
    latent = torch.randn(2, 16)
    mean, plain = vae.encode(log_mel)[0], vae.decode(latent)
    vae.band_mean.fill_(5.0)
    vae.scale.fill_(3.0)
    assert torch.allclose(vae.encode(3 * log_mel + 5)[0], mean, atol=1e-4)
    assert torch.allclose(vae.decode(latent), 3 * plain + 5, atol=1e-4)
    again = make("pca_unet" if hasattr(vae, "refiner") else "convolutional")
    again.load_state_dict(vae.state_dict())
    assert float(again.scale) == 3.0


def test_normalisation_is_the_mean_of_each_band_and_one_deviation(vae: VAE) -> None:
    log_mel = torch.rand(40, 1, 128, 94, generator=draws()) * 2 + torch.arange(128.0).view(1, 1, 128, 1)
    vae.initialise(log_mel, draws())
    assert torch.allclose(vae.band_mean.squeeze(), log_mel.mean(dim=(0, 1, 3)))
    assert float(vae.scale) == pytest.approx(float((log_mel - vae.band_mean).square().mean().sqrt()))


def test_a_constant_dataset_is_not_amplified(vae: VAE) -> None:
    log_mel = torch.full((8, 1, 128, 94), 3.0)
    vae.initialise(log_mel, draws())
    output = vae.eval()(log_mel, torch.zeros(8, 16))
    assert float(vae.scale) >= 0.05
    assert torch.isfinite(output.reconstruction).all()


def test_the_encoder_corrects_its_latents_by_the_residual() -> None:
    """Latents follow a decoder that differs from the initial PCA."""
    vae = make("pca_unet")
    log_mel = torch.randn(60, 1, 128, 94, generator=draws()) + 3
    vae.initialise(log_mel, draws(1))
    with torch.no_grad():
        vae.from_latent.bias += 0.3 * vae.from_latent.weight.sum(1)
    missed = {}
    with torch.no_grad():
        for is_training in (True, False):
            vae.train(is_training)
            mean, _ = vae.encode(log_mel)
            missed[is_training] = (vae.decode(mean) - log_mel).square().mean()
        uncorrected = vae.to_latent(((log_mel - vae.band_mean) / vae.scale).flatten(1))
        without = (vae.decode(uncorrected) - log_mel).square().mean()
    assert missed[False] < missed[True] < without


@pytest.mark.slow
@torch.no_grad()
def test_pca_unet_starts_as_principal_components() -> None:
    vae = make("pca_unet").eval()
    directions = torch.linalg.qr(torch.randn(128 * 94, 16, generator=draws(1))).Q
    latents = torch.randn(400, 16, generator=draws(2)) * torch.linspace(90, 30, 16)
    log_mel = (latents @ directions.T).view(400, 1, 128, 94) + 0.1 * torch.randn(
        400, 1, 128, 94, generator=draws(3)
    )
    vae.initialise(log_mel, draws(4))
    mean, log_variance = vae.encode(log_mel)
    error = (vae.decode(mean) - log_mel).square().mean().sqrt()
    assert error < 0.11  # the noise that was added
    assert torch.allclose((mean.square() + log_variance.exp()).mean(0), torch.ones(16), atol=0.1)
    covariance = mean.T @ mean / 400
    assert (covariance - covariance.diag().diag()).abs().max() < 0.02


def test_directions_without_variance_stay_unused() -> None:
    vae = make("pca_unet").eval()
    few = torch.rand(3, 1, 128, 94, generator=draws())  # of 16 dimensions they fill two
    vae.initialise(few.repeat(20, 1, 1, 1), draws())
    mean, log_variance = vae.encode(3 * torch.rand(4, 1, 128, 94, generator=draws(1)))
    kl = gaussian_kl(mean, log_variance).mean(0)
    assert int((kl > 0.1).sum()) == 2
    assert mean.abs().max() < 50


def test_zero_noise_reconstructs_from_the_posterior_mean(vae: VAE) -> None:
    vae.eval()
    log_mel = torch.rand(1, 1, 128, 94)
    at_mean = vae(log_mel, torch.zeros(1, 16)).reconstruction
    assert torch.equal(at_mean, vae.decode(vae.encode(log_mel)[0]))
    assert not torch.equal(at_mean, vae(log_mel, torch.ones(1, 16)).reconstruction)


def test_extreme_input_gives_a_finite_posterior(vae: VAE) -> None:
    for value in (0.0, 1e6, -1e6):
        mean, log_variance = vae.encode(torch.full((1, 1, 128, 94), value))
        assert torch.isfinite(mean).all()
        assert torch.isfinite(log_variance.exp()).all()


def test_every_weight_gets_a_gradient(vae: VAE) -> None:
    if hasattr(vae, "refiner"):  # its corrections start at 0, and so do the gradients behind them
        for weight in vae.refiner.parameters():
            torch.nn.init.normal_(weight, std=0.1)
    output = vae(torch.rand(2, 1, 128, 94), torch.randn(2, 16))
    (output.reconstruction.square().mean() + output.mean.sum() + output.log_variance.sum()).backward()
    assert all(weight.grad is not None and weight.grad.abs().sum() > 0 for weight in vae.parameters())
