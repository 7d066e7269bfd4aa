"""Measuring a model on fixed chunks, and how long the rest will take."""

import math
import statistics
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from core.config import TrainingConfig
from core.errors import Cancelled
from core.model import VAE
from core.model.losses import gaussian_kl, losses

STEPS_FOR_ETA = 200
BLURRED, NO_LONGER_BLURRED = 0.15, 0.18  # of the detail; 64 principal components give back a quarter


@dataclass(frozen=True)
class Evaluation:
    """Of a set of chunks, without augmentation or dropout, at the final KL weight.

    `error` is the root-mean-square error of the log-mel spectrogram in natural-log units; `kl_per_dimension`
    is in nats, without free bits.  `detail` is how much of the change from band to band and from frame to
    frame the reconstruction gives back, 1 for all of it: less is blur.
    """

    loss: float
    reconstruction_loss: float
    kl_loss: float
    error: float
    kl_per_dimension: Tensor
    detail: float


@torch.no_grad()
def evaluate(
    model: VAE, log_mel: Tensor, config: TrainingConfig, batch_size: int, cancelled: Callable[[], bool]
) -> Evaluation:
    """Measure `log_mel` [chunks, 1, mels, frames] at the posterior's mean.  Raises Cancelled between batches.

    The calibrated loss takes its logarithm of the error over all chunks, so the batch size does not matter.
    """
    model.eval()
    squared_error = torch.zeros((), device=log_mel.device)
    kept, all_detail = torch.zeros(2, device=log_mel.device)
    kl = []
    for batch in torch.split(log_mel, batch_size):
        if cancelled():
            raise Cancelled
        mean, log_variance = model.encode(batch)
        reconstruction = model.decode(mean)
        squared_error += (reconstruction - batch).square().sum()
        for axis in (2, 3):
            change = batch.diff(dim=axis)
            kept += (reconstruction.diff(dim=axis) * change).sum()
            all_detail += change.square().sum()
        kl.append(gaussian_kl(mean, log_variance))
    mean_squared_error = squared_error / log_mel.numel()
    nats = torch.cat(kl)
    found = losses(
        config.loss,
        mean_squared_error / model.scale.square(),
        nats,
        log_mel[0].numel(),
        config.kl_weight,
        config.free_bits,
    )
    return Evaluation(
        loss=float(found.total),
        reconstruction_loss=float(found.reconstruction),
        kl_loss=float(found.kl),
        error=float(mean_squared_error.sqrt()),
        kl_per_dimension=nats.mean(0).cpu(),
        detail=float(kept / all_detail) if all_detail > 0 else 1.0,
    )


def blur_warning(detail: float, was_told: bool = False) -> str:
    """A sentence with advice if reconstructions keep little detail."""
    if not detail < (NO_LONGER_BLURRED if was_told else BLURRED):
        return ""
    percent = math.floor(100 * max(detail, 0.0))  # of a model gone wrong it may be below any number
    return (
        f"Blurred: reconstructions give back {percent} % of the detail of validation "
        "sounds. Longer training sharpens them, or a smaller chunk_duration_s in a new run."
    )


class RemainingTime:
    """Estimates the time left from what recurs: steps, and the evaluation after each epoch.

    Loading, previews and checkpoints are left out, and medians keep a slow first step from counting.
    """

    def __init__(self, step_time_s: float | None = None, evaluation_time_s: float | None = None) -> None:
        """What a run that goes on took before, until it has times of its own."""
        self._before_s = step_time_s, evaluation_time_s
        self._step_times_s: deque[float] = deque(maxlen=STEPS_FOR_ETA)
        self._evaluation_times_s: deque[float] = deque(maxlen=5)

    @property
    def step_time_s(self) -> float | None:
        return statistics.median(self._step_times_s) if self._step_times_s else self._before_s[0]

    @property
    def evaluation_time_s(self) -> float | None:
        return statistics.median(self._evaluation_times_s) if self._evaluation_times_s else self._before_s[1]

    def add_step(self, time_s: float) -> None:
        self._step_times_s.append(time_s)

    def add_evaluation(self, time_s: float) -> None:
        self._evaluation_times_s.append(time_s)

    def estimate_s(self, steps: int, epochs: int) -> float | None:
        """Seconds for so many more steps and epochs, or None before the first step."""
        if self.step_time_s is None:
            return None
        return steps * self.step_time_s + epochs * (self.evaluation_time_s or 0.0)
