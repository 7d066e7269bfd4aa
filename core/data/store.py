"""Decoded sounds resident in memory or on the device, and the chunks in them."""

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from core.audio.augmentation import Augmentation
from core.device import to_device
from core.errors import Cancelled

ENERGY_BATCH = 32


@dataclass(frozen=True)
class Sound:
    """Where an excerpt lies in the sample buffer.

    Its int16 samples times `scale` are at the level of the dataset; `chunk_starts` are relative to `offset`.
    """

    path: str
    offset: int
    length: int
    scale: float
    chunk_starts: npt.NDArray[np.int64]


class SampleBuffer:
    """The samples of all sounds, one after the other: in memory, or in a file in `folder` if one is given.

    The file has no name, so it is deleted with the process, however that ends.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self._file = tempfile.TemporaryFile(dir=folder) if folder is not None else None  # noqa: SIM115
        self._parts: list[npt.NDArray[np.int16]] = []
        self._length = 0

    def append(self, samples: npt.NDArray[np.int16]) -> int:
        """Append samples and return the offset of their first.  Raises OSError if the disk is full."""
        if self._file is not None:
            self._file.write(samples.data)
            self._file.flush()  # so that a full disk raises here, not later
        else:
            self._parts.append(samples)
        offset = self._length
        self._length += len(samples)
        return offset

    def tensor(self) -> Tensor:
        """All samples, int16; valid for as long as the tensor lives."""
        if self._file is None:
            return torch.from_numpy(self._join())
        # Copy-on-write, as torch warns about memory that it may not write to.
        return torch.from_numpy(np.memmap(self._file, np.int16, mode="c"))

    def _join(self) -> npt.NDArray[np.int16]:
        """All parts as one, each given up when it is copied: no more than one is in memory twice."""
        samples = np.empty(self._length, np.int16)
        end = 0
        self._parts.reverse()
        while self._parts:
            part = self._parts.pop()
            samples[end : end + len(part)] = part
            end += len(part)
        self._parts.append(samples)
        return samples


class ChunkStore:
    """The samples [all] of a dataset on their device, and a table of the sounds and chunks in them."""

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
        """The chunks [batch] on the grid, unaltered: float32 [batch, samples], padded with zeros."""
        index = to_device(index, self.device)
        return self._read(self._sound_of_chunk[index], self._start_of_chunk[index], self.chunk_samples)

    def crops(self, index: Tensor, augmentation: Augmentation) -> Tensor:
        """The chunks [batch] moved, resampled and scaled by the augmentation: float32 [batch, samples]."""
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

    def length_of(self, chunk: int) -> int:
        """How many samples of a chunk on the grid are sound; the others are zeros after it."""
        length = int(self._length[self._sound_of_chunk[chunk]] - self._start_of_chunk[chunk])
        return min(length, self.chunk_samples)

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
        """The same item by item: a CPU copies a slice many times faster than it gathers samples."""
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

        `speed` [batch] is a CPU tensor: its largest value is read here, without a host sync.
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
