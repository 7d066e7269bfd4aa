"""Decoding the sounds of a split in parallel, or reading them from the cache of decoded sounds."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from core.audio.files import Samples, decode_mono
from core.data.cache import ReportCache, SampleCache, trim_cache
from core.data.report import Excerpt, Split
from core.data.store import ChunkStore, SampleBuffer, Sound
from core.errors import AudioFileError, Cancelled, DatasetError
from core.text import printable

INT16_FULL_SCALE = 32767
DECODERS = 4
DECODED_AHEAD = 2 * DECODERS  # files in memory at a time, besides those in the buffer

T = TypeVar("T")


@dataclass(frozen=True)
class DecodedExcerpt:
    """A stretch of one file, mono: int16 samples that times `scale` are ±1 full scale, and its chunks.

    Each is scaled to its own peak before it becomes int16, so that quiet ones keep their resolution and
    floating-point files above full scale keep their peaks.
    """

    path: str
    samples: npt.NDArray[np.int16]
    scale: float
    chunk_starts: npt.NDArray[np.int64]

    @classmethod
    def from_file(cls, decoded: Samples, excerpt: Excerpt, sample_rate: int) -> Self:
        """Cut the excerpt from a decoded file; without chunks if the file no longer reaches that far."""
        first, last = round(excerpt.start_s * sample_rate), round(excerpt.stop_s * sample_rate)
        samples = decoded[first : max(last, first + 1)]
        peak = float(np.abs(samples).max(initial=0.0)) or 1.0
        integers = np.round(samples * (INT16_FULL_SCALE / peak)).astype(np.int16)
        return cls.from_samples(integers, peak / INT16_FULL_SCALE, excerpt, sample_rate)

    @classmethod
    def from_samples(
        cls, samples: npt.NDArray[np.int16], scale: float, excerpt: Excerpt, sample_rate: int
    ) -> Self:
        """The excerpt with these samples; chunks that begin after their end are dropped."""
        first = round(excerpt.start_s * sample_rate)
        starts = np.round(np.array(excerpt.chunk_starts_s) * sample_rate).astype(np.int64) - first
        return cls(excerpt.path, samples, scale, starts[starts < len(samples)])

    def store_in(self, buffer: SampleBuffer) -> Sound:
        """Append the samples to the buffer.  Raises OSError if the disk is full."""
        offset = buffer.append(self.samples)
        return Sound(self.path, offset, len(self.samples), self.scale, self.chunk_starts)


class SoundCache:
    """Decoded excerpts of a folder's files that have not changed since they were scanned and decoded."""

    def __init__(self, folder: Path, sample_rate: int) -> None:
        self._reports = ReportCache(folder)
        self._samples = SampleCache()
        self._sample_rate = sample_rate

    def get(self, path: str, parts: Sequence[Excerpt]) -> list[DecodedExcerpt]:
        """The decoded excerpts of a file, or none if not all of them are in the cache."""
        report = self._reports.get(path)
        if report is None:
            return []
        found = [self._samples.get(report.content_hash, self._sample_rate, part) for part in parts]
        excerpts = [
            DecodedExcerpt.from_samples(*each, part, self._sample_rate)
            for each, part in zip(found, parts, strict=True)
            if each is not None
        ]
        return excerpts if len(excerpts) == len(parts) else []

    def put(self, path: str, parts: Sequence[Excerpt], decoded: Sequence[DecodedExcerpt]) -> None:
        """Cache the decoded excerpts of a file, if it is still the one that was scanned."""
        report = self._reports.get(path)
        if report is not None:
            for part, each in zip(parts, decoded, strict=True):
                self._samples.put(report.content_hash, self._sample_rate, part, each.samples, each.scale)


@dataclass(frozen=True)
class LoadedSounds:
    """The two sides of the split, and a message for each file that can no longer be used."""

    train: ChunkStore
    validation: ChunkStore
    problems: tuple[str, ...]


def load_sounds(
    folder: Path,
    split: Split,
    sample_rate: int,
    chunk_samples: int,
    device: torch.device,
    buffer: SampleBuffer,
    cancelled: Callable[[], bool],
    progress: Callable[[int, int], None],
) -> LoadedSounds:
    """Decode the files of a split in parallel into `buffer`.

    Files that have not changed since they were last scanned and decoded are read from the cache.
    `progress(done, total)` is called after each file.

    Raises DatasetError if no training sound is left or the disk is full, Cancelled.
    """
    excerpts: dict[str, list[tuple[list[Sound], Excerpt]]] = {}
    train: list[Sound] = []
    validation: list[Sound] = []
    for side, parts in ((train, split.train), (validation, split.validation)):
        for excerpt in parts:
            excerpts.setdefault(excerpt.path, []).append((side, excerpt))

    cache = SoundCache(folder, sample_rate)

    def decode(path: str) -> list[DecodedExcerpt]:
        if cancelled():
            raise Cancelled
        parts = [excerpt for _, excerpt in excerpts[path]]
        if cached := cache.get(path, parts):
            return cached
        samples = decode_mono(folder / path, sample_rate, cancelled)
        decoded = [DecodedExcerpt.from_file(samples, part, sample_rate) for part in parts]
        cache.put(path, parts, decoded)
        return decoded

    problems = []
    for done, (path, future) in enumerate(_in_order(decode, excerpts), 1):
        try:
            for decoded, (side, _) in zip(future.result(), excerpts[path], strict=True):
                if len(decoded.chunk_starts) == 0:
                    raise AudioFileError("it became shorter")
                side.append(decoded.store_in(buffer))
        except AudioFileError as error:
            problems.append(f"{printable(path)} is left out: {error}.")
        except OSError as error:
            raise DatasetError(
                f"The sounds fit neither into memory nor on the disk ({error.strerror}); free some space, or "
                "train on fewer."
            ) from error
        progress(done, len(excerpts))
    trim_cache()
    if not train:
        raise DatasetError(f"No training sound could be read. {' '.join(problems[:3])}")
    if not validation:
        problems.append("No validation sound is left: validation repeats the training sounds.")
    samples = buffer.tensor().to(device)
    training_store = ChunkStore(train, samples, chunk_samples)
    validation_store = ChunkStore(validation, samples, chunk_samples) if validation else training_store
    return LoadedSounds(training_store, validation_store, tuple(problems))


def _in_order(work: Callable[[str], T], items: Iterable[str]) -> Iterator[tuple[str, Future[T]]]:
    """Do `work` on several threads, a few items ahead; results come in the order of the items.

    So the order of sounds in the buffer does not depend on which thread is faster.
    """
    with ThreadPoolExecutor(DECODERS, thread_name_prefix="decode") as pool:
        waiting: deque[tuple[str, Future[T]]] = deque()
        try:
            for item in items:
                waiting.append((item, pool.submit(work, item)))
                if len(waiting) > DECODED_AHEAD:
                    yield waiting.popleft()
            while waiting:
                yield waiting.popleft()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
