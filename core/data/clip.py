"""A sound of the user's own that every preview reconstructs.  Imports no torch."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from core.atomic import write_atomically
from core.audio.offset import find_offset
from core.audio.reader import Decoders, Samples, decode_mono
from core.data.split import QUIETEST_PEAK
from core.errors import AudioFileError, ConfigError
from core.paths import expand
from core.text import printable


def check_clip(text: str) -> None:
    """Check that `preview_clip` names a sound, without decoding it.  Raises SdaError if not."""
    if not text:
        return
    path = expand(Path(text))
    try:
        with Decoders() as decoders, decoders.open(path):
            pass
    except AudioFileError as error:
        raise _refusal(path, error) from error


def read_clip(path: Path, sample_rate: int, length_samples: int, cancelled: Callable[[], bool]) -> Samples:
    """The loudest stretch [length_samples] of a file, mono float32; a shorter file is padded with zeros.

    Raises ConfigError if it cannot be decoded, Cancelled.
    """
    try:
        with Decoders(cancelled) as decoders, decoders.open(path) as sound:
            samples = decode_mono(sound, sample_rate)
    except AudioFileError as error:
        raise _refusal(path, error) from error
    samples = samples - np.float32(find_offset([samples], sample_rate))
    if np.abs(samples).max(initial=0.0) < QUIETEST_PEAK:
        raise _refusal(path, "it is silent")
    start = loudest_start(samples, length_samples)
    excerpt = samples[start : start + length_samples]
    return np.pad(excerpt, (0, length_samples - len(excerpt)))


def write_clip(path: Path, samples: Samples, sample_rate: int) -> None:
    """Write a run's clip as floats, so that reading it returns exactly the same samples.  Raises OSError."""
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, sample_rate, format="WAV", subtype="FLOAT")
    write_atomically(path, buffer.getvalue(), is_run=True)


def loudest_start(samples: Samples, length_samples: int) -> int:
    """Where the stretch of this length with the most energy begins, to a hundredth of its length."""
    hop = max(1, length_samples // 100)  # a clip may be cut from an hour: no sums per sample
    energy = np.add.reduceat(np.square(samples), np.arange(0, len(samples), hop), dtype=np.float64)
    sums = np.concatenate([[0.0], np.cumsum(energy)])
    hops = min(-(-length_samples // hop), len(energy))
    loudest = int(np.argmax(sums[hops:] - sums[:-hops])) * hop
    return max(0, min(loudest, len(samples) - length_samples))


def _refusal(path: Path, reason: object) -> ConfigError:
    if not os.path.lexists(path):
        reason = "there is no such file"
    return ConfigError(f"The preview clip {printable(str(path))} cannot be used: {reason}.")
