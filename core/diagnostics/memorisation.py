"""Does the model make new sounds, or repeat the ones it was shown?"""

import math

import torch
from torch import Tensor

from core.model.reconstruction import Reconstruction

REPEATING, NO_LONGER_REPEATING = 0.3, 0.36  # of held-out sounds' distance; near-copies have less
SMALLEST_DISTANCE = 1e-6


def nearness(new: Tensor, training: Reconstruction, validation: Reconstruction, detail: float = 0.0) -> float:
    """Median distance of new sounds [sounds, …] to the nearest training sound, relative to held-out ones'.

    Near 1 for sounds as new as held-out ones, near 0 for copies; NaN if held-out sounds are training sounds.
    Both sides are compared as the model reconstructs them, so that blur does not count, with as much of what
    it leaves out as the new sounds have (`detail`).  After Meehan,
    Chaudhuri & Dasgupta, "A Non-Parametric Test to Detect Data-Copying", AISTATS 2020.
    """
    if torch.equal(validation.log_mel, training.log_mel):
        return math.nan
    known, held_out = (side.decoded.lerp(side.log_mel, detail) for side in (training, validation))
    return nearest_distance(new, known) / max(nearest_distance(held_out, known), SMALLEST_DISTANCE)


def memorisation_warning(ratio: float, is_active: bool = False) -> str:
    """A message with advice if new sounds are much nearer to training sounds than held-out ones are."""
    if not ratio < (NO_LONGER_REPEATING if is_active else REPEATING):
        return ""
    return (
        "New sounds repeat training sounds: they are not half as far from them as held-out ones. More sounds "
        "make them newer, or resume with a larger augmentation_strength."
    )


def nearest_distance(log_mel: Tensor, others: Tensor) -> float:
    """Median over `log_mel` [chunks, …] of the distance to the nearest of `others` [chunks, …]."""
    return float(torch.cdist(log_mel.flatten(1), others.flatten(1)).min(1).values.median())
