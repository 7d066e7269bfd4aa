"""The training loop."""

import dataclasses
import time
from functools import partial

import torch

from core.checkpoints.archive import State
from core.checkpoints.folder import CheckpointFolder
from core.checkpoints.writer import CheckpointWriter
from core.device import memory_use
from core.diagnostics.overfitting import OverfittingDetector, overfitting_gap, quality
from core.diagnostics.warnings import ActiveWarnings
from core.errors import Cancelled, CheckpointError
from core.events import EpochFinished, WarningKind
from core.runs import RunDirectory, RunManifest
from core.training.control import Control
from core.training.eta import RunClock
from core.training.migration import read_newest
from core.training.previews import Previewer
from core.training.recovery import NonFiniteStreak, Recovery
from core.training.reporter import Reporter
from core.training.state import ResumePoint, TrainingState
from core.training.steps import Stepper
from core.training.task import Task, Validation


class Trainer:
    """One run of a task, from where it is to its last step.  Lives on one thread, which owns the model."""

    def __init__(
        self, run: RunDirectory, manifest: RunManifest, task: Task, control: Control, reporter: Reporter
    ) -> None:
        self.manifest = manifest
        self.config = manifest.config
        self.task = task
        self.device = task.device
        self.state = TrainingState(task, self.config)
        self.progress = self.state.progress
        self._control = control
        self._reporter = reporter
        self._checkpoints = CheckpointFolder(run.checkpoints)
        self.warnings = ActiveWarnings(reporter.emit, lambda: self.progress.step)
        self.writer = CheckpointWriter(
            self._checkpoints, self.device, reporter.emit, partial(self.warnings.set, WarningKind.DISK)
        )
        self.previewer = Previewer(
            self.device,
            task.load_previews,
            lambda: self.progress.step,
            reporter.emit,
            partial(self.warnings.set, WarningKind.PREVIEW),
        )
        self._clock = RunClock()
        self._detector = OverfittingDetector(manifest.split.validation_files)
        self._recovery = Recovery(self.progress, self.warnings, self._restore_newest, self._free_memory)
        self.state.register(
            recovery=self._recovery,
            warnings=self.warnings,
            previews=self.previewer,
            clock=self._clock,
            overfitting=self._detector,
        )
        self.steps = Stepper(
            task, self.state, manifest, control, reporter.emit, self._clock, self._recovery, self._quiesce
        )

    @property
    def epoch(self) -> int:
        """Epochs whose steps are all done."""
        return self.progress.step // self.manifest.steps_per_epoch

    def train(self) -> None:
        """Train to the last step.  Raises Cancelled at a safe point, TrainingError when it makes no sense to
        continue; `save` then keeps the state."""
        if self.writer.requested_step < 0:
            self.save("start")
        self.warnings.repeat()
        try:
            self._do_what_is_due()
            while self.progress.step < self.manifest.total_steps:
                self._control.raise_if_cancelled()
                self.train_step()
                self._do_what_is_due()
            self.previewer.finish(self._control.is_cancelled)
        except Cancelled:
            self._settle()
            raise

    def _do_what_is_due(self) -> None:
        """Between two steps: report, save, validate, render.  A rollback may change what is due."""
        if self._is_at_epoch_end():
            self._settle()
        self.writer.collect()
        self.previewer.collect()
        if self._control.take_save_request():
            self.save("manual", by_hand=True)
        self.previewer.render_resumed(self._control.is_cancelled)
        if self._is_validation_due():
            self.validate()
        if self._is_preview_due():
            self.render_previews()
        if self._is_checkpoint_due():
            self.save("interval")

    def _is_at_epoch_end(self) -> bool:
        return self.progress.step % self.manifest.steps_per_epoch == 0

    def _is_validation_due(self) -> bool:
        return self._is_at_epoch_end() and self.epoch > self.progress.validated_epochs

    def _is_preview_due(self) -> bool:
        at_interval = self.epoch % self.config.preview_interval == 0 or self.epoch == self.config.epochs
        return self._is_at_epoch_end() and at_interval and self.epoch > self.previewer.begun_epoch

    def _is_checkpoint_due(self) -> bool:
        at_interval = self._is_at_epoch_end() and self.epoch % self.config.checkpoint_interval == 0
        is_old = self.writer.age_s > self.config.checkpoint_minutes * 60
        is_new = self.writer.requested_step < self.progress.step < self.manifest.total_steps
        return (at_interval or is_old) and is_new

    # -- steps ------------------------------------------------------------------------------------------

    def train_step(self) -> None:
        """Change the weights by one batch, unless the device has too little memory for it."""
        try:
            self.steps.take()
        except torch.OutOfMemoryError:
            self.steps.rebuild()  # a captured graph holds memory of its own
            if not self._settle():
                self._recovery.recover_from_oom(str(self.device), self.task.memory_advice)
        else:
            if self.steps.is_flush_due:
                self._settle()

    def _settle(self) -> bool:
        """Flush, and after too many bad steps roll back; whether the run is at another step now."""
        try:
            self.steps.flush()
        except NonFiniteStreak:
            self._recovery.roll_back()
            return True
        return False

    def _quiesce(self) -> None:
        """Let no other thread use the device."""
        self.previewer.finish(self._control.is_cancelled)
        self.writer.finish()

    def _free_memory(self) -> bool:
        """Release what is on the device beside the steps; whether previews were being rendered there."""
        self.state.optimizer.zero_grad()
        was_rendering = self.previewer.finish(self._control.is_cancelled)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        return was_rendering

    # -- ends of epochs ---------------------------------------------------------------------------------

    def validate(self) -> None:
        """Measure the EMA model, and report it."""
        started_s = time.perf_counter()
        result = self.task.validate(self.state.ema_model, self.epoch, self.warnings.__contains__)
        self._clock.add_evaluation(time.perf_counter() - started_s)
        self.progress.record_validation(self.epoch, result.validation_loss)
        gap = overfitting_gap(result.train_error, result.validation_error)
        self._reporter.emit(self._epoch_event(result, gap))
        self._detector.update(self.epoch, result.validation_loss, gap)
        note = self.manifest.split.confidence_note
        self.warnings.set(WarningKind.OVERFITTING, self._detector.warning(self.epoch, note))
        for kind, message in result.warnings.items():
            self.warnings.set(kind, message)
        if self.progress.best_epoch == self.epoch:
            self.writer.keep_best(self.snapshot(), self.epoch, self.progress.step)

    def _epoch_event(self, result: Validation, gap: float) -> EpochFinished:
        progress, memory = self.progress, memory_use(self.device)
        steps_left = self.manifest.total_steps - progress.step
        return EpochFinished(
            epoch=self.epoch,
            total_epochs=self.config.epochs,
            step=progress.step,
            train_loss=result.train_loss,
            validation_loss=result.validation_loss,
            train_error=result.train_error,
            validation_error=result.validation_error,
            overfitting_gap=gap,
            quality=quality(gap),
            best_validation_loss=progress.best_loss,
            best_epoch=progress.best_epoch,
            elapsed_s=self._clock.elapsed_s,
            eta_s=self._clock.estimate_s(steps_left, self.config.epochs - self.epoch),
            memory_used_bytes=memory.used_bytes,
            memory_peak_bytes=memory.peak_bytes,
            memory_total_bytes=memory.total_bytes,
            metrics=result.metrics,
        )

    def render_previews(self) -> None:
        """Judge the new sounds of the EMA model, and begin to render its previews."""
        source, warnings = self.task.previews(self.state.ema_model, self.warnings.__contains__)
        for kind, message in warnings.items():
            self.warnings.set(kind, message)
        self.previewer.render(source, self.epoch, self.progress.step, self._control.is_cancelled)

    # -- checkpoints ------------------------------------------------------------------------------------

    def save(self, reason: str, by_hand: bool = False) -> None:
        """Begin to write a checkpoint, of this very step unless bad steps make the run roll back first."""
        self._settle()
        self.writer.save(self.snapshot(), self.epoch, self.progress.step, reason, by_hand)

    def snapshot(self) -> State:
        """Everything that the run needs to continue, and to be used without its dataset."""
        return {
            "step": self.progress.step,
            "epoch": self.epoch,
            "config": dataclasses.asdict(self.config),
            "spectrogram": dataclasses.asdict(self.manifest.spectrogram),
            "threads": torch.get_num_threads(),
            **self.state.state_dict(),
        }

    def restore(self, state: State, name: str) -> None:
        """Continue from a checkpoint.  Raises CheckpointError if it does not fit this run."""
        if state.get("spectrogram") != dataclasses.asdict(self.manifest.spectrogram):
            raise CheckpointError(f"{name} was made with another spectrogram; its sounds would not fit.")
        try:
            self.state.load_state_dict(state)
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise CheckpointError(f"{name} does not fit the model of this run; choose another.") from error
        if not self.progress.fits(self.manifest.total_steps, self.config.batch_size):
            raise CheckpointError(f"{name} is not of this run: its step or batch size is impossible here.")
        self.steps.forget()
        self.writer.forget(self.progress.step)
        self._checkpoints.resumed_from = name

    def _restore_newest(self) -> None:
        self.writer.finish()
        state, path, _ = read_newest(self._checkpoints, self.manifest.split.validation_files)
        self.restore(state, path.name)
        self._reporter.rewind(ResumePoint.read(state, path.name))

    def close(self) -> None:
        """Stop what runs in the background."""
        self.writer.close()
        self.previewer.close()
        self.task.close()
