"""Does the model make new sounds, or repeat the ones it was shown?"""

import math
from collections.abc import Callable

import torch
from torch import Tensor

from core.errors import Cancelled
from core.model import VAE
from core.model.latents import LatentDistribution, fit_latents
from core.seeding import generator

SAMPLES = 64
BATCH = 32
REPEATING, NO_LONGER_REPEATING = 0.3, 0.36  # of held-out sounds' distance; near-copies have less
SMALLEST_DISTANCE = 1e-6


def nearness(
    model: VAE,
    fitted: LatentDistribution,
    training_set: Tensor,
    validation_set: Tensor,
    seed: int,
    cancelled: Callable[[], bool] = lambda: False,
) -> float:
    """Median distance of new sounds to the nearest training sound, relative to that of held-out ones.

    Near 1 for sounds as new as unheard ones, near 0 for copies; NaN if held-out sounds are training sounds.
    Both sets are log-mel spectrograms [chunks, 1, mels, frames], and compared as the model reconstructs
    them, so that blur does not count.  After Meehan, Chaudhuri & Dasgupta, "A Non-Parametric Test to Detect
    Data-Copying", AISTATS 2020.  Raises Cancelled between batches.
    """
    if torch.equal(validation_set, training_set):
        return math.nan
    draws = generator(seed, "memorisation")
    picks = torch.rand(SAMPLES, generator=draws)
    latents = fitted.place(picks, torch.randn(SAMPLES, model.config.latent_dim, generator=draws))
    held_out = fit_latents(model, validation_set, BATCH, cancelled).means
    known, unheard, new = (_images(model, each, cancelled) for each in (fitted.means, held_out, latents))
    return nearest_distance(new, known) / max(nearest_distance(unheard, known), SMALLEST_DISTANCE)


def memorisation_warning(ratio: float, was_told: bool = False) -> str:
    """A sentence with advice if new sounds are much nearer to training sounds than held-out ones are."""
    if not ratio < (NO_LONGER_REPEATING if was_told else REPEATING):
        return ""
    return (
        f"New sounds repeat training sounds: they are {math.floor(100 * ratio)} % as far from them as "
        "held-out ones. More sounds or more augmentation make them newer."
    )


def nearest_distance(log_mel: Tensor, others: Tensor) -> float:
    """Median over `log_mel` [chunks, …] of the distance to the nearest of `others` [chunks, …]."""
    return float(torch.cdist(log_mel.flatten(1), others.flatten(1)).min(1).values.median())


@torch.no_grad()
def _images(model: VAE, latents: Tensor, cancelled: Callable[[], bool]) -> Tensor:
    images = []
    for batch in torch.split(latents, BATCH):
        if cancelled():
            raise Cancelled
        images.append(model.decode(batch))
    return torch.cat(images)
