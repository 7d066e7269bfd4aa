"""Mel inversion against librosa's, and against what it promises."""

import librosa
import numpy as np
import pytest
import torch

from core.audio.inversion import MelInverter
from core.audio.spectrogram import LogMelSpectrogram
from core.config import SpectrogramConfig
from core.errors import Cancelled
from tests.sounds import tone

CONFIG = SpectrogramConfig()


@pytest.fixture(scope="module")
def waveforms() -> torch.Tensor:
    noise = np.random.default_rng(0).normal(0, 0.1, 48_000) * np.exp(-np.arange(48_000) / 9_600)
    chord = sum(tone(frequency_hz, 1.0) for frequency_hz in (220.0, 277.2, 329.6)) / 3
    return torch.from_numpy(np.stack([tone(440.0, 1.0), noise, chord])).float()


def draws() -> torch.Generator:
    return torch.Generator().manual_seed(1)


def test_inversion_comes_nearer_to_the_mel_than_librosas() -> None:
    """On noise only: librosa's exact least squares take minutes for an eighth of a second of a chord."""
    samples = 6_000
    noise = np.random.default_rng(0).normal(0, 0.1, samples) * np.exp(-np.arange(samples) / 2400)
    transform = LogMelSpectrogram(CONFIG)
    log_mel = transform(torch.from_numpy(noise).float().unsqueeze(0))
    ours = MelInverter(CONFIG)(log_mel, samples, draws())
    mel = log_mel.expm1().squeeze().numpy()
    theirs = librosa.feature.inverse.mel_to_audio(
        mel, sr=48_000, n_fft=2048, hop_length=512, n_iter=64, length=samples, htk=False, norm=None
    )
    error, error_of_theirs = (
        float((transform(sound) - log_mel).square().mean())
        for sound in (ours, torch.from_numpy(theirs).float().unsqueeze(0))
    )
    assert error <= error_of_theirs


def test_power_spectrum_has_the_mel_and_is_not_negative(waveforms: torch.Tensor) -> None:
    log_mel = LogMelSpectrogram(CONFIG)(waveforms)
    inverter = MelInverter(CONFIG)
    power = inverter.power_spectrum(log_mel)
    assert power.shape == (3, 1025, 94)
    assert float(power.min()) >= 0
    again = torch.log1p(inverter.filterbank @ power).unsqueeze(1)
    assert float((again - log_mel).square().mean().sqrt()) < 0.1


def test_griffin_lim_converges_at_least_as_far_as_librosas(waveforms: torch.Tensor) -> None:
    window = torch.hann_window(2048)
    spectra = torch.stft(waveforms, 2048, 512, window=window, return_complex=True).abs()
    ours = MelInverter(CONFIG, iterations=32).griffin_lim(spectra, 48_000, draws())
    for magnitude, sound in zip(spectra, ours, strict=True):
        theirs = librosa.griffinlim(
            magnitude.numpy(), n_iter=32, hop_length=512, n_fft=2048, length=48_000, random_state=0
        )
        assert spectral_convergence(magnitude, sound) <= 1.1 * spectral_convergence(
            magnitude, torch.from_numpy(theirs).float()
        )


def spectral_convergence(magnitude: torch.Tensor, sound: torch.Tensor) -> float:
    window = torch.hann_window(2048)
    again = torch.stft(sound, 2048, 512, window=window, return_complex=True).abs()
    return float(torch.linalg.norm(again - magnitude) / torch.linalg.norm(magnitude))


@pytest.mark.parametrize("duration_s", [0.25, 1.0, 4.0])
def test_the_sound_has_the_length_and_nearly_the_mel_it_was_made_from(duration_s: float) -> None:
    signal = torch.from_numpy(tone(330.0, duration_s)).float().unsqueeze(0)
    transform = LogMelSpectrogram(CONFIG)
    log_mel = transform(signal)
    sound = MelInverter(CONFIG)(log_mel, signal.shape[1], draws())
    assert sound.shape == signal.shape
    error = (transform(sound) - log_mel).square().mean().sqrt()
    assert float(error) < 0.15 * float(log_mel.std())


def test_the_same_seed_gives_the_same_sound_and_another_does_not(waveforms: torch.Tensor) -> None:
    log_mel = LogMelSpectrogram(CONFIG)(waveforms[:1])
    inverter = MelInverter(CONFIG, iterations=4)
    first, again = (inverter(log_mel, 48_000, draws()) for _ in range(2))
    other = inverter(log_mel, 48_000, torch.Generator().manual_seed(2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_silence_stays_silent_and_finite() -> None:
    sound = MelInverter(CONFIG, iterations=8)(torch.zeros(1, 1, 128, 94), 48_000, draws())
    assert torch.isfinite(sound).all()
    assert float(sound.abs().max()) < 1e-3


def test_inversion_is_cancelled_between_iterations(waveforms: torch.Tensor) -> None:
    log_mel = LogMelSpectrogram(CONFIG)(waveforms[:1])
    answers = iter([False, True])
    with pytest.raises(Cancelled):
        MelInverter(CONFIG)(log_mel, 48_000, draws(), lambda: next(answers))
