"""Measuring a model on fixed chunks."""

import pytest
import torch

from core.config import SpectrogramConfig, TrainingConfig
from core.diagnostics.evaluation import Evaluation, blur_warning, evaluate, file_errors
from core.model import VAE, build_model
from core.model.convolutional import ConvolutionalVAE
from core.model.reconstruction import reconstruct

CONFIG = TrainingConfig(model="convolutional", chunk_duration_s=0.25, latent_dim=4, dropout=0.5)


@pytest.fixture
def model() -> VAE:
    torch.manual_seed(0)
    vae = build_model(CONFIG.resolved(1).model_config(SpectrogramConfig()))
    vae.band_mean.fill_(0.5)
    vae.scale.fill_(0.3)
    return vae


@pytest.fixture
def log_mel() -> torch.Tensor:
    return torch.rand(7, 1, 128, 24, generator=torch.Generator().manual_seed(0))


def measure(model: VAE, log_mel: torch.Tensor, config: TrainingConfig = CONFIG) -> Evaluation:
    return evaluate(reconstruct(model, log_mel), model.scale, config)


def test_evaluation_does_not_depend_on_batch_size_dropout_or_time(
    model: VAE, log_mel: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for size in (1, 3, 7, 7):
        monkeypatch.setattr("core.model.reconstruction.BATCH", size)
        found.append(measure(model, log_mel))
    for other in found[1:]:
        assert other.loss == pytest.approx(found[0].loss, abs=1e-5)
        assert other.error == pytest.approx(found[0].error, abs=1e-5)
    assert found[2].loss == found[3].loss


def test_the_error_is_in_units_of_the_log_mel(model: VAE, log_mel: torch.Tensor) -> None:
    found = measure(model, log_mel)
    with torch.no_grad():
        reconstruction = model.decode(model.encode(log_mel)[0])
    assert found.error == pytest.approx(float((reconstruction - log_mel).square().mean().sqrt()), rel=1e-5)
    assert found.kl_per_dimension.shape == (4,)


def test_the_error_of_each_chunk_is_its_own(model: VAE, log_mel: torch.Tensor) -> None:
    alone = [measure(model, chunk).error for chunk in log_mel.split(1)]
    assert measure(model, log_mel).chunk_errors.tolist() == pytest.approx(alone, rel=1e-4)


def test_the_error_of_a_file_is_that_of_all_its_chunks() -> None:
    errors, files = torch.tensor([3.0, 1.0, 4.0, 2.0]), torch.tensor([0, 2, 0, 2])
    expected = (12.5**0.5, None, 2.5**0.5, None)  # files 1 and 3 have no chunk
    assert file_errors(errors, files, 4) == pytest.approx(expected)


class Echo(ConvolutionalVAE):
    """Gives back a quarter of what it is shown, and as rough a noise."""

    def encode(self, log_mel: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        noise = torch.randn(log_mel.shape, generator=torch.Generator().manual_seed(1))
        self.echo = 0.25 * log_mel + log_mel.std() * noise + 3
        return torch.zeros(len(log_mel), 4), torch.zeros(len(log_mel), 4)

    def decode(self, _: torch.Tensor) -> torch.Tensor:
        return self.echo


def test_detail_is_what_of_the_changes_is_given_back(log_mel: torch.Tensor) -> None:
    echo = Echo(CONFIG.resolved(1).model_config(SpectrogramConfig()))
    assert measure(echo, log_mel).detail == pytest.approx(0.25, abs=0.02)
    assert measure(echo, torch.ones(2, 1, 128, 24)).detail == 1


def test_blur_is_reported_with_advice() -> None:
    assert blur_warning(0.16) == ""
    assert blur_warning(float("nan")) == ""
    assert blur_warning(float("-inf"))
    assert blur_warning(0.149).startswith("Blurred: reconstructions give back little of the detail")
    assert blur_warning(0.16, is_active=True) == blur_warning(0.01)
    assert not blur_warning(0.19, is_active=True)


def test_evaluation_uses_the_final_kl_weight(model: VAE, log_mel: torch.Tensor) -> None:
    heavy = TrainingConfig(chunk_duration_s=0.25, latent_dim=4, kl_weight=5.0)
    found = measure(model, log_mel, heavy)
    assert found.loss == pytest.approx(found.reconstruction_loss + 5 * found.kl_loss, abs=1e-5)
