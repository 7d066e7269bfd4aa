"""A small folder of synthesised sounds, so that the program can be tried without any of one's own."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

from core.audio.writing import write_wav

Signal = npt.NDArray[np.float64]

SAMPLE_RATE = 48_000
VARIANTS = 8  # of each kind, a semitone apart: what is held out has neighbours among what is trained on


def make_demo_sounds(folder: Path) -> Path:
    """Write 40 sounds of 0.3 to 2 s into `folder` where they are missing, and return it.

    Strings, bells, drones, kicks and snares: kinds that a model confuses at first and separates later.
    The same on every machine.  Raises OSError if the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, synthesise in _recipes().items():
        path = folder / f"{name}.wav"
        if not path.exists():
            write_wav(path, synthesise().astype(np.float32), SAMPLE_RATE)
    return folder


def _recipes() -> dict[str, Callable[[], Signal]]:
    recipes: dict[str, Callable[[], Signal]] = {}
    for number in range(1, VARIANTS + 1):
        pitch = 2 ** (number / 12)
        recipes[f"string-{number}"] = partial(plucked_string, 110 * pitch, 1.6, seed=number)
        recipes[f"bell-{number}"] = partial(bell, 330 * pitch, 1.4, 1.8)
        recipes[f"drone-{number}"] = partial(drone, 82 * pitch, 2.0, seed=number)
        recipes[f"kick-{number}"] = partial(kick, 150 * pitch, 0.4)
        recipes[f"snare-{number}"] = partial(noise_hit, 700 * pitch, 0.06 + 0.01 * number, 0.4, seed=number)
    return recipes


def plucked_string(frequency_hz: float, duration_s: float, seed: int) -> Signal:
    """A string after Karplus & Strong (1983): noise that runs round an averaging delay line."""
    period = round(SAMPLE_RATE / frequency_hz)
    line = np.random.default_rng(seed).uniform(-1, 1, period)
    turns = []
    for _ in range(round(duration_s * SAMPLE_RATE) // period):
        turns.append(line)
        line = 0.998 * (line + np.roll(line, 1)) / 2
    return np.concatenate(turns)


def bell(carrier_hz: float, ratio: float, duration_s: float) -> Signal:
    """A bell by frequency modulation (Chowning 1973), whose brightness decays faster than its level."""
    time_s = _time(duration_s)
    modulator = 4 * np.exp(-3 * time_s) * np.sin(2 * np.pi * carrier_hz * ratio * time_s)
    return np.asarray(np.exp(-2 * time_s) * np.sin(2 * np.pi * carrier_hz * time_s + modulator))


def drone(frequency_hz: float, duration_s: float, seed: int) -> Signal:
    """Twelve detuned harmonics that swell and fade each at a pace of its own."""
    random = np.random.default_rng(seed)
    time_s = _time(duration_s)
    total = np.zeros_like(time_s)
    for harmonic in range(1, 13):
        detuned_hz = frequency_hz * harmonic * (1 + random.normal(0, 0.003))
        swell = 0.6 + 0.4 * np.sin(2 * np.pi * random.uniform(0.1, 0.7) * time_s + random.uniform(0, 6))
        total += swell / harmonic * np.sin(2 * np.pi * detuned_hz * time_s + random.uniform(0, 6))
    fade = np.minimum(1, np.minimum(time_s, duration_s - time_s) / 0.3)
    return np.asarray(total * fade)


def kick(start_hz: float, duration_s: float) -> Signal:
    """A sine that falls to 45 Hz."""
    time_s = _time(duration_s)
    frequency_hz = 45 + (start_hz - 45) * np.exp(-25 * time_s)
    phase: Signal = 2 * np.pi * np.cumsum(frequency_hz) / SAMPLE_RATE
    return np.asarray(np.exp(-8 * time_s) * np.sin(phase))


def noise_hit(low_cut_hz: float, decay_s: float, duration_s: float, seed: int) -> Signal:
    """Noise above a frequency, dying away."""
    time_s = _time(duration_s)
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(size=len(time_s)))
    spectrum[np.fft.rfftfreq(len(time_s), 1 / SAMPLE_RATE) < low_cut_hz] = 0
    return np.fft.irfft(spectrum, len(time_s)) * np.exp(-time_s / decay_s)


def _time(duration_s: float) -> Signal:
    return np.arange(round(duration_s * SAMPLE_RATE)) / SAMPLE_RATE
