"""Does the model make different sounds, or one sound again and again?"""

import math

import torch
from torch import Tensor

from core.model.reconstruction import Reconstruction

ALIKE, NO_LONGER_ALIKE = 0.3, 0.36  # of the smaller of the two sides' distances


def diversity(new: Tensor, training: Reconstruction, validation: Reconstruction) -> float:
    """Mean distance between new sounds [sounds, …], relative to that between given ones.

    Near 1 for sounds as different as the given ones, near 0 for one sound again and again.  The given ones
    are held-out or training sounds, whichever differ less: a held-out side of a few unlike sounds may differ
    by far more than what was learnt from.  They are compared as they are, as a model that makes one sound of
    everything reconstructs them alike too.  A side of one sound, or of equal ones, does not count; NaN if
    neither does.
    """
    sides = (mean_distance(side.log_mel) for side in (validation, training))
    return mean_distance(new) / min((distance for distance in sides if distance > 0), default=math.nan)


def sameness_warning(ratio: float, is_active: bool = False) -> str:
    """A message with advice if new sounds differ much less from each other than given ones do."""
    if not ratio < (NO_LONGER_ALIKE if is_active else ALIKE):
        return ""
    return (
        "New sounds are nearly all the same: they do not differ half as much as held-out ones. Longer "
        "training makes them differ more; if it does not, resume with a smaller kl_weight."
    )


def mean_distance(log_mel: Tensor) -> float:
    """Mean distance between any two of the sounds [sounds, …]; NaN for fewer than two."""
    return float(torch.pdist(log_mel.flatten(1)).mean())
