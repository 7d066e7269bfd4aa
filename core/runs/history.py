"""The state of a run from its events: everything that a dashboard shows."""

import math
import statistics
from collections import deque
from collections.abc import Mapping
from typing import TypeGuard

from core.events import (
    CheckpointSaved,
    EpochFinished,
    LoadProgress,
    MemoryUsed,
    Metric,
    PreviewReady,
    RunEvent,
    RunState,
    SettingsChanged,
    StateChanged,
    StepFinished,
    Warned,
    WarningKind,
)
from core.runs.clock import StepClock
from core.runs.series import Series

STEPS_FOR_SPEED = 50
NEWEST_LOSSES = 200
IMPROVING_FOR, IMPROVING_FRACTION = 5, 0.1  # epochs after a best one; of all so far, if that is more
MOST_METRICS = 64  # of steps, and of epochs
MOST_PREVIEWS = 5000
CLIP_PREVIEWS = 2  # the original and its resynthesis, which come first and stay


class RunHistory:
    """Applies events in the order of the log.  Owned by one thread.

    Its memory does not grow with the length of the run: of very many previews it has the newest.  Numbers
    that are not finite are gaps in the curves.
    """

    def __init__(self) -> None:
        self.state = RunState.LOADING
        self.message = ""
        self.step = 0
        self.epoch = 0
        self.total_steps = 0
        self.total_epochs = 0
        self.loading: LoadProgress | None = None
        self.last_step: StepFinished | None = None
        self.last_epoch: EpochFinished | None = None
        self.best_quality: float | None = None  # of the epoch with the lowest validation loss
        self.memory: MemoryUsed | None = None
        self.newest_losses: deque[float] = deque(maxlen=NEWEST_LOSSES)  # of steps
        self.step_metrics: dict[str, Series] = {}  # of steps, by step: fields and metrics under their names
        self.epoch_metrics: dict[str, Series] = {}  # of epochs, also by step
        self.training_losses = Series()  # by epoch, as is the next
        self.validation_losses = Series()
        self.clock = StepClock()
        self.previews: list[PreviewReady] = []
        self.checkpoint: CheckpointSaved | None = None
        self.settings_changes: dict[int, SettingsChanged] = {}  # by step: a resume may repeat one
        self.warnings: dict[WarningKind, Warned] = {}
        self._step_times_s: deque[float] = deque(maxlen=STEPS_FOR_SPEED)
        self._timed_at_s = 0.0
        self._elapsed_s = 0.0

    @property
    def steps_per_s(self) -> float | None:
        """Median speed of the newest steps; one-off work such as previews does not count."""
        if not self._step_times_s:
            return None
        step_time_s = statistics.median(self._step_times_s)
        return 1 / step_time_s if step_time_s > 0 else None

    @property
    def elapsed_s(self) -> float:
        """Seconds of training, those before a resume included."""
        return self._elapsed_s

    @property
    def eta_s(self) -> float | None:
        """Seconds until the last step, from the newest epoch's estimate and the steps since."""
        if not self.state.is_active or self.step == 0:
            return None
        epoch = self.last_epoch
        if (
            epoch
            and epoch.eta_s
            and epoch.total_epochs == self.total_epochs
            and epoch.step < self.total_steps
        ):
            return epoch.eta_s * (self.total_steps - self.step) / (self.total_steps - epoch.step)
        speed = self.steps_per_s
        return (self.total_steps - self.step) / speed if speed else None

    @property
    def is_improving(self) -> bool:
        """Whether validation was best lately: in the last five epochs, or in the last tenth of all."""
        last = self.last_epoch
        if last is None or last.best_epoch == 0:
            return False
        return last.epoch - last.best_epoch <= max(IMPROVING_FOR, IMPROVING_FRACTION * last.epoch)

    @property
    def settings_change(self) -> SettingsChanged | None:
        """The last change of settings on the way, if there was one."""
        return self.settings_changes[max(self.settings_changes)] if self.settings_changes else None

    @property
    def kl_per_dimension(self) -> tuple[float | None, ...]:
        """The KL divergence of each latent dimension, in nats, at the newest epoch; empty if unknown."""
        value = self.last_epoch.metrics.get("kl_per_dimension") if self.last_epoch else None
        return value if isinstance(value, tuple) else ()

    def warning(self, kind: WarningKind) -> str:
        """The message of the active warning of this kind, or empty."""
        return self.warnings[kind].message if kind in self.warnings else ""

    def apply(self, event: RunEvent, time_s: float) -> None:
        """Take one event into account."""
        match event:
            case StepFinished():
                self._apply_step(event, time_s)
            case EpochFinished():
                self._apply_epoch(event, time_s)
            case StateChanged():
                self._apply_state(event, time_s)
            case MemoryUsed():
                self.memory = event
            case LoadProgress():
                self.loading = event
            case PreviewReady():
                self.previews.append(event)
                if len(self.previews) > MOST_PREVIEWS:
                    del self.previews[CLIP_PREVIEWS]
            case CheckpointSaved():
                if event.reason != "best":
                    self.checkpoint = event
            case SettingsChanged():
                self.settings_changes[event.step] = event
            case Warned():
                if event.message:
                    self.warnings[event.kind] = event
                else:
                    self.warnings.pop(event.kind, None)

    def _apply_step(self, event: StepFinished, time_s: float) -> None:
        self.last_step = event
        self.step = event.step
        self.epoch = event.epoch
        self.total_steps = event.total_steps
        self._step_times_s.append(event.step_time_s)
        self._elapsed_s += max(0.0, time_s - self._timed_at_s)
        self._timed_at_s = time_s
        if _is_finite(event.train_loss):
            self.newest_losses.append(event.train_loss)
        self.clock.add_step(event, self._elapsed_s)
        speed = 1 / event.step_time_s if event.step_time_s > 0 else None
        fields = {
            "train_loss": event.train_loss,
            "learning_rate": event.learning_rate,
            "gradient_norm": event.gradient_norm,
            "steps_per_s": speed,
        }
        _append_all(self.step_metrics, event.step, {**fields, **event.metrics})

    def _apply_epoch(self, event: EpochFinished, time_s: float) -> None:
        self.last_epoch = event
        self.epoch = event.epoch
        if event.best_epoch == event.epoch:
            self.best_quality = event.quality
        self.memory = MemoryUsed(
            event.step, event.memory_used_bytes, event.memory_peak_bytes, event.memory_total_bytes
        )
        self._elapsed_s = event.elapsed_s
        self._timed_at_s = time_s
        self.training_losses.append(event.epoch, event.train_loss)
        self.validation_losses.append(event.epoch, event.validation_loss)
        self.clock.add_epoch(event)
        fields = {
            "train_loss": event.train_loss,
            "validation_loss": event.validation_loss,
            "train_error": event.train_error,
            "validation_error": event.validation_error,
            "overfitting_gap": event.overfitting_gap,
            "quality": event.quality,
        }
        _append_all(self.epoch_metrics, event.step, {**fields, **event.metrics})

    def _apply_state(self, event: StateChanged, time_s: float) -> None:
        self.state = RunState(event.state)
        self.message = event.message
        self.step = event.step
        self.epoch = event.epoch
        self.total_steps = event.total_steps
        self.total_epochs = event.total_epochs
        self.clock.steps_per_epoch = event.total_steps / event.total_epochs if event.total_epochs else 0.0
        self._timed_at_s = time_s
        if self.state is RunState.LOADING:
            self.warnings.clear()  # those still active are emitted again
            self.memory = None  # of another process
        if self.state is RunState.TRAINING:
            self.loading = None


def _append_all(curves: dict[str, Series], step: int, metrics: Mapping[str, Metric]) -> None:
    """Append to the curve of each metric that is one number; of very many metrics, to the first."""
    for name, value in metrics.items():
        if not isinstance(value, tuple) and (name in curves or len(curves) < MOST_METRICS):
            curves.setdefault(name, Series()).append(step, value)


def _is_finite(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)
