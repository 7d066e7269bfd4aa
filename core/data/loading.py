"""Decoding the sounds of a split in parallel, or reading them from the cache of decoded sounds."""

import logging
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

import numpy as np
import numpy.typing as npt
import torch

from core.audio.offset import find_offset
from core.audio.reader import Decoders, Samples, SoundReader, mono_blocks
from core.data.cache import ReportCache, SampleCache, trim_cache
from core.data.report import Excerpt, Split
from core.data.store import ChunkStore, SampleBuffer, Sound
from core.device import free_memory
from core.errors import AudioFileError, Cancelled, DatasetError, DecodingError
from core.text import printable

logger = logging.getLogger(__name__)

INT16_FULL_SCALE = 32767
DECODERS = 4
DECODED_AHEAD = 2 * DECODERS  # files in memory at a time, besides those in the buffer
DECODING_BYTES = 1 << 29  # of memory for them, unless one takes more

T = TypeVar("T")


@dataclass(frozen=True)
class DecodedExcerpt:
    """A stretch of one file, mono: int16 samples that times `scale` are ±1 full scale, and its chunks.

    `gain` brings them to the level of the dataset; the cache keeps them as they are in the file.
    Each is scaled to its own peak before it becomes int16, so that quiet ones keep their resolution and
    floating-point files above full scale keep their peaks.
    """

    path: str
    samples: npt.NDArray[np.int16]
    scale: float
    gain: float
    chunk_starts: npt.NDArray[np.int64]

    @classmethod
    def from_blocks(cls, blocks: "deque[Samples]", excerpt: Excerpt, sample_rate: int) -> Self:
        """Make the excerpt of its decoded samples, and empty `blocks` on the way; so no memory is doubled.

        A constant offset is taken away: the level is chosen without it, and a gain would raise it too.
        """
        offset = find_offset(blocks, sample_rate)
        peak = max((float(np.abs(block - offset).max(initial=0.0)) for block in blocks), default=0.0) or 1.0
        integers = np.empty(sum(len(block) for block in blocks), np.int16)
        end = 0
        while blocks:
            block = blocks.popleft()
            integers[end : end + len(block)] = np.round((block - offset) * (INT16_FULL_SCALE / peak))
            end += len(block)
        return cls.from_samples(integers, peak / INT16_FULL_SCALE, excerpt, sample_rate)

    @classmethod
    def from_samples(
        cls, samples: npt.NDArray[np.int16], scale: float, excerpt: Excerpt, sample_rate: int
    ) -> Self:
        """The excerpt with these samples; chunks that begin after their end are dropped."""
        first = round(excerpt.start_s * sample_rate)
        starts = np.round(np.array(excerpt.chunk_starts_s) * sample_rate).astype(np.int64) - first
        return cls(excerpt.path, samples, scale, excerpt.gain, starts[starts < len(samples)])

    def store_in(self, buffer: SampleBuffer) -> Sound:
        """Append the samples to the buffer.  Raises OSError if the disk is full."""
        offset = buffer.append(self.samples)
        return Sound(self.path, offset, len(self.samples), self.scale * self.gain, self.chunk_starts)


def decode_excerpts(sound: SoundReader, parts: Sequence[Excerpt], sample_rate: int) -> list[DecodedExcerpt]:
    """These stretches of a file; without chunks where it no longer reaches that far.

    Only the stretches are in memory, never the whole file.  Raises AudioFileError, Cancelled.
    """
    bounds = [(round(part.start_s * sample_rate), round(part.stop_s * sample_rate)) for part in parts]
    kept: list[deque[Samples]] = [deque() for _ in parts]
    position = 0
    for block in mono_blocks(sound, sample_rate):
        for (first, last), blocks in zip(bounds, kept, strict=True):
            begin, end = max(first - position, 0), max(last, first + 1) - position
            if begin < min(end, len(block)):
                blocks.append(block[begin:end])
        position += len(block)
    return [
        DecodedExcerpt.from_blocks(blocks, part, sample_rate)
        for blocks, part in zip(kept, parts, strict=True)
    ]


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


def decoding_bytes(split: Split, sample_rate: int) -> int:
    """How much memory decoding takes at most at a time, beside the sounds that are decoded."""
    costs = [_cost_bytes(parts, sample_rate) for parts in _by_file(split).values()]
    return max(min(sum(costs), DECODING_BYTES), max(costs, default=0))


def _by_file(split: Split) -> dict[str, list[tuple[bool, Excerpt]]]:
    """The excerpts of each file, in the order in which they are decoded; True for those that train."""
    excerpts: dict[str, list[tuple[bool, Excerpt]]] = {}
    for trains, side in ((True, split.train), (False, split.validation)):
        for excerpt in side:
            excerpts.setdefault(excerpt.path, []).append((trains, excerpt))
    return excerpts


def _cost_bytes(excerpts: Iterable[tuple[bool, Excerpt]], sample_rate: int) -> int:
    """Memory for decoding a file: float32 samples, and the int16 ones that they become."""
    samples = sum(excerpt.stop_s - excerpt.start_s for _, excerpt in excerpts) * sample_rate
    return round(samples * (np.float32().nbytes + np.int16().nbytes))


def load_sounds(
    folder: Path,
    split: Split,
    sample_rate: int,
    chunk_samples: int,
    device: torch.device,
    buffer: SampleBuffer,
    cancelled: Callable[[], bool],
    progress: Callable[[int, int], None],
    locations: Mapping[str, str] | None = None,
) -> LoadedSounds:
    """Decode the files of a split in parallel into `buffer`.

    `locations` gives the path below `folder` of each file of the split, if that is not its own; files that
    are not in it are left out.
    Files that have not changed since they were last scanned and decoded are read from the cache.
    `progress(done, total)` is called after each file.

    Raises DatasetError if no training sound is left or the disk is full, Cancelled.
    """
    excerpts = {
        path: parts for path, parts in _by_file(split).items() if locations is None or path in locations
    }
    train: list[Sound] = []
    validation: list[Sound] = []
    cache = SoundCache(folder, sample_rate)
    costs = {path: _cost_bytes(parts, sample_rate) for path, parts in excerpts.items()}

    def decode(path: str) -> list[DecodedExcerpt]:
        if cancelled():
            raise Cancelled
        parts = [excerpt for _, excerpt in excerpts[path]]
        location = path if locations is None else locations[path]
        if cached := cache.get(location, parts):
            return cached
        if costs[path] > (free := free_memory()):
            needed, there = costs[path] / 1e9, free / 1e9
            raise AudioFileError(f"it needs {needed:.1f} GB of memory, {there:.1f} GB are free; cut it up")
        with decoders.open(folder / location) as sound:
            decoded = decode_excerpts(sound, parts, sample_rate)
        cache.put(location, parts, decoded)
        return decoded

    problems = []
    with Decoders(cancelled) as decoders:
        for done, (path, future) in enumerate(_in_order(decode, costs), 1):
            try:
                for decoded, (trains, _) in zip(_result(future, path), excerpts[path], strict=True):
                    if len(decoded.chunk_starts) == 0:
                        raise AudioFileError("it became shorter")
                    (train if trains else validation).append(decoded.store_in(buffer))
            except AudioFileError as error:
                problems.append(f"{printable(path)} is left out: {error}.")
            except OSError as error:
                raise DatasetError(
                    f"The sounds fit neither into memory nor on the disk ({error.strerror}); free some "
                    "space, or train on fewer."
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


def _result(decoding: Future[list[DecodedExcerpt]], path: str) -> list[DecodedExcerpt]:
    """What was decoded.  Raises AudioFileError whatever went wrong with this one file."""
    try:
        return decoding.result()
    except (AudioFileError, DecodingError, Cancelled):
        raise
    except Exception as error:
        logger.exception("%s could not be decoded", printable(path))
        raise AudioFileError(f"it cannot be decoded ({type(error).__name__}: {error})") from error


def _in_order(work: Callable[[str], T], costs: Mapping[str, int]) -> Iterator[tuple[str, Future[T]]]:
    """Do `work` on several threads, a few items ahead; results come in the order of the items.

    So the order of sounds in the buffer does not depend on which thread is faster.  Those that are worked on,
    or done and not fetched, cost DECODING_BYTES at most in all, or are one.
    """
    with ThreadPoolExecutor(DECODERS, thread_name_prefix="decode") as pool:
        waiting: deque[tuple[str, Future[T]]] = deque()
        cost = 0
        try:
            for item, its_cost in costs.items():
                while waiting and (len(waiting) > DECODED_AHEAD or cost + its_cost > DECODING_BYTES):
                    cost -= costs[waiting[0][0]]
                    yield waiting.popleft()
                waiting.append((item, pool.submit(work, item)))
                cost += its_cost
            while waiting:
                yield waiting.popleft()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
