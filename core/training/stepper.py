"""Training steps one after the other, whose metrics are fetched from the device some time later."""

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from core.device import to_device
from core.events import StepFinished
from core.optim.schedules import ema_weight, learning_rate
from core.runs import RunManifest
from core.seeding import derive_seed
from core.training.control import Control
from core.training.cuda_graph import CudaGraphStep
from core.training.eta import RunClock
from core.training.recovery import Recovery
from core.training.state import TrainingState
from core.training.step import StepInputs, TrainingStep
from core.training.task import Task

FLUSH_INTERVALS_S = {"cpu": 0.0, "cuda": 0.1, "mps": 0.1}  # each flush is a host sync


@dataclass(frozen=True)
class PendingStep:
    """A step that was taken.  Its metrics [names], the loss first and the gradient's norm last, are still on
    the device."""

    step: int
    learning_rate: float
    schedule: Mapping[str, float]
    names: tuple[str, ...]
    metrics: Tensor


class Stepper:
    """Takes steps without waiting for their metrics, and reports these when it is flushed.

    `quiesce` returns when no other thread uses the device.
    """

    def __init__(
        self,
        task: Task,
        state: TrainingState,
        manifest: RunManifest,
        control: Control,
        emit: Callable[[StepFinished], None],
        clock: RunClock,
        recovery: Recovery,
        quiesce: Callable[[], None],
    ) -> None:
        self._task = task
        self._state = state
        self._manifest = manifest
        self._control = control
        self._emit = emit
        self._clock = clock
        self._recovery = recovery
        self._quiesce = quiesce
        self._pending: list[PendingStep] = []
        self._pending_since_s = 0.0
        self._flush_interval_s = FLUSH_INTERVALS_S[task.device.type]
        self.rebuild()

    def rebuild(self) -> None:
        """Drop the CUDA graph, where there is one; it is captured again with the next step."""
        step = TrainingStep(self._task, self._state, self._manifest.config)
        is_captured = self._task.device.type == "cuda"
        self.step: TrainingStep | CudaGraphStep = CudaGraphStep(step, self._quiesce) if is_captured else step

    @property
    def is_flush_due(self) -> bool:
        is_old = time.perf_counter() - self._pending_since_s >= self._flush_interval_s
        return bool(self._pending) and is_old

    def take(self) -> None:
        """Take the next step.  Raises Cancelled or OutOfMemoryError, and nothing is changed then."""
        if not self._pending:
            self._pending_since_s = time.perf_counter()
        config, progress = self._manifest.config, self._state.progress
        step = progress.step
        rate = learning_rate(config, step, self._manifest.total_steps) * self._recovery.learning_rate_scale
        schedule = self._task.schedule(step)
        self._task.weights_change()
        metrics = self.update(step, rate, schedule)
        progress.step += 1
        self._pending.append(PendingStep(progress.step, rate, schedule, self.step.metric_names, metrics))

    def update(self, step: int, rate: float, schedule: Mapping[str, float]) -> Tensor:
        """The metrics of one update of the weights, on the device.  No host sync.

        No weight changes if one of them is not finite.  Raises as `take` does.
        """
        batch = self._task.batch(step, self._state.progress.batch_size)
        self._control.raise_if_cancelled()
        torch.manual_seed(derive_seed(self._manifest.config.seed, "dropout", step))
        scalars = torch.tensor([rate, ema_weight(step), *schedule.values()])
        inputs = StepInputs(batch, to_device(scalars, self._task.device), tuple(schedule))
        return self.step(inputs, self._control.raise_if_cancelled)

    def flush(self) -> None:
        """Wait for the metrics of pending steps, and report these.

        Raises NonFiniteStreak after too many bad ones; those after them are dropped.
        """
        if not self._pending:
            return
        pending, self._pending = self._pending, []
        rows = torch.stack([each.metrics for each in pending]).tolist()
        step_time_s = (time.perf_counter() - self._pending_since_s) / len(pending)
        for taken, numbers in zip(pending, rows, strict=True):
            self._clock.add_step(step_time_s)
            is_finite = all(map(math.isfinite, numbers))
            self._emit(self._event(taken, numbers if is_finite else [None] * len(numbers), step_time_s))
            self._recovery.note_step(taken.step, is_finite)

    def drop_pending(self) -> None:
        """Report no pending step any more: the run is at another one."""
        self._pending.clear()

    def _event(self, taken: PendingStep, numbers: list[float | None], step_time_s: float) -> StepFinished:
        loss, *parts, gradient_norm = numbers
        _, *names, _ = taken.names
        return StepFinished(
            epoch=(taken.step - 1) // self._manifest.steps_per_epoch + 1,
            step=taken.step,
            total_steps=self._manifest.total_steps,
            train_loss=loss,
            learning_rate=taken.learning_rate,
            gradient_norm=gradient_norm,
            step_time_s=step_time_s,
            metrics={**dict(zip(names, parts, strict=True)), **taken.schedule},
        )
