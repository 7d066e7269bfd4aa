"""What the samples of a file are like: its level over time, clipping, content.  Imports no torch."""

import hashlib

import numpy as np
import numpy.typing as npt

from core.audio.loudness import LoudnessMeter
from core.audio.offset import LONGEST_PERIOD_S
from core.audio.reader import Samples, SoundReader
from core.data.split import PEAK_INTERVAL_S, SILENCE_PEAK

FULL_SCALE = 0.985  # limiters that clip stop a little below 1


class Measurement:
    """The properties of a sound's samples, from its first block to its last.

    Raises AudioFileError, Cancelled.
    """

    def __init__(self, sound: SoundReader) -> None:
        self.non_finite_samples = 0
        self._clipped_samples = 0
        self._frames = 0
        self._interval_frames = round(PEAK_INTERVAL_S * sound.sample_rate)
        self._lowest: list[float] = []  # of the mono mix, in each interval
        self._highest: list[float] = []
        self._top, self._bottom = -np.inf, np.inf  # of the mono mix, and where
        self._lowest_frame = self._highest_frame = 0
        self._sum = 0.0
        self._loudness = LoudnessMeter(sound.sample_rate)
        self._channel_lowest = np.full(sound.channels, np.inf, np.float32)
        self._channel_highest = np.full(sound.channels, -np.inf, np.float32)
        self._channel_sum = np.zeros(sound.channels)
        digest = hashlib.blake2b(f"{sound.sample_rate} {sound.channels}".encode(), digest_size=16)
        for block in sound.blocks():
            digest.update(block.data)
            self._add(block)
        self.content_hash = digest.hexdigest()
        self._has_mean = sound.duration_s > LONGEST_PERIOD_S

    @property
    def absolute_peak(self) -> float:
        """The largest sample of all channels."""
        return float(max(self._channel_highest.max(), -self._channel_lowest.min()))

    @property
    def channel_peak(self) -> float:
        """The level of the loudest channel, without its mean."""
        mean = self._channel_sum / self._frames * self._has_mean
        return float(max((self._channel_highest - mean).max(), (mean - self._channel_lowest).max()))

    @property
    def peaks(self) -> tuple[float, ...]:
        """The level of the mono mix in each interval, without the mean of the file, which is inaudible."""
        mean = self._sum / self._frames * self._has_mean
        levels = np.maximum(np.array(self._highest) - mean, mean - np.array(self._lowest))
        return tuple(levels.round(9).tolist())

    @property
    def loudest_frame(self) -> int:
        """Where the mono mix is farthest from its mean: the same whatever the level of the file."""
        mean = self._sum / self._frames
        is_above = self._top - mean >= mean - self._bottom
        return self._highest_frame if is_above else self._lowest_frame

    @property
    def loudness_lufs(self) -> float | None:
        """Of the mono mix; None for silence."""
        return self._loudness.loudness_lufs

    @property
    def range_over_noise_db(self) -> float:
        """How far a quiet file rises above its own noise."""
        return self._loudness.range_over_noise_db

    @property
    def clipped_share(self) -> float:
        """The share of samples that repeat the one before at nearly full scale, as a cut-off peak does."""
        return self._clipped_samples / (self._frames * len(self._channel_sum))

    def _add(self, block: Samples) -> None:
        channels = np.ascontiguousarray(block.T)  # numpy reduces contiguous channels far faster
        highest, lowest = channels.max(1), channels.min(1)
        if not (np.isfinite(highest).all() and np.isfinite(lowest).all()):
            self.non_finite_samples += int(np.count_nonzero(~np.isfinite(block)))
        if self.non_finite_samples:
            return
        self._channel_highest = np.maximum(self._channel_highest, highest)
        self._channel_lowest = np.minimum(self._channel_lowest, lowest)
        self._channel_sum += channels.sum(1, dtype=np.float64)
        if max(highest.max(), -lowest.min()) >= FULL_SCALE:
            self._clipped_samples += _clipped_samples(channels)
        self._add_mono(channels.mean(0))

    def _add_mono(self, mono: Samples) -> None:
        self._sum += float(mono.sum(dtype=np.float64))
        high, low = int(mono.argmax()), int(mono.argmin())
        if mono[high] > self._top:
            self._top, self._highest_frame = float(mono[high]), self._frames + high
        if mono[low] < self._bottom:
            self._bottom, self._lowest_frame = float(mono[low]), self._frames + low
        # Half the range, so that a constant offset is no sound.
        self._loudness.add(mono, is_quiet=(mono[high] - mono[low]) / 2 < SILENCE_PEAK)
        rest = mono
        while len(rest):
            done = self._frames % self._interval_frames
            part, rest = np.split(rest, [self._interval_frames - done])
            if done == 0:
                self._lowest.append(np.inf)
                self._highest.append(-np.inf)
            self._lowest[-1] = min(self._lowest[-1], float(part.min()))
            self._highest[-1] = max(self._highest[-1], float(part.max()))
            self._frames += len(part)


def _clipped_samples(channels: npt.NDArray[np.float32]) -> int:
    is_high = np.abs(channels[:, 1:]) >= FULL_SCALE
    return int(np.count_nonzero(is_high & (channels[:, 1:] == channels[:, :-1])))
