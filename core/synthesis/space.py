"""The latent space as a place to move in: its strongest directions, and a map of the training sounds."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import torch
from torch import Tensor, nn

from core.config.making import DIRECTIONS, ExploreSettings
from core.synthesis.bundle import ModelBundle
from core.synthesis.encoded import EncodedSound, nearest_training, training_sound

CLEAR_CORRELATION = 0.4  # less says nothing about what a direction does
FEWEST_TO_NAME = 8  # training sounds; a direction of fewer correlates with anything


@dataclass(frozen=True)
class LatentMap:
    """Plain values to draw: where each training sound lies along every direction, in deviations.

    `names` are the files of the sounds, `labels` what a direction does to them, as a word for less and one
    for more of it; both may be empty.  `made` is where sounds made from the model lie along the first two.
    """

    points: tuple[tuple[float, ...], ...]
    names: tuple[str, ...]
    labels: tuple[tuple[str, str], ...]
    made: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True)
class LatentSpace:
    """The directions along which the training sounds differ most as they are decoded, strongest first."""

    bundle: ModelBundle

    @cached_property
    def directions(self) -> Tensor:
        """[DIRECTIONS, latent]: steps of one deviation of the training sounds; 0 where there are fewer."""
        found = self.bundle.directions.directions[:DIRECTIONS]
        return nn.functional.pad(found, (0, 0, 0, DIRECTIONS - len(found)))

    def places(self, latents: Tensor) -> Tensor:
        """Where latents [count, latent] lie along the directions [count, DIRECTIONS], in deviations."""
        found = self.bundle.directions
        along = (latents - found.mean) @ found.projection[:, :DIRECTIONS]
        return nn.functional.pad(along, (0, DIRECTIONS - along.shape[1]))

    @cached_property
    def points(self) -> Tensor:
        """Where the training sounds lie [chunks, DIRECTIONS]."""
        return self.places(self.bundle.latents.means)

    def sound(self, settings: ExploreSettings) -> EncodedSound:
        """A training sound moved along the directions.  Raises IndexError if there is none of this number."""
        base = training_sound(self.bundle, settings.base - 1, settings.detail)
        offsets = torch.tensor([settings.offsets], device=self.bundle.device)
        latent = base.latent + offsets @ self.directions
        decoded = self.bundle.decode(latent, base.residual)
        near = nearest_training(self.bundle, decoded, latent)
        return replace(base, latent=latent, near=near, decoded=decoded)

    def describe(self, made: Tensor) -> LatentMap:
        """The map, with sounds of these latents [count, latent] that were made from the model."""
        points = tuple(tuple(round(value, 4) for value in row) for row in self.points.tolist())
        origins = [self.bundle.origin(number) for number in range(len(points))]
        names = tuple(origin.path or f"training sound {1 + n}" for n, origin in enumerate(origins))
        places = self.places(made.to(self.bundle.device))[:, :2].tolist()
        return LatentMap(points, names, self._labels(), tuple((x, y) for x, y in places))

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
    stacked = torch.stack([first, second]).cpu().double()
    return float(torch.corrcoef(stacked)[0, 1].nan_to_num())
