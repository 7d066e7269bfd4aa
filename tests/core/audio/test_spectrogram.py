"""The log-mel spectrogram against librosa."""

import librosa
import numpy as np
import pytest
import torch

from core.audio.spectrogram import LogMelSpectrogram, mel_filterbank
from core.config import SpectrogramConfig
from tests.sounds import tone

CONFIG = SpectrogramConfig()


def batch(*signals: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.stack(signals)).float()


def reference(signal: np.ndarray) -> np.ndarray:
    mel = librosa.feature.melspectrogram(
        y=signal.astype(np.float64),
        sr=48_000,
        n_fft=2048,
        hop_length=512,
        n_mels=128,
        fmin=0.0,
        fmax=24_000.0,
        power=2.0,
        htk=False,
        norm=None,
        pad_mode="reflect",
    )
    return np.log1p(CONFIG.reference_gain * mel)


@pytest.mark.parametrize("duration_s", [0.25, 1.0, 4.0])
def test_log_mel_equals_librosa(duration_s: float) -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, round(48_000 * duration_s))
    signals = (tone(440.0, duration_s), noise)
    log_mel = LogMelSpectrogram(CONFIG)(batch(*signals))
    assert log_mel.shape == (2, 1, 128, CONFIG.frames(len(noise)))
    for index, signal in enumerate(signals):
        assert np.abs(log_mel[index, 0].numpy() - reference(signal)).max() < 2e-3


def test_filterbank_equals_librosa_and_has_full_rank() -> None:
    filters = mel_filterbank(CONFIG).numpy()
    expected = librosa.filters.mel(sr=48_000, n_fft=2048, n_mels=128, htk=False, norm=None, fmax=24_000)
    assert np.abs(filters - expected).max() < 1e-4
    assert np.linalg.cond(filters) < 10


def test_silence_is_zero_and_finite() -> None:
    log_mel = LogMelSpectrogram(CONFIG)(torch.zeros(1, 48_000))
    assert torch.equal(log_mel, torch.zeros_like(log_mel))


@pytest.mark.parametrize("semitones", [-6.0, -3.0, -1.0, 1.0, 3.0, 6.0])
@pytest.mark.parametrize("frequency_hz", [300.0, 2000.0])
@pytest.mark.parametrize(("gain", "most"), [(1.0, 0.35), (10_000.0, 0.4)])
def test_pitch_shift_equals_the_spectrogram_of_a_shifted_tone(
    semitones: float, frequency_hz: float, gain: float, most: float
) -> None:
    transform = LogMelSpectrogram(SpectrogramConfig(reference_gain=gain))
    shifted_hz = frequency_hz * 2 ** (semitones / 12)
    original, target = batch(tone(frequency_hz, 1.0)), batch(tone(shifted_hz, 1.0))
    moved = transform(original, torch.tensor([semitones]))
    error = (moved - transform(target)).abs().mean()
    assert error < most * (transform(original) - transform(target)).abs().mean()


def test_no_pitch_shift_changes_nothing() -> None:
    transform = LogMelSpectrogram(CONFIG)
    waveform = batch(tone(440.0, 0.5))
    assert torch.allclose(transform(waveform, torch.zeros(1)), transform(waveform), atol=1e-5)
