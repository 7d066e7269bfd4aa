"""Sound files for tests, good and bad."""

import io
import struct
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


def encode(signal: npt.NDArray[np.floating], sample_rate: int = 44_100, **options: object) -> bytes:
    """A sound as the bytes of a file of this `format`."""
    buffer = io.BytesIO()
    soundfile.write(buffer, signal, sample_rate, **options)
    return buffer.getvalue()


def mp3_without_length(duration_s: float = 4.0) -> bytes:
    """A stream as `ffmpeg -q:a 4 -f mp3 -` writes it: no frame states the length, and the first is small.

    Silence, then noise: by the bit rate of the silence the sound would be several times as long.
    """
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, round(duration_s * 44_100))
    noise[: len(noise) // 2] = 0
    data = encode(noise, format="MP3", bitrate_mode="VARIABLE", compression_level=0.4)
    first = max(data.find(b"Xing"), data.find(b"Info"))
    return data[data.find(data[:2], first) :]


def wav_that_hangs_libsndfile() -> bytes:
    """144 bytes: an unknown chunk in LIST/INFO claims 0xFFFFFFF8 bytes, and libsndfile goes back by eight."""
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, 48_000, 96_000, 2, 16)
    info = b"INFO" + struct.pack("<4sI", b"XXXX", 0xFFFFFFF8) + bytes(16)
    body = b"WAVE" + form + struct.pack("<4sI", b"LIST", len(info)) + info + b"data\x40\0\0\0" + bytes(64)
    return struct.pack("<4sI", b"RIFF", len(body)) + body
