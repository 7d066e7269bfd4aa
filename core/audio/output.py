"""Writing sounds for use elsewhere: format, level and sample rate as wanted, no file replaced unasked."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np
import soundfile
import soxr

from core.atomic import atomic_file
from core.audio.levels import NORMALISED_PEAK, SMALLEST_PEAK
from core.audio.loudness import LoudnessMeter
from core.audio.reader import Samples
from core.config import OutputSettings
from core.disk import explain_write_error
from core.errors import Cancelled, FileTakenError, OutputError
from core.text import printable

TARGET_LUFS = -18.0  # the reference of ReplayGain 2
FADE_S = 0.005
BLOCK_SAMPLES = 1 << 16
LONGEST_HEADER = 512
PEAK_TIME = 12  # where it lies in the chunk, after name, size and version
LARGEST_RIFF_BYTES = 4_000_000_000  # a longer WAV is RF64, which has no 32-bit sizes
SUBTYPES = {"wav16": "PCM_16", "wav24": "PCM_24", "float": "FLOAT", "flac": "PCM_24"}
SAMPLE_BYTES = {"wav16": 2, "wav24": 3, "float": 4, "flac": 3}


class Written(NamedTuple):
    """How long a sound is that was written, and whether more of it was to come."""

    duration_s: float
    is_cut_short: bool


class SoundWriter:
    """Writes mono sounds of `sample_rate` Hz, at ±1 full scale, as `settings` say.

    A sound whose peak is over full scale is brought to -1 dBFS at any level.  `is_replacing` allows to
    replace files.
    """

    def __init__(self, settings: OutputSettings, sample_rate: int, is_replacing: bool = False) -> None:
        self._settings = settings
        self._rate = sample_rate
        self._target_rate = settings.sample_rate or sample_rate
        self._is_replacing = is_replacing

    @property
    def suffix(self) -> str:
        return ".flac" if self._settings.format == "flac" else ".wav"

    def require_free(self, path: Path) -> None:
        """Raise FileTakenError if there is a file that may not be replaced."""
        if not self._is_replacing and os.path.lexists(path):
            raise FileTakenError(path)

    def write(self, path: Path, blocks: Iterable[Samples]) -> Written:
        """Write a sound of any length in bounded memory; the file is there when it is complete.

        If the blocks end with Cancelled, those before are written, if there are any.  The last milliseconds
        fade out, so that the end does not click.  Raises OutputError.
        """
        self.require_free(path)
        try:
            return self._write(path, blocks)
        except OSError as error:
            raise OutputError(
                f"{printable(str(path))} cannot be written {explain_write_error(error)}."
            ) from error

    def _write(self, path: Path, blocks: Iterable[Samples]) -> Written:
        with tempfile.TemporaryFile(dir=path.parent) as raw:
            measured = _Measured(self._target_rate)
            is_cancelled = False
            try:
                for block in _faded(self._resampled(blocks), round(FADE_S * self._target_rate)):
                    measured.add(block)
                    raw.write(block.tobytes())
            except Cancelled:
                is_cancelled = True
            if measured.samples:
                raw.seek(0)
                self._convert(raw, path, measured)
        return Written(measured.samples / self._target_rate, is_cancelled)

    def _resampled(self, blocks: Iterable[Samples]) -> Iterator[Samples]:
        if self._target_rate == self._rate:
            yield from blocks
            return
        resampler = soxr.ResampleStream(self._rate, self._target_rate, 1, dtype="float32", quality="VHQ")
        for block in blocks:
            yield resampler.resample_chunk(block)
        yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)

    def _gain(self, measured: "_Measured") -> float:
        """What brings a sound to its level, at most to a peak of -1 dBFS unless that is the dataset's own."""
        peak = max(measured.peak, SMALLEST_PEAK)
        largest = NORMALISED_PEAK / peak
        match self._settings.level:
            case "peak":
                return largest if measured.peak > SMALLEST_PEAK else 1.0
            case "loudness" if measured.loudness_lufs is not None:
                return min(largest, 10 ** ((TARGET_LUFS - measured.loudness_lufs) / 20))
        return largest if measured.peak > 1 else 1.0

    def _convert(self, raw: BinaryIO, path: Path, measured: "_Measured") -> None:
        gain = np.float32(self._gain(measured))
        is_long = measured.samples * SAMPLE_BYTES[self._settings.format] > LARGEST_RIFF_BYTES
        container = "FLAC" if self._settings.format == "flac" else "RF64" if is_long else "WAV"
        with atomic_file(path, is_replacing=self._is_replacing) as file:
            sink = _Sink(file)
            try:
                with soundfile.SoundFile(
                    sink, "w", self._target_rate, 1, SUBTYPES[self._settings.format], format=container
                ) as writing:
                    while data := raw.read(4 * BLOCK_SAMPLES):
                        writing.write(np.frombuffer(data, np.float32) * gain)
            except (AssertionError, soundfile.LibsndfileError):
                if sink.problem is None:
                    raise
            if sink.problem is not None:
                raise sink.problem
            if self._settings.format == "float":
                _clear_time(file)


def _faded(blocks: Iterable[Samples], count: int) -> Iterator[Samples]:
    """The blocks, of which the last so many samples fade out, also if they end with Cancelled."""
    held = np.zeros(0, np.float32)
    is_cancelled = False
    try:
        for block in blocks:
            held = np.concatenate([held, block])
            if len(held) > count:
                yield held[: len(held) - count]
                held = held[len(held) - count :]
    except Cancelled:
        is_cancelled = True
    yield held * np.linspace(1, 0, len(held), dtype=np.float32)
    if is_cancelled:
        raise Cancelled


class _Measured:
    """Length, peak and loudness of a sound in blocks.  Raises ValueError for samples that are not finite."""

    def __init__(self, sample_rate: int) -> None:
        self.samples = 0
        self.peak = 0.0
        self._meter = LoudnessMeter(sample_rate)

    def add(self, block: Samples) -> None:
        peak = float(np.abs(block).max(initial=0.0))
        if not np.isfinite(peak):
            raise ValueError("samples to write must be finite")
        self.samples += len(block)
        self.peak = max(self.peak, peak)
        self._meter.add(block, is_quiet=False)

    @property
    def loudness_lufs(self) -> float | None:
        return self._meter.loudness_lufs


class _Sink:
    """A file for libsndfile, whose callbacks may not raise: `problem` is why it could not be written."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.problem: OSError | None = None
        self.seek, self.tell, self.read = file.seek, file.tell, file.read

    def write(self, data: bytes) -> int:
        try:
            return self._file.write(data)
        except OSError as error:
            self.problem = error
            return 0


def _clear_time(file: BinaryIO) -> None:
    """Set the time in the PEAK chunk of a WAV of floats to 0, so that the same sound is the same bytes."""
    file.seek(0)
    at = file.read(LONGEST_HEADER).find(b"PEAK")
    if at >= 0:
        file.seek(at + PEAK_TIME)
        file.write(bytes(4))
