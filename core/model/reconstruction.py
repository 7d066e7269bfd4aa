"""What a model makes of many sounds at once."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from core.errors import Cancelled
from core.model.vae import VAE

BATCH = 32  # chunks at a time, between which a run can be cancelled
GPU_BATCH = 128  # a GPU takes as long for few


@dataclass(frozen=True)
class Reconstruction:
    """Sounds `log_mel` [chunks, 1, mels, frames], their posterior, each [chunks, latent], and the `image` of
    its mean, of the sounds' shape."""

    log_mel: Tensor
    mean: Tensor
    log_variance: Tensor
    image: Tensor


@torch.no_grad()
def reconstruct(model: VAE, log_mel: Tensor, cancelled: Callable[[], bool] = lambda: False) -> Reconstruction:
    """Without dropout or noise, some chunks at a time.  Raises Cancelled between these."""
    model.eval()
    means, log_variances, images = [], [], []
    for batch in torch.split(log_mel, GPU_BATCH if log_mel.is_cuda else BATCH):
        if cancelled():
            raise Cancelled
        mean, log_variance = model.encode(batch)
        means.append(mean)
        log_variances.append(log_variance)
        images.append(model.decode(mean))
    return Reconstruction(log_mel, torch.cat(means), torch.cat(log_variances), torch.cat(images))
