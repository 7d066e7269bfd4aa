"""Where the sounds of a dataset lie in the latent space."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Self

import torch
from torch import Tensor

from core.model.reconstruction import Reconstruction
from core.seeding import generator
from core.synthesis.sounds import Origin, TrainingSounds

LARGEST_LATENT = 1e4  # deviations of the prior: keeps the distribution of a model gone wrong finite
NEIGHBOURS = 16  # the training sounds most like one, itself among them
PARTNERS = 4  # the first of these: sounds so alike that each may have the detail of the other
COARSE = 32  # leading latents, those of the first principal components, in which new sounds vary
AUDIBLE_RANGE_DB = (
    50.0  # below the loudest moment of all: the ends of long sounds have chunks of near-silence
)
LARGEST_BANDWIDTH = 4.0
BANDWIDTH = 1.3  # of the neighbours' deviation: wider ones fit the sounds less, narrower ones repeat them
USUAL_ALIKENESS = 0.35  # of drums, loops and instruments: 0.35 to 0.6; of speech 0.12
SMALLEST_CLOSENESS = 0.25  # of the bandwidth, whatever the sounds
FEWEST_TO_COMPARE = 8  # neighbours; fewer say nothing of how much alike sounds of this kind are


class Drawn(NamedTuple):
    """New latents [count, latent], and the training sounds that each is like.

    Their coarse latents vary around those of `sources` [count]; the others are those of `partners` [count],
    sounds like these, whose detail belongs to them.
    """

    latents: Tensor
    sources: Tensor
    partners: Tensor


class _Step(NamedTuple):
    """Normal numbers: of each neighbour [count, 1, kernel], and of the posterior [count, latent]."""

    weights: Tensor
    noise: Tensor


@dataclass(frozen=True)
class LatentDistribution:
    """A kernel density whose kernels follow the sounds: each varies as the sounds most like its own do.

    Only the coarse latents vary.  The fine ones say little about a sound but how its cells are filled, and
    are taken together from one sound: sums of several are further from the sounds, and no newer.

    `means` [chunks, latent] are those of the training sounds, `neighbours` [chunks, count] the sounds nearest
    to each, itself first, and `deviation` [latent] that of the posterior.  Vincent & Bengio, "Manifold Parzen
    Windows", NIPS 2002; `benchmarks/sampling.py` compares bandwidths and numbers of neighbours.

    `sounds` are the training sounds themselves, if they are kept; `origins` says where each comes from,
    empty if that is not known.
    """

    means: Tensor
    neighbours: Tensor
    deviation: Tensor
    bandwidth: float
    sounds: TrainingSounds | None = None
    origins: tuple[Origin, ...] = ()

    def __len__(self) -> int:
        """Number of training sounds."""
        return len(self.means)

    def draw(self, count: int, draws: torch.Generator) -> Drawn:
        """So many new latents, each of a source and a partner with equal chances.

        With the same generator they are near the same sounds, whatever the model made of these.
        """
        chunks, kernel = self.neighbours.shape
        sources = pick(chunks, count, draws)
        step = self._step(count, draws)
        others = 1 + pick(min(kernel - 1, PARTNERS), count, draws) if kernel > 1 else 0 * sources
        sources, others = sources.to(self.means.device), others.to(self.means.device)
        return self._vary(sources, self.neighbours[sources, others], step)

    def draw_number(self, seed: int, number: int, temperature: float = 1.0) -> Drawn:
        """The new latents [1, latent] of this number in a series, whatever else is drawn of it.

        The sources are all the training sounds in turn that are not as good as silent, in an order that the
        seed shuffles, and each time with another partner, so that no two of a series are drawn alike before
        they have to be.  `temperature` scales how far each is from its source: with 0 it is its source with
        the detail of its partner.
        """
        sources = self._audible
        partners = min(self.neighbours.shape[1] - 1, PARTNERS)
        turn, place = divmod(number, len(sources))
        order = torch.randperm(len(sources), generator=generator(seed, "order", turn // max(1, partners)))
        other = 1 + (turn + place) % partners if partners else 0
        return self._draw_at(
            int(sources[order[place]]), other, generator(seed, "generate", number), temperature
        )

    def wander(self, source: int, draws: torch.Generator, temperature: float = 1.0) -> Iterator[Drawn]:
        """Latents [1, latent] without end, each near a neighbour of the one before."""
        kernel = self.neighbours.shape[1]
        while True:
            other = _pick_other(min(kernel - 1, PARTNERS), draws)
            yield self._draw_at(source, other, draws, temperature)
            audible = self._audible[torch.isin(self._audible, self.neighbours[source, 1:].cpu())]
            source = int(audible[pick(len(audible), 1, draws)]) if len(audible) else source

    def move(self, source: int, draws: torch.Generator) -> tuple[Tensor, int]:
        """How far [1, COARSE] a new sound may be from a training sound, and the partner it would have."""
        other = _pick_other(min(self.neighbours.shape[1] - 1, PARTNERS), draws)
        move = self._move(torch.tensor([source], device=self.means.device), self._step(1, draws))
        return move[:, :COARSE], int(self.neighbours[source, other])

    @cached_property
    def _audible(self) -> Tensor:
        """The training sounds that are not as good as silent; all if that is not known."""
        everyone = torch.arange(len(self.means))
        if self.sounds is None:
            return everyone
        loudness_db = self.sounds.loudest_db().cpu()
        return everyone[loudness_db >= loudness_db.max() - AUDIBLE_RANGE_DB]

    def _draw_at(self, source: int, other: int, draws: torch.Generator, temperature: float) -> Drawn:
        sources = torch.tensor([source], device=self.means.device)
        return self._vary(sources, self.neighbours[sources, other], self._step(1, draws), temperature)

    def _step(self, count: int, draws: torch.Generator) -> _Step:
        kernel, latent = self.neighbours.shape[1], self.means.shape[1]
        weights = torch.randn(count, 1, kernel, generator=draws)
        noise = torch.randn(count, latent, generator=draws)
        return _Step(weights.to(self.means.device), noise.to(self.means.device))

    def _vary(self, sources: Tensor, partners: Tensor, step: _Step, temperature: float = 1.0) -> Drawn:
        move = temperature * self._move(sources, step)
        latents = torch.cat([(self.means[sources] + move)[:, :COARSE], self.means[partners, COARSE:]], dim=1)
        return Drawn(latents, sources, partners)

    def _move(self, sources: Tensor, step: _Step) -> Tensor:
        """As far as new sounds are from their sources [count]: [count, latent]."""
        around = self.means[self.neighbours[sources]]  # [count, kernel, latent]
        spread: Tensor = (step.weights @ (around - around.mean(1, keepdim=True))).squeeze(1)
        move: Tensor = self.bandwidth * spread / around.shape[1] ** 0.5 + step.noise * self.deviation
        return move

    def state_dict(self) -> dict[str, Any]:
        return {
            "means": self.means,
            "neighbours": self.neighbours.int(),
            "deviation": self.deviation,
            "bandwidth": self.bandwidth,
            "sounds": self.sounds.state_dict() if self.sounds else None,
            "origins": [each.state_dict() for each in self.origins],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any], device: torch.device) -> Self:
        """Read what `state_dict` gave.  Raises KeyError, TypeError or ValueError if the parts do not fit."""
        means, deviation = (state[name].to(device).float() for name in ("means", "deviation"))
        neighbours = state["neighbours"].to(device).long()
        chunks, latent = means.shape
        if not chunks or neighbours.ndim != 2 or not neighbours.shape[1]:
            raise ValueError("it has no latents of training sounds")
        if max(float(means.abs().max()), float(deviation.abs().max())) > LARGEST_LATENT:
            raise ValueError("its latents are too large")
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
        origins = tuple(Origin.from_state(each) for each in state.get("origins", ()))  # likewise
        if origins and len(origins) != chunks:
            raise ValueError("its latents are not of its training sounds")
        return cls(means, neighbours, deviation, bandwidth, sounds, origins)


class Neighbourhoods(NamedTuple):
    """The sounds most like each training sound, and how far a new one may go towards them.

    `neighbours` [chunks, count] are indices, the sound itself first; `bandwidth` is in deviations of these.
    """

    neighbours: Tensor
    bandwidth: float


def fit_latents(
    reconstruction: Reconstruction,
    neighbourhoods: Neighbourhoods | None = None,
    sounds: TrainingSounds | None = None,
    origins: Sequence[Origin] = (),
) -> LatentDistribution:
    """The distribution of the latents of these training sounds, posterior noise included.

    A decoder has only learnt latents from there, and the prior is wider wherever the two differ: Ghosh et
    al., "From Variational to Deterministic Autoencoders", ICLR 2020.  Which sounds are alike is seen in
    their spectrograms, so `neighbourhoods`, what `find_neighbourhoods` gives for these, do not depend on the
    model.
    """
    means = reconstruction.mean.nan_to_num().clamp(-LARGEST_LATENT, LARGEST_LATENT)
    deviation = reconstruction.log_variance.exp().mean(0).sqrt().nan_to_num()
    found = find_neighbourhoods(reconstruction.log_mel) if neighbourhoods is None else neighbourhoods
    return LatentDistribution(means, found.neighbours, deviation, found.bandwidth, sounds, tuple(origins))


def find_neighbourhoods(log_mel: Tensor) -> Neighbourhoods:
    """Those of training sounds [chunks, …], with a bandwidth for how much alike neighbours are.

    Where a sound's nearest is hardly nearer than its neighbours are to each other (speech), what lies between
    them is no sound of the kind, and new ones stay nearer.  They do too where the neighbours are most of the
    sounds.
    """
    chunks = len(log_mel)
    distances = _distances(log_mel)
    neighbours = _nearest(distances, min(chunks, NEIGHBOURS))
    share = neighbours.shape[1] / chunks
    closeness = min(1.0, max(SMALLEST_CLOSENESS, _alikeness(distances, neighbours) / USUAL_ALIKENESS))
    return Neighbourhoods(neighbours, BANDWIDTH * closeness * (1 - 0.75 * share))


def _alikeness(distances: Tensor, neighbours: Tensor) -> float:
    """By how much a sound's nearest is nearer than two of its neighbours are to each other.

    From 0 for sounds that are all equally far from each other to 1 for duplicates; the mean over all.
    """
    count = neighbours.shape[1]
    if count < FEWEST_TO_COMPARE:
        return USUAL_ALIKENESS
    nearest = distances.gather(1, neighbours[:, 1:2]).squeeze(1)
    among = distances[neighbours.unsqueeze(2), neighbours.unsqueeze(1)]  # [chunks, count, count]
    usual = (among.square().sum((1, 2)) / (count * (count - 1))).sqrt()
    return 1 - float((nearest / usual.clamp_min(torch.finfo(usual.dtype).tiny)).mean())


def pick(things: int, count: int, generator: torch.Generator) -> Tensor:
    """Draw so many of the things with equal chances."""
    return (torch.rand(count, generator=generator) * things).long().clamp(max=things - 1)


def _pick_other(others: int, draws: torch.Generator) -> int:
    """A number from 1 to `others`; 0, the sound itself, if there are no others."""
    return 1 + int(pick(others, 1, draws)) if others else 0


def nearest_sounds(log_mel: Tensor, count: int) -> Tensor:
    """Indices [chunks, count] of those nearest to each of the sounds [chunks, …], itself first."""
    return _nearest(_distances(log_mel), count)


def _distances(log_mel: Tensor) -> Tensor:
    """Between all the sounds: [chunks, chunks]."""
    flat = log_mel.flatten(1)
    return torch.cdist(flat, flat).fill_diagonal_(0.0)


def _nearest(distances: Tensor, count: int) -> Tensor:
    distances = distances.clone().fill_diagonal_(-1.0)  # itself also before its duplicates
    return distances.topk(count, largest=False).indices
