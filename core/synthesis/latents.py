"""Where the sounds of a dataset lie in the latent space."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from core.model.reconstruction import Reconstruction
from core.synthesis.sounds import TrainingSounds

LARGEST_LATENT = 1e4  # deviations of the prior: keeps the distribution of a model gone wrong finite
NEIGHBOURS = 16  # the training sounds most like one, itself among them
LARGEST_BANDWIDTH = 4.0
BANDWIDTH = 1.8  # of the neighbours' deviation: wider ones fit the sounds less, narrower ones repeat them


class Drawn(NamedTuple):
    """New latents [count, latent], and the training sounds that each is like.

    `sources` [count] are the sounds that they were drawn around, `partners` [count] others like these, whose
    detail takes over at a band: `crossings` [count] are where, from the lowest band (0) to the highest (1),
    and negative where it takes over below it instead of above.
    """

    latents: Tensor
    sources: Tensor
    partners: Tensor
    crossings: Tensor


@dataclass(frozen=True)
class LatentDistribution:
    """A kernel density whose kernels follow the sounds: each varies as the sounds most like its own do.

    `means` [chunks, latent] are those of the training sounds, `neighbours` [chunks, count] the sounds nearest
    to each, itself first, and `deviation` [latent] that of the posterior.  Vincent & Bengio, "Manifold Parzen
    Windows", NIPS 2002; `benchmarks/sampling.py` compares bandwidths and numbers of neighbours.

    `sounds` are the training sounds themselves, if they are kept.
    """

    means: Tensor
    neighbours: Tensor
    deviation: Tensor
    bandwidth: float
    sounds: TrainingSounds | None = None

    def draw(self, count: int, generator: torch.Generator) -> Drawn:
        """So many new latents.

        With the same generator they are near the same sounds, whatever the model made of these.
        """
        chunks, kernel = self.neighbours.shape
        sources = pick(chunks, count, generator)
        weights = torch.randn(count, 1, kernel, generator=generator)
        noise = torch.randn(count, self.means.shape[1], generator=generator)
        others = pick(kernel, count, generator)
        crossings = 2 * torch.rand(count, generator=generator) - 1
        device = self.means.device
        sources, weights, noise, others, crossings = (
            each.to(device) for each in (sources, weights, noise, others, crossings)
        )
        around = self.means[self.neighbours[sources]]  # [count, kernel, latent]
        step = (weights @ (around - around.mean(1, keepdim=True))).squeeze(1) / kernel**0.5
        latents = self.means[sources] + self.bandwidth * step + noise * self.deviation
        return Drawn(latents, sources, self.neighbours[sources, others], crossings)

    def state_dict(self) -> dict[str, Any]:
        return {
            "means": self.means,
            "neighbours": self.neighbours.int(),
            "deviation": self.deviation,
            "bandwidth": self.bandwidth,
            "sounds": self.sounds.state_dict() if self.sounds else None,
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
        if not 0 <= bandwidth <= LARGEST_BANDWIDTH:
            raise ValueError(f"the bandwidth is not between 0 and {LARGEST_BANDWIDTH}")
        kept = state.get("sounds")  # older versions kept none
        sounds = TrainingSounds.from_state(kept, device) if kept is not None else None
        if sounds is not None and len(sounds) != chunks:
            raise ValueError("its latents are not of its training sounds")
        return cls(means, neighbours.long(), deviation, bandwidth, sounds)


def fit_latents(
    reconstruction: Reconstruction, neighbours: Tensor | None = None, sounds: TrainingSounds | None = None
) -> LatentDistribution:
    """The distribution of the latents of these training sounds, posterior noise included.

    A decoder has only learnt latents from there, and the prior is wider wherever the two differ: Ghosh et
    al., "From Variational to Deterministic Autoencoders", ICLR 2020.  Which sounds are alike is seen in
    their spectrograms, so `neighbours`, what `find_neighbours` gives for these, do not depend on the model.
    """
    means = reconstruction.mean.nan_to_num().clamp(-LARGEST_LATENT, LARGEST_LATENT)
    deviation = reconstruction.log_variance.exp().mean(0).sqrt().nan_to_num()
    if neighbours is None:
        neighbours = find_neighbours(reconstruction.log_mel)
    share = neighbours.shape[1] / len(neighbours)  # of a few sounds, all are neighbours and less alike
    return LatentDistribution(means, neighbours, deviation, BANDWIDTH * (1 - share / 2), sounds)


def find_neighbours(log_mel: Tensor) -> Tensor:
    """Indices [chunks, count] of the sounds most like each of [chunks, …], itself first."""
    return nearest_sounds(log_mel, min(len(log_mel), NEIGHBOURS))


def pick(things: int, count: int, generator: torch.Generator) -> Tensor:
    """Draw so many of the things with equal chances."""
    return (torch.rand(count, generator=generator) * things).long().clamp(max=things - 1)


def nearest_sounds(log_mel: Tensor, count: int) -> Tensor:
    """Indices [chunks, count] of those nearest to each of the sounds [chunks, …], itself first."""
    flat = log_mel.flatten(1)
    distances = torch.cdist(flat, flat).fill_diagonal_(-1.0)  # also before its duplicates
    return distances.topk(count, largest=False).indices
