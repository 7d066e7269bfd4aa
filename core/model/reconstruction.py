"""Encoding and decoding many sounds."""

import contextlib
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from core.errors import Cancelled
from core.model.vae import VAE

BATCH = 32  # chunks at a time, between which a run can be cancelled
GPU_BATCH = 128  # takes a GPU about as long as 32


@dataclass(frozen=True)
class Reconstruction:
    """Sounds `log_mel` [chunks, 1, mels, frames], the mean and log-variance of their posterior, each
    [chunks, latent], and `decoded`, what the mean decodes to, of the sounds' shape."""

    log_mel: Tensor
    mean: Tensor
    log_variance: Tensor
    decoded: Tensor


def reconstruct(model: VAE, log_mel: Tensor, cancelled: Callable[[], bool] = lambda: False) -> Reconstruction:
    """Encode sounds and decode their posterior means, without dropout or noise, in batches.

    Raises Cancelled between batches.
    """
    if log_mel.is_cuda:
        with contextlib.suppress(torch.OutOfMemoryError):
            return _reconstruct(model, log_mel, GPU_BATCH, cancelled)
    return _reconstruct(model, log_mel, BATCH, cancelled)


@torch.no_grad()
def _reconstruct(model: VAE, log_mel: Tensor, size: int, cancelled: Callable[[], bool]) -> Reconstruction:
    model.eval()
    means, log_variances, decoded = [], [], []
    for batch in torch.split(log_mel, size):
        if cancelled():
            raise Cancelled
        mean, log_variance = model.encode(batch)
        means.append(mean)
        log_variances.append(log_variance)
        decoded.append(model.decode(mean))
    return Reconstruction(log_mel, torch.cat(means), torch.cat(log_variances), torch.cat(decoded))
