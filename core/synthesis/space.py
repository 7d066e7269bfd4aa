"""The latent space as a place to move in: its strongest directions, and a map of the training sounds."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor

from core.config.making import DIRECTIONS, ExploreSettings
from core.synthesis.bundle import ModelBundle
from core.synthesis.encoded import EncodedSound, nearest_training, training_sound
from core.synthesis.latents import COARSE

CLEAR_CORRELATION = 0.4  # less says nothing about what a direction does
FEWEST_TO_NAME = 8  # training sounds; a direction of fewer correlates with anything


@dataclass(frozen=True)
class SpaceMap:
    """Plain values to draw: where each training sound lies along every direction, in deviations.

    `names` are the files of the sounds, `labels` what a direction does to them, as a word for less and one
    for more of it; both may be empty.
    """

    points: tuple[tuple[float, ...], ...]
    names: tuple[str, ...]
    labels: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class LatentSpace:
    """The principal directions of the coarse latents of the training sounds, strongest first."""

    bundle: ModelBundle

    @cached_property
    def directions(self) -> Tensor:
        """[directions, latent]: steps of one deviation of the training sounds."""
        means = self.bundle.latents.means
        coarse = (means - means.mean(0))[:, :COARSE]
        _, sizes, rows = torch.linalg.svd(coarse.double(), full_matrices=False)
        steps = rows * (sizes / max(1, len(means) - 1) ** 0.5).unsqueeze(1)
        steps = steps[:DIRECTIONS] * rows[:DIRECTIONS].sum(1, keepdim=True).sign()  # a sign for good
        directions = means.new_zeros(DIRECTIONS, means.shape[1])
        directions[: len(steps), : steps.shape[1]] = steps.to(means)
        return directions

    @cached_property
    def points(self) -> Tensor:
        """Where the training sounds lie [chunks, directions], in deviations."""
        means = self.bundle.latents.means
        lengths = self.directions.square().sum(1).clamp_min(torch.finfo(means.dtype).tiny)
        return (means - means.mean(0)) @ self.directions.T / lengths

    def sound(self, settings: ExploreSettings) -> EncodedSound:
        """A training sound moved along the directions.  Raises IndexError if there is none of this number."""
        base = training_sound(self.bundle, settings.base - 1, settings.detail)
        offsets = torch.tensor([settings.offsets], device=self.bundle.device)
        latent = base.latent + offsets @ self.directions
        decoded = self.bundle.decode(latent, base.residual)
        near = nearest_training(self.bundle, decoded, latent)
        return replace(base, latent=latent, near=near, decoded=decoded)

    def describe(self) -> SpaceMap:
        points = tuple(tuple(round(value, 4) for value in row) for row in self.points.tolist())
        origins = [self.bundle.origin(number) for number in range(len(points))]
        names = tuple(origin.path or f"training sound {1 + n}" for n, origin in enumerate(origins))
        return SpaceMap(points, names, self._labels())

    def _labels(self) -> tuple[tuple[str, str], ...]:
        """What each direction does, by the feature of the training sounds that it goes with most."""
        nothing = ("", "")
        features = self._features()
        if not features or len(self.points) < FEWEST_TO_NAME:
            return (nothing,) * DIRECTIONS
        labels = []
        for along in self.points.T:
            strengths = {words: _correlation(along, feature) for words, feature in features.items()}
            words = max(strengths, key=lambda each: abs(strengths[each]))
            labels.append(
                nothing
                if abs(strengths[words]) < CLEAR_CORRELATION
                else words
                if strengths[words] > 0
                else words[::-1]
            )
        return tuple(labels)

    def _features(self) -> Mapping[tuple[str, str], Tensor]:
        """Of each training sound, by the words for less and more of it; none if the sounds are not kept."""
        kept = self.bundle.latents.sounds
        if kept is None:
            return {}
        log_mel = kept.log_mel(torch.arange(len(kept), device=self.bundle.device)).squeeze(1)
        power = log_mel.expm1()
        bands = torch.arange(power.shape[1], device=power.device)[:, None]
        frames = torch.arange(power.shape[2], device=power.device)
        whole = power.sum((1, 2)).clamp_min(1e-9)
        return {
            ("darker", "brighter"): (power * bands).sum((1, 2)) / whole,
            ("quieter", "louder"): whole.log(),
            ("shorter", "longer"): (power.sum(1) * frames).sum(1) / whole,
            ("tonal", "noisy"): log_mel.mean((1, 2)) - log_mel.amax(1).mean(1),
        }


def _correlation(first: Tensor, second: Tensor) -> float:
    stacked = torch.stack([first.double(), second.double()])
    return float(torch.corrcoef(stacked)[0, 1].nan_to_num())
