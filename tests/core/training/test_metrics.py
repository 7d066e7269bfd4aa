"""Measuring a model, and estimating the time left."""

import pytest
import torch

from core.config import SpectrogramConfig, TrainingConfig
from core.errors import Cancelled
from core.model import VAE, build_model
from core.training.metrics import RemainingTime, evaluate

CONFIG = TrainingConfig(model="convolutional", chunk_duration_s=0.25, latent_dim=4, dropout=0.5)


@pytest.fixture
def model() -> VAE:
    torch.manual_seed(0)
    vae = build_model(CONFIG.model_config(SpectrogramConfig()))
    vae.band_mean.fill_(0.5)
    vae.scale.fill_(0.3)
    return vae


@pytest.fixture
def log_mel() -> torch.Tensor:
    return torch.rand(7, 1, 128, 24, generator=torch.Generator().manual_seed(0))


def never() -> bool:
    return False


def test_evaluation_does_not_depend_on_batch_size_dropout_or_time(model: VAE, log_mel: torch.Tensor) -> None:
    found = [evaluate(model, log_mel, CONFIG, size, never) for size in (1, 3, 7, 7)]
    for other in found[1:]:
        assert other.loss == pytest.approx(found[0].loss, abs=1e-5)
        assert other.error == pytest.approx(found[0].error, abs=1e-5)
    assert found[2].loss == found[3].loss


def test_the_error_is_in_units_of_the_log_mel(model: VAE, log_mel: torch.Tensor) -> None:
    found = evaluate(model, log_mel, CONFIG, 7, never)
    with torch.no_grad():
        reconstruction = model.decode(model.encode(log_mel)[0])
    assert found.error == pytest.approx(float((reconstruction - log_mel).square().mean().sqrt()), rel=1e-5)
    assert found.kl_per_dimension.shape == (4,)


def test_evaluation_uses_the_final_kl_weight(model: VAE, log_mel: torch.Tensor) -> None:
    heavy = TrainingConfig(chunk_duration_s=0.25, latent_dim=4, kl_weight=5.0)
    found = evaluate(model, log_mel, heavy, 7, never)
    assert found.loss == pytest.approx(found.reconstruction_loss + 5 * found.kl_loss, abs=1e-5)


def test_evaluation_is_cancelled_between_batches(model: VAE, log_mel: torch.Tensor) -> None:
    answers = iter([False, True])
    with pytest.raises(Cancelled):
        evaluate(model, log_mel, CONFIG, 2, lambda: next(answers))


def test_time_left_is_steps_and_evaluations_without_outliers() -> None:
    remaining = RemainingTime()
    assert remaining.estimate_s(10, 1) is None
    for time_s in (9.0, 0.1, 0.1, 0.1, 0.1):  # the first step compiles and allocates
        remaining.add_step(time_s)
    remaining.add_evaluation(2.0)
    assert remaining.estimate_s(100, 3) == pytest.approx(100 * 0.1 + 3 * 2.0)
    assert remaining.estimate_s(0, 0) == 0


def test_a_run_that_goes_on_estimates_from_what_it_took_before() -> None:
    remaining = RemainingTime(step_time_s=0.2, evaluation_time_s=1.0)
    assert remaining.estimate_s(10, 2) == pytest.approx(4.0)
    remaining.add_step(0.1)
    assert remaining.estimate_s(10, 2) == pytest.approx(3.0)
