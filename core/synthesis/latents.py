"""Where the sounds of a dataset lie in the latent space."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from core.model.reconstruction import Reconstruction

LARGEST_LATENT = 1e4  # deviations of the prior: keeps the distribution of a model gone wrong finite
NEIGHBOURS, FEWEST_NEIGHBOURS = 0.4, 16  # of the training sounds; a few of them are all alike enough
BANDWIDTH = 0.8  # of the neighbours' deviation: wider ones fit the sounds less, narrower ones repeat them


@dataclass(frozen=True)
class LatentDistribution:
    """A kernel density whose kernels follow the sounds: each varies as the sounds most like its own do.

    `means` [chunks, latent] are those of the training sounds, `neighbours` [chunks, count] the sounds nearest
    to each, itself among them, and `deviation` [latent] that of the posterior.  Vincent & Bengio, "Manifold
    Parzen Windows", NIPS 2002.  A kernel lies nearer to the centre of its neighbours than its sound does:
    half as much as would keep the deviation (Silverman, "Density Estimation", 1986, section 6.4), since
    decoded sounds, which are blurred, deviate less than latents.
    """

    means: Tensor
    neighbours: Tensor
    deviation: Tensor
    bandwidth: float = BANDWIDTH

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """New latents [count, latent].

        With the same generator they are near the same sounds, whatever the model made of these.
        """
        chunks, kernel = self.neighbours.shape
        picks = (torch.rand(count, generator=generator) * chunks).long().clamp(max=chunks - 1)
        weights = torch.randn(count, 1, kernel, generator=generator)
        noise = torch.randn(count, self.means.shape[1], generator=generator)
        picks, weights, noise = (each.to(self.means.device) for each in (picks, weights, noise))
        around = self.means[self.neighbours[picks]]  # [count, kernel, latent]
        centre = around.mean(1, keepdim=True)
        step = (weights @ (around - centre)).squeeze(1) / kernel**0.5 + noise * self.deviation
        nearer = 1 - (1 - self.bandwidth**2 / 2) ** 0.5
        drawn: Tensor = self.means[picks].lerp(centre.squeeze(1), nearer) + self.bandwidth * step
        return drawn

    def state_dict(self) -> dict[str, Any]:
        return {
            "means": self.means,
            "neighbours": self.neighbours.int(),
            "deviation": self.deviation,
            "bandwidth": self.bandwidth,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any], device: torch.device) -> Self:
        """Read what `state_dict` gave.  Raises KeyError, TypeError or ValueError if the parts do not fit."""
        means, neighbours, deviation = (
            state[name].to(device) for name in ("means", "neighbours", "deviation")
        )
        chunks, latent = means.shape
        if (
            deviation.shape != (latent,)
            or len(neighbours) != chunks
            or not ((neighbours >= 0) & (neighbours < chunks)).all()
        ):
            raise ValueError("latents, neighbours and deviation do not fit each other")
        bandwidth = float(state["bandwidth"])
        if not 0 <= bandwidth <= 1:
            raise ValueError("the bandwidth is not between 0 and 1")
        return cls(means, neighbours.long(), deviation, bandwidth)


def fit_latents(reconstruction: Reconstruction, neighbours: Tensor | None = None) -> LatentDistribution:
    """The distribution of the latents of these training sounds, posterior noise included.

    A decoder has only learnt latents from there, and the prior is wider wherever the two differ: Ghosh et
    al., "From Variational to Deterministic Autoencoders", ICLR 2020.  Which sounds are alike is seen in
    their spectrograms, so `neighbours`, what `find_neighbours` gives for these, do not depend on the model.
    """
    means = reconstruction.mean.nan_to_num().clamp(-LARGEST_LATENT, LARGEST_LATENT)
    deviation = reconstruction.log_variance.exp().mean(0).sqrt().nan_to_num()
    if neighbours is None:
        neighbours = find_neighbours(reconstruction.log_mel)
    return LatentDistribution(means, neighbours, deviation)


def find_neighbours(log_mel: Tensor) -> Tensor:
    """Indices [chunks, count] of the sounds most like each of [chunks, …], itself first."""
    count = min(len(log_mel), max(FEWEST_NEIGHBOURS, round(NEIGHBOURS * len(log_mel))))
    return nearest_sounds(log_mel, count)


def nearest_sounds(log_mel: Tensor, count: int) -> Tensor:
    """Indices [chunks, count] of those nearest to each of the sounds [chunks, …], itself first."""
    flat = log_mel.flatten(1)
    distances = torch.cdist(flat, flat).fill_diagonal_(-1.0)  # also before its duplicates
    return distances.topk(count, largest=False).indices
