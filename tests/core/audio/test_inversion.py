"""Mel inversion against librosa's, and against what it promises."""

import librosa
import numpy as np
import pytest
import torch

from core.audio.inversion import QUALITIES, InversionQuality, MelInverter
from core.audio.spectrogram import LogMelSpectrogram
from core.config import SETTINGS, SpectrogramConfig
from core.errors import Cancelled
from tests.sounds import tone

CONFIG = SpectrogramConfig()
SHORT = InversionQuality(starts=2, iterations=3, refinements=3)


@pytest.fixture(scope="module")
def waveforms() -> torch.Tensor:
    noise = np.random.default_rng(0).normal(0, 0.1, 48_000) * np.exp(-np.arange(48_000) / 9_600)
    chord = sum(tone(frequency_hz, 1.0) for frequency_hz in (220.0, 277.2, 329.6)) / 3
    return torch.from_numpy(np.stack([tone(440.0, 1.0), noise, chord])).float()


def draws(sounds: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(1 + number) for number in range(sounds)]


def mel_error(sound: torch.Tensor, log_mel: torch.Tensor) -> float:
    return float((LogMelSpectrogram(CONFIG)(sound) - log_mel).square().mean().sqrt())


@pytest.mark.slow
def test_inversion_is_nearer_to_the_mel_than_librosas() -> None:
    """On noise only: librosa's exact least squares take minutes for an eighth of a second of a chord."""
    samples = 6_000
    noise = np.random.default_rng(0).normal(0, 0.1, samples) * np.exp(-np.arange(samples) / 2400)
    log_mel = LogMelSpectrogram(CONFIG)(torch.from_numpy(noise).float().unsqueeze(0))
    ours = MelInverter(CONFIG)(log_mel, samples, draws(len(log_mel)))
    mel = log_mel.expm1().squeeze().numpy()
    theirs = librosa.feature.inverse.mel_to_audio(
        mel, sr=48_000, n_fft=2048, hop_length=512, n_iter=64, length=samples, htk=False, norm=None
    )
    assert mel_error(ours, log_mel) <= mel_error(torch.from_numpy(theirs).float().unsqueeze(0), log_mel)


def test_power_spectrum_has_the_mel_and_is_not_negative(waveforms: torch.Tensor) -> None:
    log_mel = LogMelSpectrogram(CONFIG)(waveforms)
    inverter = MelInverter(CONFIG)
    power = inverter.power_spectrum(log_mel.squeeze(1).mT.expm1())
    assert power.shape == (3, 94, 1025)
    assert float(power.min()) >= 0
    again = (power @ inverter.filterbank).log1p().mT.unsqueeze(1)
    assert float((again - log_mel).square().mean().sqrt()) < 0.15


def test_stft_and_its_inverse_are_those_of_torch(waveforms: torch.Tensor) -> None:
    inverter, window = MelInverter(CONFIG), torch.hann_window(2048)
    spectrum = inverter.stft(waveforms)
    expected = torch.stft(waveforms, 2048, 512, window=window, return_complex=True).mT
    torch.testing.assert_close(spectrum, expected)
    inconsistent = spectrum * torch.rand(spectrum.shape, generator=draws(1)[0])
    expected = torch.istft(inconsistent.mT, 2048, 512, window=window, length=48_000)
    torch.testing.assert_close(inverter.inverse_stft(inconsistent, 48_000), expected)


@pytest.mark.slow
def test_griffin_lim_converges_at_least_as_far_as_librosas(waveforms: torch.Tensor) -> None:
    inverter = MelInverter(CONFIG)
    magnitudes = inverter.stft(waveforms).abs()
    phases = torch.rand(magnitudes.shape, generator=draws(1)[0]) * (2 * torch.pi)
    spectra = inverter.griffin_lim(torch.polar(magnitudes, phases), 48_000, 32, lambda _: magnitudes)
    for magnitude, sound in zip(magnitudes, inverter.inverse_stft(spectra, 48_000), strict=True):
        theirs = librosa.griffinlim(
            magnitude.T.numpy(), n_iter=32, hop_length=512, n_fft=2048, length=48_000, random_state=0
        )
        assert spectral_convergence(magnitude, sound) <= 1.1 * spectral_convergence(
            magnitude, torch.from_numpy(theirs).float()
        )


def spectral_convergence(magnitude: torch.Tensor, sound: torch.Tensor) -> float:
    window = torch.hann_window(2048)
    again = torch.stft(sound, 2048, 512, window=window, return_complex=True).abs().T
    return float(torch.linalg.norm(again - magnitude) / torch.linalg.norm(magnitude))


@pytest.mark.parametrize("duration_s", [0.25, 1.0, 4.0])
@pytest.mark.parametrize(("gain", "most"), [(1.0, 0.15), (10_000.0, 0.17)])
def test_the_sound_has_the_length_and_nearly_the_mel_it_was_made_from(
    duration_s: float, gain: float, most: float
) -> None:
    config = SpectrogramConfig(reference_gain=gain)
    spectrogram = LogMelSpectrogram(config)
    signal = torch.from_numpy(tone(330.0, duration_s)).float().unsqueeze(0)
    log_mel = spectrogram(signal)
    sound = MelInverter(config)(log_mel, signal.shape[1], draws(len(log_mel)))
    assert sound.shape == signal.shape
    assert float((spectrogram(sound) - log_mel).square().mean().sqrt()) < most * float(log_mel.std())


@pytest.mark.slow
def test_best_is_nearer_to_the_mel_than_fast(waveforms: torch.Tensor) -> None:
    for signal in waveforms[1:, :12_000]:
        log_mel = LogMelSpectrogram(CONFIG)(signal.expand(4, -1))  # four times, from other phases
        fast, best = (
            mel_error(MelInverter(CONFIG, QUALITIES[name])(log_mel, 12_000, draws(len(log_mel))), log_mel)
            for name in ("fast", "best")
        )
        assert best < 0.95 * fast


def test_of_several_phases_the_one_nearest_to_the_mel_is_taken(waveforms: torch.Tensor) -> None:
    log_mel = LogMelSpectrogram(CONFIG)(waveforms[2:, :12_000])
    one, four = (MelInverter(CONFIG, InversionQuality(starts, 4, 0)) for starts in (1, 4))
    generators = draws(1)
    singles = [one(log_mel, 12_000, generators) for _ in range(4)]  # the draws of all four, one by one
    nearest = min(singles, key=lambda sound: mel_error(sound, log_mel))
    torch.testing.assert_close(four(log_mel, 12_000, draws(len(log_mel))), nearest, rtol=0, atol=1e-4)


def test_every_quality_can_be_chosen() -> None:
    assert SETTINGS["preview_inversion"].choices == tuple(QUALITIES)


def test_the_same_seed_gives_the_same_sound_and_another_does_not(waveforms: torch.Tensor) -> None:
    log_mel = LogMelSpectrogram(CONFIG)(waveforms[:1])
    inverter = MelInverter(CONFIG, SHORT)
    first, again = (inverter(log_mel, 48_000, draws(len(log_mel))) for _ in range(2))
    other = inverter(log_mel, 48_000, [torch.Generator().manual_seed(2)])
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_a_sound_is_the_same_whatever_is_inverted_beside_it(waveforms: torch.Tensor) -> None:
    log_mel = LogMelSpectrogram(CONFIG)(waveforms)
    inverter = MelInverter(CONFIG, SHORT)
    together = inverter(log_mel, 48_000, draws(len(log_mel)))
    alone = inverter(log_mel[:1], 48_000, draws(1))
    torch.testing.assert_close(together[:1], alone, rtol=0, atol=1e-4)


def test_silence_stays_silent_beside_the_loudest_and_all_is_finite(waveforms: torch.Tensor) -> None:
    silence, loudest = torch.zeros(1, 1, 128, 94), torch.full((1, 1, 128, 94), 16.0)
    log_mel = torch.cat([silence, LogMelSpectrogram(CONFIG)(waveforms[:1]), loudest])
    sounds = MelInverter(CONFIG, SHORT)(log_mel, 48_000, draws(len(log_mel)))
    assert torch.isfinite(sounds).all()
    peaks = sounds.abs().amax(1)
    assert float(peaks[0]) < 1e-6
    assert float(peaks[1]) > 0.1
    assert float(peaks[2]) > 1.0


@pytest.mark.parametrize("iterations_before", [1, SHORT.iterations + 1])
def test_inversion_is_cancelled_between_iterations(waveforms: torch.Tensor, iterations_before: int) -> None:
    log_mel = LogMelSpectrogram(CONFIG)(waveforms[:1])
    answers = iter([False] * iterations_before + [True])
    with pytest.raises(Cancelled):
        MelInverter(CONFIG, SHORT)(log_mel, 48_000, draws(len(log_mel)), lambda: next(answers))
