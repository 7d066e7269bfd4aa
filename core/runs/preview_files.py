"""The files of one preview: its sound, and the log-mel spectrogram beside it."""

import io
import math
import wave
from dataclasses import dataclass
from pathlib import Path
from tokenize import TokenError
from typing import TYPE_CHECKING, BinaryIO

from core.audio.levels import decibels
from core.errors import RunError
from core.events import PreviewKind
from core.files import read_bounded
from core.runs.directory import LARGEST_PREVIEW_BYTES, RunDirectory
from core.text import printable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

LARGEST_SPECTROGRAM_BYTES = 1 << 20  # the largest that settings allow has 240 kB
BRIGHTEST = 255
PCM_16_BYTES = 2
FULL_SCALE = 1 << 15
CLIPPED = FULL_SCALE - 1  # samples of this size, in runs of more than one


@dataclass(frozen=True)
class SoundFigures:
    """Of the samples of a preview; `peak_db` and `rms_db` are minus infinity for silence."""

    duration_s: float
    peak_db: float
    rms_db: float
    clipped_samples: int


def read_sound(run: RunDirectory, path: str) -> bytes:
    """The WAV file at the path in a PreviewReady.  Raises RunError unless it is a preview of the run."""
    sound = run.find_preview(path)
    try:
        return read_bounded(sound, LARGEST_PREVIEW_BYTES)
    except OSError as error:
        raise RunError(f"{path} cannot be played ({error.strerror}).") from error


def read_log_mel(path: Path) -> "npt.NDArray[np.float32]":
    """A log-mel spectrogram [mels, frames] beside a preview.  Raises RunError unless it is one."""
    import numpy as np

    name = printable(path.name)
    try:
        data = io.BytesIO(read_bounded(path, LARGEST_SPECTROGRAM_BYTES))
        version = np.lib.format.read_magic(data)
        if version != (1, 0):  # what numpy writes for plain arrays
            raise ValueError
        shape, is_fortran, dtype = np.lib.format.read_array_header_1_0(data)
        rest = data.read()
    except OSError as error:
        raise RunError(f"{name} cannot be read ({error.strerror}).") from error
    except (EOFError, MemoryError, RecursionError, SyntaxError, TokenError, TypeError, ValueError) as error:
        raise RunError(f"{name} is not a spectrogram.") from error
    is_picture = len(shape) == 2 and min(shape) > 0 and not is_fortran
    if not is_picture or dtype != np.float32 or len(rest) != math.prod(shape) * dtype.itemsize:
        raise RunError(f"{name} is not a spectrogram.")
    log_mel: npt.NDArray[np.float32] = np.frombuffer(rest, np.float32).reshape(shape)
    return log_mel


def read_spectrogram(run: RunDirectory, path: str) -> "npt.NDArray[np.uint8]":
    """The log-mel spectrogram of a preview, [mels, frames], lowest band first: from 0 to its loudest, 255.

    The original clip has that of its resynthesis.  Raises RunError if there is none that can be read.
    """
    import numpy as np

    sound = run.find_preview(path)
    name = sound.with_suffix(".npy").name
    if sound.stem.endswith(PreviewKind.ORIGINAL):
        name = name.replace(PreviewKind.ORIGINAL, PreviewKind.RESYNTHESIS)
    log_mel = np.nan_to_num(read_log_mel(sound.with_name(name)), posinf=0.0).clip(0)
    brightest = float(log_mel.max()) or 1.0
    levels: npt.NDArray[np.uint8] = (log_mel * (BRIGHTEST / brightest)).round().astype(np.uint8)
    return levels


def open_wave(file: BinaryIO) -> wave.Wave_read:
    """A preview to read: WAV, PCM of 16 bits.  Raises EOFError and wave.Error for anything else."""
    sound: wave.Wave_read = wave.open(file)  # noqa: SIM115  (the caller closes it)
    if sound.getsampwidth() != PCM_16_BYTES or sound.getframerate() < 1:
        sound.close()
        raise wave.Error("it is not a preview")
    return sound


def measure_sound(run: RunDirectory, path: str) -> SoundFigures:
    """The level of a preview.  Raises RunError if it cannot be read."""
    import numpy as np

    try:
        with open_wave(io.BytesIO(read_sound(run, path))) as sound:
            rate = sound.getframerate()
            data = sound.readframes(sound.getnframes())
            samples = np.frombuffer(data, "<i2", len(data) // PCM_16_BYTES).astype(np.float64)
    except (EOFError, wave.Error) as error:
        raise RunError(f"{path} is not a preview ({str(error) or 'it is cut short'}).") from error
    sizes = np.abs(samples)
    at_top = sizes >= CLIPPED
    clipped = int((at_top[1:] & at_top[:-1]).sum())
    peak, rms = sizes.max(initial=0.0), math.sqrt(np.square(samples).mean()) if len(samples) else 0.0
    return SoundFigures(len(samples) / rate, decibels(peak / FULL_SCALE), decibels(rms / FULL_SCALE), clipped)
