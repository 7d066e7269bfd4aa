"""Measuring a model on fixed chunks, and how long the rest will take."""

import math
import statistics
from collections import deque
from dataclasses import dataclass

import torch
from torch import Tensor

from core.config import TrainingConfig
from core.model.losses import gaussian_kl, losses
from core.model.reconstruction import Reconstruction

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


def evaluate(heard: Reconstruction, scale: Tensor, config: TrainingConfig) -> Evaluation:
    """Measure what a model made of a set of sounds; `scale` [] is the model's unit of log-mel."""
    error = heard.decoded - heard.log_mel
    mean_squared_error = error.square().mean()
    kept, all_detail = torch.zeros(2, device=error.device)
    for axis in (2, 3):
        change = heard.log_mel.diff(dim=axis)
        kept += (heard.decoded.diff(dim=axis) * change).sum()
        all_detail += change.square().sum()
    nats = gaussian_kl(heard.mean, heard.log_variance)
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
