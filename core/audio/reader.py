"""Sound files in blocks, mono at one sample rate.  Decoded in other processes: see core.audio.workers."""

import json
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
import soxr

from core.audio.worker import BLOCK, READ
from core.audio.workers import Worker
from core.errors import AudioFileError

Samples = npt.NDArray[np.float32]

LOUDEST_PEAK = 1e6  # full scale is 1; beyond this a file of floats is damaged, and its power overflows


def never() -> bool:
    return False


class Decoders:
    """Opens sound files, from any thread, as many at a time as are asked for.

    Each file that is open has a process, which the next one gets.  All end with the `with` block.  While a
    decoder is waited for, `cancelled` is asked ten times a second, and raises Cancelled where it is true.
    """

    def __init__(self, cancelled: Callable[[], bool] = never) -> None:
        self._cancelled = cancelled
        self._lock = threading.Lock()
        self._idle: list[Worker] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            while self._idle:
                self._idle.pop().end()

    def start(self, count: int) -> None:
        """Start so many processes ahead of the first files."""
        self._idle.extend(Worker(self._cancelled) for _ in range(count))

    def open(self, path: Path) -> "SoundReader":
        """Open a file.

        Raises UnsupportedFormatError for what is no sound, AudioFileError for a sound that cannot be read,
        DecodingError if none can, Cancelled.
        """
        worker = self._take()
        try:
            worker.request(os.fsencode(path.absolute()))
            _, header = worker.receive()
        except AudioFileError:
            self._give_back(worker)
            raise
        except BaseException:
            worker.end()
            raise
        return SoundReader(header, worker, self._give_back)

    def _take(self) -> Worker:
        with self._lock:
            while self._idle:
                worker = self._idle.pop()
                if worker.is_alive:
                    return worker
                worker.end()
        return Worker(self._cancelled)

    def _give_back(self, worker: Worker) -> None:
        with self._lock:
            self._idle.append(worker)


class SoundReader:
    """An open sound file, read in blocks from start to end, once.

    Headers are not trusted: they state lengths that a file does not have.  After the blocks are read,
    `frames_read` is the length, `shortfall` the missing share (0 to 1) of a file that is certainly cut short,
    and `remark` what the user may want to know of how it was read.
    """

    def __init__(self, header: bytes, worker: Worker, give_back: Callable[[Worker], None]) -> None:
        values = json.loads(header[:-1])
        self.sample_rate: int = values["sample_rate"]
        self.channels: int = values["channels"]
        self.format: str = values["format"]
        self.encoding: str = values["encoding"]
        self.header_frames: int = values["frames"]  # 0 if unknown
        self.frames_read = 0
        self.shortfall = 0.0
        self.remark = ""
        self.is_longer_than_read = False
        self._worker = worker
        self._give_back = give_back
        self._is_reading = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_reading:
            self._worker.end()  # in the middle of its answer
        else:
            self._give_back(self._worker)

    @property
    def header_duration_s(self) -> float:
        return self.header_frames / self.sample_rate

    @property
    def duration_s(self) -> float:
        return self.frames_read / self.sample_rate

    def blocks(self) -> Iterator[Samples]:
        """Blocks of samples [frames, channels], full scale ±1.  Raises AudioFileError, Cancelled."""
        self._worker.request(READ)
        self._is_reading = True
        kind, message = self._receive()
        while kind == BLOCK:
            block = np.frombuffer(message, np.float32, count=(len(message) - 1) // 4)
            block = block.reshape(-1, self.channels)
            self.frames_read += len(block)
            yield block
            kind, message = self._receive()
        values = json.loads(message[:-1])
        self.shortfall = values["shortfall"]
        self.remark = values["remark"]
        self.is_longer_than_read = values["is_longer"]

    def _receive(self) -> tuple[bytes, bytes]:
        try:
            kind, message = self._worker.receive()
        except AudioFileError:
            self._is_reading = False
            raise
        self._is_reading = kind == BLOCK
        return kind, message


def decode_mono(sound: SoundReader, sample_rate: int) -> Samples:
    """The whole file as mono float32 [samples] at `sample_rate` Hz.  Raises AudioFileError, Cancelled."""
    blocks = list(mono_blocks(sound, sample_rate))
    return np.concatenate(blocks) if blocks else np.zeros(0, np.float32)


def mono_blocks(sound: SoundReader, sample_rate: int) -> Iterator[Samples]:
    """The file in blocks of mono float32 [samples] at `sample_rate` Hz; channels are averaged.

    Resampled with soxr's HQ recipe.  Raises AudioFileError, Cancelled.
    """
    resampler = soxr.ResampleStream(sound.sample_rate, sample_rate, 1, dtype="float32", quality="HQ")
    for block in sound.blocks():
        mono = mix_to_mono(block)
        yield _checked(mono if sound.sample_rate == sample_rate else resampler.resample_chunk(mono))
    if sound.sample_rate != sample_rate:
        yield _checked(resampler.resample_chunk(np.zeros(0, np.float32), last=True))


def mix_to_mono(block: Samples) -> Samples:
    """The mean of the channels of [frames, channels]."""
    mono: Samples = np.ascontiguousarray(block.T).mean(
        axis=0
    )  # numpy averages contiguous channels far faster
    return mono


def _checked(samples: Samples) -> Samples:
    if not np.abs(samples).max(initial=0.0) <= LOUDEST_PEAK:  # false for what is not a number, too
        raise AudioFileError(
            "it holds samples that are infinite, not a number or absurdly large; render it again"
        )
    return samples
