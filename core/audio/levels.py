"""Peaks in decibels, and the gain that brings sounds to one level.  Imports no torch."""

import math
from dataclasses import dataclass

NORMALISED_PEAK = 10 ** (-1 / 20)  # -1 dBFS leaves room for what lies between two samples
LARGEST_GAIN = 10 ** (80 / 20)
SMALLEST_PEAK = 1e-9  # less is silence, which no gain makes louder


def decibels(amplitude: float) -> float:
    """An amplitude in dB relative to full scale; minus infinity for 0."""
    return 20 * math.log10(amplitude) if amplitude > 0 else -math.inf


def gain_to_normalised(peak: float) -> float:
    """The factor, of 80 dB at most, that brings a peak to -1 dBFS; 1 for silence."""
    return min(NORMALISED_PEAK / peak, LARGEST_GAIN) if peak > SMALLEST_PEAK else 1.0


@dataclass(frozen=True)
class Level:
    """How sounds are brought to the level that a model is trained at: one gain for all, or each to one peak.

    `mode` is that of the setting `level`; `gain` is the dataset's, 1 for the other modes.
    """

    mode: str = "off"
    gain: float = 1.0

    def gain_of(self, peak: float) -> float:
        """The factor for a sound of this peak."""
        return gain_to_normalised(peak) if self.mode == "file" else self.gain

    def gain_of_foreign(self, peak: float) -> float:
        """The factor for a sound that is not of the dataset: none gets louder than the dataset's loudest."""
        gain = self.gain_of(peak)
        return gain if self.mode == "off" else min(gain, gain_to_normalised(peak))
