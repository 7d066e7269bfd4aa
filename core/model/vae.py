"""Convolutional variational autoencoder of log-mel spectrograms."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from core.config import ModelConfig

GROUPS = 8
LOG_VARIANCE_RANGE = (-12.0, 6.0)  # keeps exp() and the KL divergence finite whatever the encoder says


@dataclass(frozen=True)
class VAEOutput:
    """Reconstruction [batch, 1, mels, frames] and posterior, each [batch, latent], of a batch."""

    reconstruction: Tensor
    mean: Tensor
    log_variance: Tensor


class VAE(nn.Module):
    """Four stride-2 convolutions to a Gaussian posterior, and a mirrored decoder.

    Takes and gives log-mel spectrograms in their own units; it normalises inside, with statistics of the
    training sounds that are part of its state.  Kingma & Welling, "Auto-Encoding Variational Bayes", 2014.
    """

    band_mean: Tensor
    scale: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        features = math.prod(config.bottleneck)
        self.encoder = nn.Sequential(
            *_encoder_blocks(config.channels), nn.Flatten(), nn.Dropout(config.dropout)
        )
        self.posterior = nn.Linear(features, 2 * config.latent_dim)
        self.from_latent = nn.Linear(config.latent_dim, features)
        self.decoder = nn.Sequential(
            nn.Dropout(config.dropout), nn.Unflatten(1, config.bottleneck), *_decoder_blocks(config.channels)
        )
        self.register_buffer("band_mean", torch.zeros(config.n_mels, 1))
        self.register_buffer("scale", torch.ones(()))

    def set_normalisation(self, band_mean: Tensor, scale: Tensor) -> None:
        """Mean of each mel band [mels] and one deviation [] of the training sounds."""
        self.band_mean.copy_(band_mean.unsqueeze(1))
        self.scale.copy_(scale)

    def encode(self, log_mel: Tensor) -> tuple[Tensor, Tensor]:
        """[batch, 1, mels, frames] to mean and log-variance of the posterior, each [batch, latent]."""
        normalised = (log_mel - self.band_mean) / self.scale
        padding = self.config.padded_frames - self.config.n_frames
        features = self.encoder(functional.pad(normalised, (0, padding)))
        mean, log_variance = self.posterior(features).chunk(2, dim=1)
        return mean, log_variance.clamp(*LOG_VARIANCE_RANGE)

    def decode(self, latent: Tensor) -> Tensor:
        """[batch, latent] to [batch, 1, mels, frames]."""
        normalised = self.decoder(functional.silu(self.from_latent(latent)))[..., : self.config.n_frames]
        log_mel: Tensor = normalised * self.scale + self.band_mean
        return log_mel

    def forward(self, log_mel: Tensor, noise: Tensor) -> VAEOutput:
        """`noise` [batch, latent] is standard normal, drawn by the caller so that a step can be repeated."""
        mean, log_variance = self.encode(log_mel)
        latent = mean + noise * (log_variance / 2).exp()
        return VAEOutput(self.decode(latent), mean, log_variance)


def _encoder_blocks(channels: tuple[int, ...]) -> list[nn.Module]:
    blocks: list[nn.Module] = []
    for inputs, outputs in zip((1, *channels[:-1]), channels, strict=True):
        blocks += [
            nn.Conv2d(inputs, outputs, kernel_size=3, stride=2, padding=1),
            nn.GroupNorm(GROUPS, outputs),
            nn.SiLU(),
        ]
    return blocks


def _decoder_blocks(channels: tuple[int, ...]) -> list[nn.Module]:
    blocks: list[nn.Module] = []
    for inputs, outputs in zip(channels[::-1], channels[-2::-1], strict=False):
        blocks += [
            nn.ConvTranspose2d(inputs, outputs, kernel_size=4, stride=2, padding=1),
            nn.GroupNorm(GROUPS, outputs),
            nn.SiLU(),
        ]
    # Straight to one channel: a further convolution at full resolution doubled the time of a step on a CPU.
    return [*blocks, nn.ConvTranspose2d(channels[0], 1, kernel_size=4, stride=2, padding=1)]
