"""Reconstruction loss and KL divergence, and how they are weighted."""

from dataclasses import dataclass

import torch
from torch import Tensor

SMALLEST_MSE = 1e-4  # of normalised log-mel: keeps the logarithm finite when a model memorises its data
ACTIVE_KL_NATS = 0.1  # a latent dimension below this carries next to no information


@dataclass(frozen=True)
class Losses:
    """Scalars: `total = reconstruction + kl_weight * kl`."""

    total: Tensor
    reconstruction: Tensor
    kl: Tensor


def gaussian_kl(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, variance) ‖ N(0, 1)) in nats, elementwise: [batch, latent] to [batch, latent]."""
    return (mean.square() + log_variance.exp() - 1 - log_variance) / 2


def calibrated_losses(
    squared_error: Tensor, kl: Tensor, elements: int, kl_weight: float | Tensor, free_bits: float
) -> Losses:
    """Negative ELBO per element with the decoder's variance at its optimum, the mean squared error.

    `squared_error` [] is the mean over batch and elements, `kl` [batch, latent] in nats, `elements` how many
    numbers make up one item.  The optimum leaves log(MSE)/2 per element, so the two terms need no weight
    between them: Rybkin, Daniilidis & Levine, "Simple and Effective VAE Training with Calibrated Decoders",
    ICML 2021.  Free bits hold for each dimension's mean over the batch: Kingma et al., "Improved Variational
    Inference with Inverse Autoregressive Flow", 2016.
    """
    reconstruction = (squared_error + SMALLEST_MSE).log() / 2
    nats = kl.mean(0).clamp_min(free_bits).sum() / elements
    return Losses(reconstruction + kl_weight * nats, reconstruction, nats)


def mse_losses(squared_error: Tensor, kl: Tensor, kl_weight: float | Tensor, free_bits: float) -> Losses:
    """Mean squared error plus KL summed over dimensions, free bits in every sample: what most VAEs use.

    Kept for comparison.  The mean makes the error small against the KL divergence, so the latents stay at
    their floor and the sound stays blurred.
    """
    nats = kl.clamp_min(free_bits).sum(1).mean()
    return Losses(squared_error + kl_weight * nats, squared_error, nats)


def losses(
    kind: str, squared_error: Tensor, kl: Tensor, elements: int, kl_weight: float | Tensor, free_bits: float
) -> Losses:
    """The losses of a batch by the name of the setting `loss`: calibrated or mse."""
    if kind == "calibrated":
        return calibrated_losses(squared_error, kl, elements, kl_weight, free_bits)
    return mse_losses(squared_error, kl, kl_weight, free_bits)


def active_dimensions(kl_per_dimension: Tensor) -> int:
    """Number of the latent dimensions [latent] that carry information."""
    return int(torch.count_nonzero(kl_per_dimension >= ACTIVE_KL_NATS))
