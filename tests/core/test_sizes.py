"""Latents, chunk duration, mel bands and width work together, from the spectrogram to its inversion."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from core.audio.inversion import MelInverter
from core.audio.spectrogram import LogMelSpectrogram
from core.config import SETTINGS, TrainingConfig
from core.config.sizes import MODELS
from core.errors import ConfigError
from core.model import build_model
from tests.sounds import tone

SIZES = [(2, 0.25, 64, 8), (32, 0.5, 80, 16), (64, 1.7, 96, 40), (128, 4.0, 160, 24), (512, 0.3, 128, 64)]


@pytest.mark.parametrize("kind", MODELS)
@pytest.mark.parametrize(("latent_dim", "chunk_duration_s", "mel_bands", "width"), SIZES)
def test_a_model_of_any_size_keeps_the_shape_of_the_spectrogram(
    kind: str, latent_dim: int, chunk_duration_s: float, mel_bands: int, width: int
) -> None:
    config = TrainingConfig(
        model=kind, latent_dim=latent_dim, chunk_duration_s=chunk_duration_s, mel_bands=mel_bands, width=width
    )
    sound = torch.from_numpy(tone(440.0, chunk_duration_s)).float().unsqueeze(0)
    log_mel = LogMelSpectrogram(config.spectrogram)(sound)
    model = build_model(config.resolved(1).model_config(config.spectrogram)).eval()
    assert log_mel.shape == (1, 1, mel_bands, model.config.n_frames)
    with torch.no_grad():
        assert model.decode(model.encode(log_mel)[0]).shape == log_mel.shape
    assert sum(weight.numel() for weight in model.parameters()) == model.config.trained_count


@pytest.mark.parametrize(
    ("kind", "parameters", "multiply_adds"),
    [("pca_unet", 1_995_568, 76_876_096), ("convolutional", 3_449_825, 123_024_512)],
)
def test_default_sizes_stay(kind: str, parameters: int, multiply_adds: int) -> None:
    config = TrainingConfig(model=kind, latent_dim=64)
    shape = config.resolved(1).model_config(config.spectrogram)
    assert (shape.parameter_count, shape.multiply_adds) == (parameters, multiply_adds)


@pytest.mark.parametrize("mel_bands", [64, 96, 160])
def test_a_sound_is_inverted_from_any_number_of_bands(mel_bands: int) -> None:
    spectrogram = replace(TrainingConfig().spectrogram, n_mels=mel_bands)
    sound = torch.from_numpy(tone(440.0, 0.5)).float().unsqueeze(0)
    to_log_mel = LogMelSpectrogram(spectrogram)
    log_mel = to_log_mel(sound)
    again = to_log_mel(MelInverter(spectrogram)(log_mel[0], 24_000, [torch.Generator().manual_seed(0)]))
    assert (again - log_mel).square().mean().sqrt() < 0.2 * log_mel.std()


@pytest.mark.parametrize("step", [-4.0, 0.0, 4.0])
@pytest.mark.parametrize("mel_bands", [64, 160])
def test_no_band_is_empty(mel_bands: int, step: float) -> None:
    spectrogram = replace(TrainingConfig().spectrogram, n_mels=mel_bands)
    noise = torch.from_numpy(np.random.default_rng(0).normal(size=(1, 48_000)).astype(np.float32))
    bands = LogMelSpectrogram(spectrogram)(noise, torch.tensor([step])).mean((0, 1, 3))
    highest_hz = 24_000 * 2 ** (min(step, 0.0) / 12)  # a sound that moves down has nothing near Nyquist
    assert (bands > 0.1)[: int(mel_bands * 0.99 * highest_hz / 24_000)].all()


@pytest.mark.parametrize(("name", "value"), [("mel_bands", 100), ("mel_bands", 176), ("width", 12)])
def test_a_size_that_does_not_fit_is_refused_with_those_that_do(name: str, value: int) -> None:
    with pytest.raises(ConfigError, match=f"{name} must be .* in steps of {SETTINGS[name].multiple_of}"):
        TrainingConfig().with_settings({name: value})
