"""A constant offset of a recording: inaudible, but a gain raises it too.  Imports no torch."""

from collections.abc import Sequence

import numpy as np

from core.audio.reader import Samples

LONGEST_PERIOD_S = 0.05  # of an audible tone: a shorter sound has no mean to leave out
SMALLEST_OFFSET = 10 ** (-40 / 20)  # of the peak without it; a tone that is cut off has less


def find_offset(blocks: Sequence[Samples], sample_rate: int) -> float:
    """The offset of mono samples, which are one sound in blocks; 0 if it has none."""
    length = sum(map(len, blocks))
    if length <= LONGEST_PERIOD_S * sample_rate:
        return 0.0
    mean = sum(float(block.sum(dtype=np.float64)) for block in blocks) / length
    peak = max(float(np.abs(block - mean).max(initial=0.0)) for block in blocks)
    return mean if abs(mean) > SMALLEST_OFFSET * peak else 0.0
