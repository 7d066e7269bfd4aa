"""Sounds as a model has them: drawn, kept or encoded, then varied and interpolated."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from core.audio.reader import Samples
from core.data.clip import loudest_start
from core.synthesis.bundle import ModelBundle
from core.synthesis.latents import Drawn


@dataclass(frozen=True)
class EncodedSound:
    """One sound: what its latent [1, latent] decodes to, and a residual [1, 1, mels, frames] besides.

    `length_samples` of the chunk are sound.  `near` is the training sound it is most like, and `source` and
    `partner` are those that it was drawn from, if it was.  `decoded` is its spectrogram, if it is there.
    """

    name: str
    latent: Tensor
    residual: Tensor
    length_samples: int
    near: int
    source: int | None = None
    partner: int | None = None
    decoded: Tensor | None = None

    def log_mel(self, bundle: ModelBundle) -> Tensor:
        """The spectrogram [1, 1, mels, frames], ready to be rendered."""
        return bundle.decode(self.latent, self.residual) if self.decoded is None else self.decoded


def draw_sound(
    bundle: ModelBundle, seed: int, number: int, temperature: float = 1.0, detail: float | None = None
) -> EncodedSound:
    """The new sound of this number, from 0 on, in the series of this seed.

    It is as long as the training sound it was drawn around, or as the one it is most like if that is shorter.
    """
    drawn = bundle.latents.draw_number(seed, number, temperature)
    return _drawn_sound(bundle, drawn, f"sound {number + 1}", detail)


def wander(
    bundle: ModelBundle,
    source: int,
    draws: torch.Generator,
    temperature: float = 1.0,
    detail: float | None = None,
) -> Iterator[EncodedSound]:
    """New sounds without end, each near a neighbour of the one before."""
    for drawn in bundle.latents.wander(source, draws, temperature):
        yield _drawn_sound(bundle, drawn, bundle.origin(int(drawn.sources)).path, detail)


def _drawn_sound(bundle: ModelBundle, drawn: Drawn, name: str, detail: float | None) -> EncodedSound:
    residual = _training_residual(bundle, drawn.partners, bundle.detail if detail is None else detail)
    source, partner = int(drawn.sources), int(drawn.partners)
    decoded = bundle.decode(drawn.latents, residual)
    near = nearest_training(bundle, decoded, drawn.latents)
    length = min(bundle.origin(each).length_samples for each in (source, near))
    return EncodedSound(name, drawn.latents, residual, length, near, source, partner, decoded)


def training_sound(bundle: ModelBundle, number: int, detail: float = 1.0) -> EncodedSound:
    """A training sound as the model has it: with its residual it is the sound itself."""
    index = torch.tensor([number], device=bundle.device)
    origin = bundle.origin(number)
    return EncodedSound(
        origin.path or f"training sound {number + 1}",
        bundle.latents.means[index],
        _training_residual(bundle, index, detail),
        origin.length_samples,
        number,
        number,
        number,
    )


def encode_sound(bundle: ModelBundle, samples: Samples, name: str) -> EncodedSound:
    """Mono samples at the model's rate, their loudest chunk if they are longer than one."""
    start = loudest_start(samples, bundle.chunk_samples)
    chunk = samples[start : start + bundle.chunk_samples]
    padded = np.pad(chunk, (0, bundle.chunk_samples - len(chunk)))
    log_mel = bundle.log_mel(torch.from_numpy(padded)[None])
    latent = bundle.encode(log_mel)
    residual = bundle.residual_of(log_mel, latent)
    return EncodedSound(name, latent, residual, len(chunk), nearest_training(bundle, log_mel, latent))


def vary(bundle: ModelBundle, sound: EncodedSound, amount: float, draws: torch.Generator) -> EncodedSound:
    """A variation: at 0 the sound itself, at 1 as far from it as a new sound is from a training sound.

    It goes where the neighbours of the training sound that it is most like differ, and gets the fine latents
    and the residual of one of these by `amount`.
    """
    move, partner = bundle.latents.move(sound.near, draws)
    mixed = interpolate(sound, training_sound(bundle, partner), amount)
    coarse = move.shape[1]
    latent = torch.cat([sound.latent[:, :coarse] + amount * move, mixed.latent[:, coarse:]], dim=1)
    decoded = bundle.decode(latent, mixed.residual)
    near = nearest_training(bundle, decoded, latent)
    return EncodedSound(
        sound.name, latent, mixed.residual, mixed.length_samples, near, sound.near, partner, decoded
    )


def interpolate(first: EncodedSound, second: EncodedSound, position: float) -> EncodedSound:
    """The sound between two, at 0 the first and at 1 the second: latent, residual and length."""
    if position <= 0 or position >= 1:
        return first if position <= 0 else second
    nearer = first if position < 0.5 else second
    length = first.length_samples + position * (second.length_samples - first.length_samples)
    return replace(
        nearer,
        latent=first.latent.lerp(second.latent, position),
        residual=first.residual.lerp(second.residual, position),
        length_samples=round(length),
        decoded=None,
    )


def _training_residual(bundle: ModelBundle, index: Tensor, detail: float) -> Tensor:
    if bundle.latents.sounds is None or detail == 0:
        config = bundle.model.config
        return torch.zeros(1, 1, config.n_mels, config.n_frames, device=bundle.device)
    return detail * bundle.residuals(index)


def nearest_training(bundle: ModelBundle, log_mel: Tensor, latent: Tensor) -> int:
    """The training sound nearest to a spectrogram; to its latent if the sounds are not kept."""
    if bundle.latents.sounds is not None:
        return int(bundle.latents.sounds.nearest(log_mel))
    return int(torch.cdist(latent, bundle.latents.means).argmin())
