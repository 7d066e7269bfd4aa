"""Where the sounds of a dataset lie in the latent space."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from core.errors import Cancelled
from core.model.vae import VAE

SMALLEST_VARIANCE = 1e-6
LARGEST_LATENT = 1e4  # deviations of the prior: keeps the covariance of a model gone wrong finite
BANDWIDTH = 0.4  # of the latents' deviation: wider ones fit the sounds less, narrower ones repeat them


@dataclass(frozen=True)
class LatentDistribution:
    """A kernel density: `means` [chunks, latent] of the training sounds, each with a Gaussian around it.

    All have the covariance factor·factorᵀ of the latents, scaled by BANDWIDTH², and lie nearer to their
    common centre in return, so that the whole has the latents' own covariance: the shrunken smoothed
    bootstrap of Silverman, "Density Estimation", 1986, section 6.4.
    """

    means: Tensor
    factor: Tensor

    def place(self, picks: Tensor, draws: Tensor) -> Tensor:
        """Latents [samples, latent] for numbers from 0 to 1 [samples] and standard normal ones [samples,
        latent]: each is around the training sound that its pick falls on."""
        device = self.means.device
        index = (picks.to(device) * len(self.means)).long().clamp(max=len(self.means) - 1)
        centre = self.means.mean(0)
        near = centre + (self.means[index] - centre) * (1 - BANDWIDTH**2) ** 0.5
        placed: Tensor = near + BANDWIDTH * draws.to(device) @ self.factor.T
        return placed


@torch.no_grad()
def fit_latents(
    model: VAE, log_mel: Tensor, batch_size: int, cancelled: Callable[[], bool] = lambda: False
) -> LatentDistribution:
    """Where the sounds `log_mel` [chunks, 1, mels, frames] lie, posterior noise included.

    A decoder has only learnt latents from there, and the prior is wider wherever the two differ: Ghosh et
    al., "From Variational to Deterministic Autoencoders", ICLR 2020.  Raises Cancelled between batches.
    """
    model.eval()
    means, variances = [], []
    for batch in torch.split(log_mel, batch_size):
        if cancelled():
            raise Cancelled
        mean, log_variance = model.encode(batch)
        means.append(mean)
        variances.append(log_variance.exp())
    found = torch.cat(means).nan_to_num().clamp(-LARGEST_LATENT, LARGEST_LATENT)
    exact = found.cpu().double()  # in this order: MPS has no float64
    spread = torch.cov(exact.T, correction=0).reshape(exact.shape[1], exact.shape[1])
    noise = torch.cat(variances).cpu().double().mean(0).clamp_min(SMALLEST_VARIANCE)
    return LatentDistribution(found, torch.linalg.cholesky(spread + noise.diag()).to(found))
