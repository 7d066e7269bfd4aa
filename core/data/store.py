"""Sounds decoded once and kept in memory, and the batches cut from them as a function of the step."""

import math
import tempfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from core.audio.augmentation import Augmentation
from core.audio.files import Samples, decode_mono
from core.data.cache import DecodedSounds, KnownFiles, trim_cache
from core.data.report import Excerpt, Split
from core.device import to_device
from core.errors import AudioFileError, Cancelled, DatasetError
from core.seeding import generator
from core.text import printable

INT16_FULL_SCALE = 32767
DECODERS = 4
DECODED_AHEAD = 2 * DECODERS  # files in memory at a time, besides those that are kept
ENERGY_BATCH = 32

T = TypeVar("T")


@dataclass(frozen=True)
class DecodedExcerpt:
    """A stretch of one file, mono: int16 samples that times `scale` give ±1 full scale, and its chunks.

    Each is scaled to its own peak before it becomes int16, so that quiet ones keep their resolution and
    floating-point files above full scale keep their peaks.
    """

    path: str
    samples: npt.NDArray[np.int16]
    scale: float
    chunk_starts: npt.NDArray[np.int64]

    @classmethod
    def of(cls, decoded: Samples, excerpt: Excerpt, sample_rate: int) -> Self:
        """The excerpt of a decoded file; without chunks if the file no longer reaches that far."""
        first, last = round(excerpt.start_s * sample_rate), round(excerpt.stop_s * sample_rate)
        samples = decoded[first : max(last, first + 1)]
        peak = float(np.abs(samples).max(initial=0.0)) or 1.0
        integers = np.round(samples * (INT16_FULL_SCALE / peak)).astype(np.int16)
        return cls.remembered(integers, peak / INT16_FULL_SCALE, excerpt, sample_rate)

    @classmethod
    def remembered(
        cls, samples: npt.NDArray[np.int16], scale: float, excerpt: Excerpt, sample_rate: int
    ) -> Self:
        """The excerpt of which these samples are left."""
        first = round(excerpt.start_s * sample_rate)
        starts = np.round(np.array(excerpt.chunk_starts_s) * sample_rate).astype(np.int64) - first
        return cls(excerpt.path, samples, scale, starts[starts < len(samples)])


@dataclass(frozen=True)
class Sound:
    """Where a cut lies among all samples."""

    path: str
    offset: int
    length: int
    scale: float
    chunk_starts: npt.NDArray[np.int64]


class SampleBuffer:
    """The samples of all sounds, one after the other: in memory, or in a file where that is too small.

    The file is in `folder` and has no name, so it goes with the process, however that ends.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._file = tempfile.TemporaryFile(dir=folder) if folder is not None else None  # noqa: SIM115
        self._parts: list[npt.NDArray[np.int16]] = []
        self._length = 0

    def place(self, cut: DecodedExcerpt) -> Sound:
        """Take in the samples of a cut.  Raises OSError if the disk is full."""
        if self._file is not None:
            self._file.write(cut.samples.data)
            self._file.flush()  # a full disk is told here, not later
        else:
            self._parts.append(cut.samples)
        sound = Sound(cut.path, self._length, len(cut.samples), cut.scale, cut.chunk_starts)
        self._length += len(cut.samples)
        return sound

    def tensor(self) -> Tensor:
        """All samples, int16, for as long as the tensor lives."""
        if self._file is None:
            return torch.from_numpy(np.concatenate(self._parts))
        # Private to this process, as torch would complain of memory that it may not write to.
        return torch.from_numpy(np.memmap(self._file, np.int16, mode="c"))


class ChunkStore:
    """Sounds among the samples [all] of a dataset, on their device, and a table of the chunks in them."""

    def __init__(self, sounds: Sequence[Sound], samples: Tensor, chunk_samples: int) -> None:
        device = samples.device
        counts = [len(sound.chunk_starts) for sound in sounds]
        self.chunk_samples = chunk_samples
        self._paths = [sound.path for sound in sounds]
        self._samples = samples
        self._offset = torch.tensor([sound.offset for sound in sounds], device=device)
        self._length = torch.tensor([sound.length for sound in sounds], device=device)
        self._scale = torch.tensor([sound.scale for sound in sounds], device=device)
        self._sound_of_chunk = torch.tensor(np.repeat(np.arange(len(sounds)), counts), device=device)
        self._start_of_chunk = torch.tensor(
            np.concatenate([sound.chunk_starts for sound in sounds]), device=device
        )

    def __len__(self) -> int:
        """Number of chunks."""
        return len(self._start_of_chunk)

    @property
    def device(self) -> torch.device:
        return self._samples.device

    def chunks(self, index: Tensor) -> Tensor:
        """The chunks [batch] as they lie on the grid: float32 [batch, samples], padded with zeros."""
        index = to_device(index, self.device)
        return self._read(self._sound_of_chunk[index], self._start_of_chunk[index], self.chunk_samples)

    def crops(self, index: Tensor, augmentation: Augmentation) -> Tensor:
        """The chunks [batch] moved, resampled and scaled as drawn: float32 [batch, samples]."""
        device = self.device
        index = to_device(index, device)
        sound = self._sound_of_chunk[index]
        room = self._length[sound] - self.chunk_samples  # negative where the sound is shorter than a chunk
        start = self._start_of_chunk[index] + to_device(augmentation.crop_samples, device)
        start = start.clamp(room.clamp(max=0), room.clamp(min=0))
        start = start + to_device(augmentation.shift_samples, device)
        waveform = self._read(sound, start, self.chunk_samples)
        changed = (augmentation.speed != 1).nonzero().squeeze(1)
        if len(changed):
            speed = augmentation.speed[changed]
            changed = to_device(changed, device)
            waveform[changed] = self._read_at_speed(sound[changed], start[changed], speed)
        return waveform * to_device(augmentation.gain, device).unsqueeze(1)

    def path_of(self, chunk: int) -> str:
        """The file that a chunk comes from."""
        return self._paths[int(self._sound_of_chunk[chunk])]

    def loudest(self, cancelled: Callable[[], bool]) -> int:
        """Index of the chunk with the most energy, the first of equals.  Raises Cancelled."""
        energies = []
        for index in torch.split(torch.arange(len(self)), ENERGY_BATCH):
            if cancelled():
                raise Cancelled
            energies.append(self.chunks(index).square().sum(1))
        return int(torch.cat(energies).argmax())

    def _read(self, sound: Tensor, start: Tensor, length: int) -> Tensor:
        """`length` samples of each `sound` [batch] from `start` [batch] on; zero outside of the sound."""
        if self.device.type == "cpu":
            return self._read_slices(sound, start, length)
        positions = start.unsqueeze(1) + torch.arange(length, device=self.device)
        end = self._length[sound].unsqueeze(1)
        inside = (positions >= 0) & (positions < end)
        address = self._offset[sound].unsqueeze(1) + positions.clamp(min=0).minimum(end - 1)
        return self._samples[address] * (inside * self._scale[sound].unsqueeze(1))

    def _read_slices(self, sound: Tensor, start: Tensor, length: int) -> Tensor:
        """The same item by item: a processor copies a stretch many times faster than it looks up samples."""
        read = torch.zeros(len(sound), length)
        rows = zip(sound.tolist(), start.tolist(), read, strict=True)
        for each, first, row in rows:
            offset, end = int(self._offset[each]), int(self._length[each])
            begin, stop = max(first, 0), min(first + length, end)
            if begin < stop:
                samples = self._samples[offset + begin : offset + stop]
                torch.mul(samples, self._scale[each], out=row[begin - first : stop - first])
        return read

    def _read_at_speed(self, sound: Tensor, start: Tensor, speed: Tensor) -> Tensor:
        """As `_read`, every `speed` samples from `start`, by cubic Hermite (Catmull-Rom) interpolation.

        `speed` [batch] is in the computer's memory, as its largest value is wanted at once.
        """
        length = math.ceil(self.chunk_samples * float(speed.max())) + 4
        t = torch.arange(self.chunk_samples, device=self.device) * to_device(speed, self.device).unsqueeze(1)
        at = t.long()
        t.sub_(at)
        stretch = self._read(sound, start - 1, length)
        rows = torch.arange(len(stretch), device=self.device) * stretch.shape[1]
        index, all_samples = (at + rows.unsqueeze(1)).flatten(), stretch.flatten()
        y0, y1, y2, y3 = (all_samples[offset:].index_select(0, index).view_as(t) for offset in range(4))
        # y1 + t/2 (y2 - y0 + t (2 y0 - 5 y1 + 4 y2 - y3 + t (3 (y1 - y2) + y3 - y0))), in few passes
        cubic = torch.add(y3 - y0, y1 - y2, alpha=3)
        square = (y0 + y2).mul_(2).sub_(y1, alpha=5).add_(y2, alpha=2).sub_(y3)
        slope = (y2 - y0).addcmul_(t, square.addcmul_(t, cubic))
        return y1.addcmul_(t, slope, value=0.5)


class BatchOrder:
    """Which chunks make up each batch, as a function of the step alone."""

    def __init__(self, chunks: int, expansion: int, batch_size: int, steps_per_epoch: int, seed: int) -> None:
        self._chunks = chunks
        self._expansion = expansion
        self._batch_size = batch_size
        self._steps_per_epoch = steps_per_epoch
        self._seed = seed
        self._epoch = -1
        self._order = torch.zeros(0, dtype=torch.long)

    def batch(self, step: int) -> Tensor:
        """Indices [batch] of the chunks of a step.

        An epoch is `expansion` passes over all chunks, each in an order of its own.  Its last batch is
        filled up from the epoch's start, so that all batches have one size.
        """
        epoch, batch = divmod(step, self._steps_per_epoch)
        if epoch != self._epoch:
            draws = generator(self._seed, "order", epoch)
            passes = [torch.randperm(self._chunks, generator=draws) for _ in range(self._expansion)]
            self._order = torch.cat(passes)
            self._epoch = epoch
        first = batch * self._batch_size
        return self._order[torch.arange(first, first + self._batch_size) % len(self._order)]


class SoundCache:
    """The cuts of a folder's files that have not changed since they were scanned and decoded."""

    def __init__(self, folder: Path, sample_rate: int) -> None:
        self._files = KnownFiles(folder)
        self._samples = DecodedSounds()
        self._sample_rate = sample_rate

    def recall(self, path: str, parts: Sequence[Excerpt]) -> list[DecodedExcerpt]:
        """The cuts of a file, or none if not all of them are there."""
        report = self._files.recall(path)
        if report is None:
            return []
        found = [self._samples.read(report.content_hash, self._sample_rate, part) for part in parts]
        pairs = zip(found, parts, strict=True)
        cuts = [
            DecodedExcerpt.remembered(*each, part, self._sample_rate)
            for each, part in pairs
            if each is not None
        ]
        return cuts if len(cuts) == len(parts) else []

    def keep(self, path: str, parts: Sequence[Excerpt], cuts: Sequence[DecodedExcerpt]) -> None:
        """Keep the cuts of a file, if it is still the one that was scanned."""
        report = self._files.recall(path)
        if report is not None:
            for part, cut in zip(parts, cuts, strict=True):
                self._samples.keep(report.content_hash, self._sample_rate, part, cut.samples, cut.scale)


@dataclass(frozen=True)
class LoadedSounds:
    """The two sides of the split, and a sentence for each file that can no longer be used."""

    train: ChunkStore
    validation: ChunkStore
    problems: tuple[str, ...]


def load_sounds(
    folder: Path,
    split: Split,
    sample_rate: int,
    chunk_samples: int,
    device: torch.device,
    arena: SampleBuffer,
    cancelled: Callable[[], bool],
    progress: Callable[[int, int], None],
) -> LoadedSounds:
    """Decode the files of a split in parallel; `progress` is told the files done and their total.

    Those that have not changed since they were last scanned and decoded are read from the cache.

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
        if remembered := cache.recall(path, parts):
            return remembered
        decoded = decode_mono(folder / path, sample_rate, cancelled)
        cuts = [DecodedExcerpt.of(decoded, part, sample_rate) for part in parts]
        cache.keep(path, parts, cuts)
        return cuts

    problems = []
    for done, (path, future) in enumerate(_in_order(decode, excerpts), 1):
        try:
            for cut, (side, _) in zip(future.result(), excerpts[path], strict=True):
                if len(cut.chunk_starts) == 0:
                    raise AudioFileError("it became shorter")
                side.append(arena.place(cut))
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
    samples = arena.tensor().to(device)
    training_store = ChunkStore(train, samples, chunk_samples)
    validation_store = ChunkStore(validation, samples, chunk_samples) if validation else training_store
    return LoadedSounds(training_store, validation_store, tuple(problems))


def _in_order(work: Callable[[str], T], items: Iterable[str]) -> Iterator[tuple[str, Future[T]]]:
    """Do `work` on several threads, a few items ahead.  In order: the store must not depend on luck."""
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
