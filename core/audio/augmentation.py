"""Augmentation of training batches: first draw the parameters, then apply them to the whole batch at once."""

from dataclasses import dataclass, fields
from typing import Self

import torch
from torch import Tensor

from core.config import TrainingConfig
from core.device import to_device

GAIN_DB = 6.0
TIME_SHIFT_FRACTION = 0.1  # of a chunk
CROP_FRACTION = 0.5  # of a chunk
PITCH_SEMITONES = 3.0
SPEED_FRACTION = 0.18
NOISE_DB = (-60.0, -40.0)  # relative to the chunk's RMS
NOISE_BANK_SAMPLES = 1 << 19


@dataclass(frozen=True)
class Augmentation:
    """The transforms of each item of a batch; every field is a tensor [batch].

    `crop_samples` moves a chunk inside its sound, `shift_samples` also past the sound's edges; `speed` is the
    ratio at which it is read, `noise_gain` is relative to the RMS of the chunk and 0 for no noise.
    """

    crop_samples: Tensor
    shift_samples: Tensor
    speed: Tensor
    gain: Tensor
    pitch_semitones: Tensor
    noise_gain: Tensor
    noise_offset: Tensor

    def first(self, count: int) -> Self:
        """Those of the first items."""
        return type(self)(*(getattr(self, each.name)[:count] for each in fields(self)))


def draw_augmentation(
    config: TrainingConfig, batch: int, chunk_samples: int, generator: torch.Generator
) -> Augmentation:
    """Draw each transform with its own probability; ranges scale with `augmentation_strength`."""
    strength = config.augmentation_strength

    def uniform() -> Tensor:
        return torch.rand(batch, generator=generator)

    def symmetric(probability: float) -> Tensor:
        """-1 to 1, or 0 where the transform is not applied."""
        value = 2 * uniform() - 1
        return torch.where(uniform() < probability, value, torch.zeros(()))

    crop = symmetric(config.random_crop_probability) * CROP_FRACTION * chunk_samples
    shift = symmetric(config.time_shift_probability) * strength * TIME_SHIFT_FRACTION * chunk_samples
    speed = 1 + symmetric(config.speed_probability) * strength * SPEED_FRACTION
    gain_db = symmetric(config.gain_probability) * strength * GAIN_DB
    pitch = symmetric(config.pitch_shift_probability) * strength * PITCH_SEMITONES
    is_noisy = uniform() < config.noise_probability
    noise_db = NOISE_DB[0] + uniform() * (NOISE_DB[1] - NOISE_DB[0])
    return Augmentation(
        crop_samples=crop.round().long(),
        shift_samples=shift.round().long(),
        speed=speed,
        gain=10 ** (gain_db / 20),
        pitch_semitones=pitch,
        noise_gain=is_noisy * strength * 10 ** (noise_db / 20),
        noise_offset=(uniform() * NOISE_BANK_SAMPLES).long(),
    )


def noise_bank() -> Tensor:
    """White Gaussian noise of unit variance, drawn once; batches read it from random offsets."""
    return torch.randn(NOISE_BANK_SAMPLES, generator=torch.Generator().manual_seed(0))


def add_noise(waveform: Tensor, augmentation: Augmentation, bank: Tensor) -> Tensor:
    """Add noise to the items [batch, samples] with a noise gain; silence stays silent."""
    noisy = augmentation.noise_gain.nonzero().squeeze(1)
    if len(noisy) == 0:
        return waveform
    device = waveform.device
    samples = torch.arange(waveform.shape[1], device=device)
    offsets = to_device(augmentation.noise_offset[noisy], device)
    gain = to_device(augmentation.noise_gain[noisy], device)
    noise = bank[(offsets.unsqueeze(1) + samples) % len(bank)]
    noisy = to_device(noisy, device)
    level = gain.unsqueeze(1) * waveform[noisy].square().mean(1, keepdim=True).sqrt()
    return waveform.index_add(0, noisy, noise * level)
