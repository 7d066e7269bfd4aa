"""What every variational autoencoder of log-mel spectrograms here has in common."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from core.config import ModelConfig
from core.optim.groups import ParameterGroup

LOG_VARIANCE_RANGE = (-12.0, 6.0)  # keeps exp() and the KL divergence finite whatever the encoder returns
SMALLEST_SCALE = 0.05  # of log-mel: a dataset of one constant sound must not be blown up


@dataclass(frozen=True)
class VAEOutput:
    """Reconstruction [batch, 1, mels, frames] and posterior, each [batch, latent], of a batch."""

    reconstruction: Tensor
    mean: Tensor
    log_variance: Tensor


class VAE(nn.Module, ABC):
    """A Gaussian posterior over a latent vector, and a decoder of it.

    Takes and returns log-mel spectrograms in their own units; it normalises inside, with statistics of the
    training sounds that are part of its state.  What it returns is float32, under autocast too.  Kingma &
    Welling, "Auto-Encoding Variational Bayes", 2014.
    """

    cuda_memory_format = (
        torch.contiguous_format
    )  # of the weights: the faster one for this model's convolutions
    encoder_parts: ClassVar[tuple[str, ...]] = ()  # weights and layers that decoding does without
    band_mean: Tensor
    scale: Tensor

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.config = config
        self.register_buffer("band_mean", torch.zeros(config.n_mels, 1))
        self.register_buffer("scale", torch.ones(()))

    def initialise(
        self, log_mel: Tensor, generator: torch.Generator, cancelled: Callable[[], bool] = lambda: False
    ) -> None:
        """Set the normalisation from augmented training sounds [crops, 1, mels, frames]: the mean of each mel
        band, and one standard deviation around it.  Raises Cancelled within a second."""
        mean = log_mel.mean(dim=(0, 1, 3)).unsqueeze(1)
        self.band_mean.copy_(mean)
        self.scale.copy_((log_mel - mean).square().mean().sqrt().clamp_min(SMALLEST_SCALE))

    def encode(self, log_mel: Tensor) -> tuple[Tensor, Tensor]:
        """[batch, 1, mels, frames] to mean and log-variance of the posterior, each [batch, latent]."""
        mean, log_variance = self.posterior((log_mel - self.band_mean) / self.scale)
        return mean.float(), log_variance.float().clamp(*LOG_VARIANCE_RANGE)

    def decode(self, latent: Tensor) -> Tensor:
        """[batch, latent] to [batch, 1, mels, frames]."""
        log_mel: Tensor = self.decode_normalised(latent).float() * self.scale + self.band_mean
        return log_mel

    def forward(self, log_mel: Tensor, noise: Tensor) -> VAEOutput:
        """`noise` [batch, latent] is standard normal, drawn by the caller so that a step is reproducible."""
        mean, log_variance = self.encode(log_mel)
        latent = mean + noise * (log_variance / 2).exp()
        return VAEOutput(self.decode(latent), mean, log_variance)

    def parameter_groups(self) -> list[ParameterGroup]:
        """All weights, each in one group."""
        return [ParameterGroup(list(self.parameters()))]

    @abstractmethod
    def posterior(self, normalised: Tensor) -> tuple[Tensor, Tensor]:
        """Normalised spectrograms [batch, 1, mels, frames] to mean and log-variance, each [batch, latent]."""

    @abstractmethod
    def decode_normalised(self, latent: Tensor) -> Tensor:
        """[batch, latent] to normalised spectrograms [batch, 1, mels, frames]."""
