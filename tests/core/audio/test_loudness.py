"""Loudness against torchaudio's, and what counts as noise."""

import math

import numpy as np
import pytest
import torch
import torchaudio

from core.audio.loudness import LoudnessMeter
from tests.sounds import tone


def meter(
    signal: np.ndarray, rate: int = 48_000, block: int = 10_000, is_quiet: bool = False
) -> LoudnessMeter:
    found = LoudnessMeter(rate)
    for first in range(0, len(signal), block):
        found.add(signal[first : first + block].astype(np.float32), is_quiet)
    return found


def speech_like(duration_s: float = 3.0) -> np.ndarray:
    """Noise whose level moves by 40 dB a few times a second."""
    time_s = np.arange(round(48_000 * duration_s)) / 48_000
    noise = np.random.default_rng(0).normal(0, 0.1, len(time_s))
    return noise * 10 ** (np.sin(2 * np.pi * 1.5 * time_s) - 1)


@pytest.mark.parametrize("rate", [44_100, 48_000])
@pytest.mark.parametrize("kind", ["tone", "low tone", "noise", "moving", "half silent"])
def test_loudness_is_torchaudios(kind: str, rate: int) -> None:
    signals = {
        "tone": tone(1000.0, 2.0),
        "low tone": tone(60.0, 2.0),
        "noise": np.random.default_rng(1).normal(0, 0.1, 2 * 48_000),
        "moving": speech_like(),
        "half silent": np.concatenate([tone(500.0, 2.0), np.zeros(3 * 48_000)]),
    }
    signal = signals[kind]
    expected = torchaudio.functional.loudness(torch.from_numpy(signal).float()[None], rate)
    loudness = meter(signal, rate).loudness_lufs
    assert loudness is not None
    assert abs(loudness - float(expected)) < (0.6 if kind == "low tone" else 0.15)


def test_loudness_follows_the_level_below_the_absolute_gate_too() -> None:
    loud, quiet = (meter(gain * speech_like()).loudness_lufs for gain in (1.0, 10 ** (-60 / 20)))
    assert loud is not None
    assert quiet is not None
    assert quiet == pytest.approx(
        loud - 60, abs=3.0
    )  # the gate leaves the quietest parts out of the loud one
    assert quiet < -70


def test_a_sound_shorter_than_a_block_has_the_loudness_of_a_longer_one() -> None:
    sine = 0.1 * np.sin(2 * np.pi * 1000 * np.arange(96_000) / 48_000)
    long, short = (meter(sine[:samples]).loudness_lufs for samples in (96_000, 6_000))
    assert short == pytest.approx(long, abs=0.2)


def test_a_burst_at_the_very_end_has_a_loudness() -> None:
    late = np.zeros(23_950)
    late[-4000:] = tone(1000.0, 1.0)[:4000]
    assert meter(late).loudness_lufs == pytest.approx(
        meter(np.append(late, np.zeros(50))).loudness_lufs, abs=1.5
    )


def test_silence_has_no_loudness() -> None:
    assert meter(np.zeros(48_000)).loudness_lufs is None
    assert meter(np.zeros(10)).loudness_lufs is None


def test_the_size_of_blocks_changes_nothing() -> None:
    assert len({meter(speech_like(), block=size).loudness_lufs for size in (777, 4800, 100_000)}) == 1


def test_noise_has_no_range_above_itself_and_sounds_have() -> None:
    draws = np.random.default_rng(2)
    noise = 1e-4 * draws.standard_normal(10 * 48_000)
    assert meter(noise, is_quiet=True).range_over_noise_db < 16
    assert meter(noise + 5e-4 * tone(440.0, 10.0), is_quiet=True).range_over_noise_db > 30
    click = noise.copy()
    click[48_000:48_100] += 8e-4
    assert meter(click, is_quiet=True).range_over_noise_db > 20
    assert math.isinf(meter(np.zeros(48_000), is_quiet=True).range_over_noise_db)


@pytest.mark.filterwarnings("error")
def test_any_float_is_measured_without_a_warning() -> None:
    assert meter(np.full(48_000, 3e38) * np.sin(np.arange(48_000))).loudness_lufs > 700
