"""What a model makes of many sounds at once."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from core.errors import Cancelled
from core.model.vae import VAE

BATCH = 32  # chunks at a time, between which a run can be cancelled
GPU_BATCH = 128  # which a GPU takes about as long for


@dataclass(frozen=True)
class Reconstruction:
    """Sounds `log_mel` [chunks, 1, mels, frames], their posterior, each [chunks, latent], and the `image` of
    its mean, of the sounds' shape."""

    log_mel: Tensor
    mean: Tensor
    log_variance: Tensor
    image: Tensor


def reconstruct(model: VAE, log_mel: Tensor, cancelled: Callable[[], bool] = lambda: False) -> Reconstruction:
    """Without dropout or noise, some chunks at a time.  Raises Cancelled between these."""
    if log_mel.is_cuda:
        with contextlib.suppress(torch.OutOfMemoryError):
            return _reconstruct(model, log_mel, GPU_BATCH, cancelled)
    return _reconstruct(model, log_mel, BATCH, cancelled)


@torch.no_grad()
def _reconstruct(model: VAE, log_mel: Tensor, size: int, cancelled: Callable[[], bool]) -> Reconstruction:
    model.eval()
    means, log_variances, images = [], [], []
    for batch in torch.split(log_mel, size):
        if cancelled():
            raise Cancelled
        mean, log_variance = model.encode(batch)
        means.append(mean)
        log_variances.append(log_variance)
        images.append(model.decode(mean))
    return Reconstruction(log_mel, torch.cat(means), torch.cat(log_variances), torch.cat(images))
