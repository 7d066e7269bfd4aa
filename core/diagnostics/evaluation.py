"""Measuring a model on fixed chunks."""

from dataclasses import dataclass

import torch
from torch import Tensor

from core.config import TrainingConfig
from core.model.losses import gaussian_kl, losses
from core.model.reconstruction import Reconstruction

BLURRED, NO_LONGER_BLURRED = 0.15, 0.18  # of the detail; 64 principal components give back a quarter


@dataclass(frozen=True)
class Evaluation:
    """Of a set of chunks, without augmentation or dropout, at the final KL weight.

    `error` is the root-mean-square error of the log-mel spectrogram in natural-log units, `chunk_errors`
    [chunks] that of each chunk; `kl_per_dimension` is in nats, without free bits.  `detail` is how much of
    the change from band to band and from frame to frame the reconstruction gives back, 1 for all of it: less
    is blur.
    """

    loss: float
    reconstruction_loss: float
    kl_loss: float
    error: float
    chunk_errors: Tensor
    kl_per_dimension: Tensor
    detail: float


def evaluate(reconstruction: Reconstruction, scale: Tensor, config: TrainingConfig) -> Evaluation:
    """Measure what a model made of a set of sounds; `scale` [] is the model's unit of log-mel."""
    error = reconstruction.decoded - reconstruction.log_mel
    mean_squared_error = error.square().mean()
    kept, all_detail = torch.zeros(2, device=error.device)
    for axis in (2, 3):
        change = reconstruction.log_mel.diff(dim=axis)
        kept += (reconstruction.decoded.diff(dim=axis) * change).sum()
        all_detail += change.square().sum()
    nats = gaussian_kl(reconstruction.mean, reconstruction.log_variance)
    found = losses(
        config.loss,
        mean_squared_error / scale.square(),
        nats,
        error[0].numel(),
        config.kl_weight,
        config.free_bits,
    )
    return Evaluation(
        loss=float(found.total),
        reconstruction_loss=float(found.reconstruction),
        kl_loss=float(found.kl),
        error=float(mean_squared_error.sqrt()),
        chunk_errors=error.square().flatten(1).mean(1).sqrt().cpu(),
        kl_per_dimension=nats.mean(0).cpu(),
        detail=float(kept / all_detail) if all_detail > 0 else 1.0,
    )


def file_errors(chunk_errors: Tensor, file_of_chunk: Tensor, files: int) -> tuple[float | None, ...]:
    """The root-mean-square error of each of so many files, None for one without chunks.

    Chunks of files with higher numbers count for none.
    """
    chunks = torch.bincount(file_of_chunk, minlength=files)[:files]
    squares = torch.bincount(file_of_chunk, chunk_errors.double().square(), minlength=files)[:files]
    means = (squares / chunks.clamp(min=1)).sqrt().tolist()
    return tuple(mean if count else None for mean, count in zip(means, chunks.tolist(), strict=True))


def blur_warning(detail: float, is_active: bool = False) -> str:
    """A message with advice if reconstructions keep little detail; `is_active` if the last one had it."""
    if not detail < (NO_LONGER_BLURRED if is_active else BLURRED):
        return ""
    return (
        "Blurred: reconstructions give back little of the detail of held-out sounds. Longer "
        "training sharpens them, or a smaller chunk_duration_s in a new run."
    )
