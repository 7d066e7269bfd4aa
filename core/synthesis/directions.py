"""The directions of the latent space along which training sounds differ most."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from core.model.pca import principal_components
from core.model.reconstruction import BATCH
from core.seeding import generator

MOST_DIRECTIONS = 16


class LatentDirections(NamedTuple):
    """`mean` [latent], `directions` [count, latent], the strongest first, each for one standard deviation of
    the training sounds, and `projection` [latent, count], which gives the coordinates of a latent along
    them."""

    mean: Tensor
    directions: Tensor
    projection: Tensor


def strongest_directions(
    means: Tensor, decode: Callable[[Tensor], Tensor], most: int = MOST_DIRECTIONS
) -> LatentDirections:
    """The directions that change most what latents [chunks, latent] decode to, at least one.

    All latents have about the same variance, so that their own principal components say nothing of the sound.
    These are of the decoded log-mel spectrograms, and latents follow by regression on them.
    """
    chunks = len(means)
    count = max(1, min(most, chunks - 1, means.shape[1]))
    decoded = torch.cat([decode(part).flatten(1) for part in torch.split(means, BATCH)])
    found = principal_components(decoded, count, generator(0, "latent directions"))
    spread = found.deviations.clamp_min(torch.finfo(torch.float32).eps * decoded.abs().max())
    scores = (decoded - found.mean) @ found.directions / spread  # [chunks, count]
    mean = means.mean(0)
    directions = scores.T @ (means - mean) / chunks
    return LatentDirections(mean, directions, torch.linalg.pinv(directions))
