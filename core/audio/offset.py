"""A constant offset of a recording: inaudible, but a gain raises it too.  Imports no torch."""

from collections.abc import Sequence

import numpy as np

from core.audio.reader import Samples

LONGEST_PERIOD_S = 0.05  # of an audible tone: a shorter sound has no mean to leave out
SMALLEST_OFFSET = 10 ** (-40 / 20)  # of the peak without it; a tone that is cut off has less


class OffsetMeter:
    """Finds the offset of mono samples that come in blocks."""

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._sum = 0.0
        self._lowest, self._highest = np.inf, -np.inf
        self.samples = 0

    def add(self, block: Samples) -> None:
        """Take in the next samples."""
        self.samples += len(block)
        self._sum += float(block.sum(dtype=np.float64))
        self._lowest = float(block.min(initial=self._lowest))
        self._highest = float(block.max(initial=self._highest))

    @property
    def offset(self) -> float:
        """0 if there is none."""
        if self.samples <= LONGEST_PERIOD_S * self._sample_rate:
            return 0.0
        mean = self._sum / self.samples
        return mean if abs(mean) > SMALLEST_OFFSET * self._peak_around(mean) else 0.0

    @property
    def peak(self) -> float:
        """The largest sample without the offset; 0 if there are no samples."""
        return self._peak_around(self.offset) if self.samples else 0.0

    def _peak_around(self, mean: float) -> float:
        return max(self._highest - mean, mean - self._lowest)


def find_offset(blocks: Sequence[Samples], sample_rate: int) -> float:
    """The offset of mono samples, which are one sound in blocks; 0 if it has none."""
    meter = OffsetMeter(sample_rate)
    for block in blocks:
        meter.add(block)
    return meter.offset
