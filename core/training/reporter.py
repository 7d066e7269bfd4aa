"""Where a training run reports what happens."""

from collections.abc import Callable
from functools import partial
from typing import Protocol

import torch

from core.device import describe_device, memory_use
from core.errors import RunError
from core.events import (
    CheckpointSaved,
    EpochFinished,
    MemoryUsed,
    PreviewReady,
    RunEvent,
    SettingsChanged,
    StepFinished,
    Warned,
    WarningKind,
)
from core.runs import EventLog, RunManifest
from core.training.eta import RunClock
from core.training.state import Progress, ResumePoint
from core.training.task import Validation

Listener = Callable[[RunEvent], None]


class Reporter(Protocol):
    """What a trainer needs of it."""

    def emit(self, event: RunEvent) -> None: ...

    def rewind(self, point: ResumePoint) -> None:
        """Forget the events that come after this point: they are about to happen again."""


class RunReporter:
    """Writes what happens to the run's log, then passes it to the listener."""

    def __init__(self, log: EventLog, listener: Listener) -> None:
        self._log = log
        self._listener = listener

    def emit(self, event: RunEvent) -> None:
        problem = self._log.problem
        self._log.append(event)
        self._listener(event)
        if self._log.problem != problem:
            warning = Warned(WarningKind.LOG, self._log.problem, getattr(event, "step", 0))
            self._log.append(warning)  # for those who read it later
            self._listener(warning)

    def rewind(self, point: ResumePoint) -> None:
        try:
            self._log.keep(partial(is_past, point=point))
        except OSError as error:
            raise RunError(
                f"The log of the run cannot be rewritten ({error.strerror}); free some space."
            ) from error


def is_past(event: RunEvent, point: ResumePoint) -> bool:
    """Whether this had happened when the run was at that point."""
    match event:
        case EpochFinished():
            return event.epoch <= point.validated_epochs
        case PreviewReady():
            return event.epoch <= point.previewed_epoch
        case StepFinished() | MemoryUsed() | CheckpointSaved() | SettingsChanged() | Warned():
            return event.step <= point.step
    return True


def epoch_event(
    manifest: RunManifest,
    progress: Progress,
    device: torch.device,
    clock: RunClock,
    result: Validation,
    gap: float,
) -> EpochFinished:
    """What is reported of the epoch that was validated last; `gap` is its overfitting gap."""
    epoch, epochs = progress.validated_epochs, manifest.config.epochs
    memory = memory_use(device)
    return EpochFinished(
        epoch=epoch,
        total_epochs=epochs,
        step=progress.step,
        train_loss=result.train_loss,
        validation_loss=result.validation_loss,
        train_error=result.train_error,
        validation_error=result.validation_error,
        overfitting_gap=gap,
        best_validation_loss=progress.best_loss,
        best_epoch=progress.best_epoch,
        elapsed_s=clock.elapsed_s,
        eta_s=clock.estimate_s(manifest.total_steps - progress.step, epochs - epoch),
        memory_used_bytes=memory.used_bytes,
        memory_peak_bytes=memory.peak_bytes,
        memory_total_bytes=memory.total_bytes,
        untrained_error=progress.untrained_error,
        metrics=result.metrics,
        device=describe_device(device).title,
    )


def memory_event(progress: Progress, device: torch.device) -> MemoryUsed:
    """What is reported of the device's memory between two epochs."""
    memory = memory_use(device)
    return MemoryUsed(progress.step, memory.used_bytes, memory.peak_bytes, memory.total_bytes)
