"""The training sounds that a model's latents are of, small enough to be kept with it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Self

import torch
from torch import Tensor

from core.text import printable

PART = 32  # sounds that are unpacked at a time
LEVELS = 255  # of a byte, between silence and the largest value of a sound: steps of about 0.07 of log-mel


@dataclass(frozen=True)
class Origin:
    """Where a training chunk comes from: its file, and how much of the chunk the sound fills.

    `path` is empty where it is not to be known.
    """

    path: str
    length_samples: int

    def state_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self:
        """Read what `state_dict` gave.  Raises KeyError, TypeError or ValueError if it is none."""
        path, length_samples = state["path"], state["length_samples"]
        if not isinstance(path, str) or type(length_samples) is not int or length_samples < 1:
            raise ValueError("its training sounds have no length or name")
        return cls(printable(path), length_samples)


@dataclass(frozen=True)
class TrainingSounds:
    """Log-mel spectrograms `levels` [chunks, mels, frames], a byte for each value: 12 kB for a second.

    A level of LEVELS is `largest` [chunks].  Whoever has these has the sounds, as a mel inversion gives them.
    """

    levels: Tensor
    largest: Tensor

    def __len__(self) -> int:
        return len(self.levels)

    @classmethod
    def quantised(cls, log_mel: Tensor) -> Self:
        """Of log-mel spectrograms [chunks, 1, mels, frames]."""
        sounds = log_mel.squeeze(1)
        largest = sounds.amax((1, 2)).clamp_min(torch.finfo(torch.float32).tiny)
        levels = (sounds / largest.view(-1, 1, 1) * LEVELS).round().clamp(0, LEVELS)
        return cls(levels.to(torch.uint8), largest)

    def log_mel(self, index: Tensor) -> Tensor:
        """The spectrograms [batch, 1, mels, frames] of some of the sounds [batch]."""
        return (self.levels[index] * (self.largest[index] / LEVELS).view(-1, 1, 1)).unsqueeze(1)

    def loudest_db(self) -> Tensor:
        """The power of each sound's loudest frame [chunks], in dB relative to an arbitrary one."""
        parts = torch.split(torch.arange(len(self), device=self.levels.device), PART)
        frames = torch.cat([self.log_mel(part).expm1().sum((1, 2)).amax(1) for part in parts])
        return 10 * frames.clamp_min(torch.finfo(frames.dtype).tiny).log10()

    def length_frames(self, sound: int) -> int:
        """Frames of a sound up to its last that is not silent."""
        audible = self.levels[sound].amax(0).nonzero()
        return 1 + int(audible.max()) if len(audible) else 0

    def nearest(self, log_mel: Tensor) -> Tensor:
        """The sound [batch] nearest to each log-mel spectrogram [batch, 1, mels, frames]."""
        return torch.cdist(log_mel.flatten(1), self._flat).argmin(1)

    @cached_property
    def _flat(self) -> Tensor:
        """All sounds [chunks, mels x frames]."""
        return self.log_mel(torch.arange(len(self), device=self.levels.device)).flatten(1)

    def state_dict(self) -> dict[str, Any]:
        return {"levels": self.levels, "largest": self.largest}

    @classmethod
    def from_state(cls, state: Mapping[str, Any], device: torch.device) -> Self:
        """Read what `state_dict` gave.  Raises KeyError, TypeError or ValueError if the parts do not fit."""
        levels, largest = (state[name].to(device) for name in ("levels", "largest"))
        if levels.dtype != torch.uint8 or levels.ndim != 3 or largest.shape != levels.shape[:1]:
            raise ValueError("its training sounds do not fit each other")
        return cls(levels, largest.float())
