"""Sound files for tests, good and bad."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

Signal = npt.NDArray[np.float64]


def tone(frequency_hz: float, duration_s: float, sample_rate: int = 48_000) -> Signal:
    """A decaying sine with two harmonics."""
    time_s = np.arange(round(duration_s * sample_rate)) / sample_rate
    partials = sum(np.sin(2 * np.pi * frequency_hz * n * time_s) / n for n in (1, 2, 3))
    return np.asarray(0.4 * np.exp(-2 * time_s) * partials)


def write_tone(path: Path, frequency_hz: float = 440.0, duration_s: float = 1.0, **options: object) -> Path:
    """A tone in the format that the name says; `samplerate`, `subtype`, `channels` may be given."""
    sample_rate = int(options.pop("samplerate", 48_000))  # type: ignore[call-overload]
    channels = int(options.pop("channels", 1))  # type: ignore[call-overload]
    signal = tone(frequency_hz, duration_s, sample_rate)
    samples = np.stack([signal * (1 - 0.05 * channel) for channel in range(channels)], axis=1)
    soundfile.write(path, samples, sample_rate, **options)
    return path
