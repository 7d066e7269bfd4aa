"""The training loop."""

import contextlib
import dataclasses
import logging
import time
from collections.abc import Iterator
from functools import partial

import torch

from core.checkpoints.archive import State
from core.checkpoints.folder import CheckpointFolder
from core.checkpoints.writer import CheckpointWriter
from core.device import is_out_of_memory
from core.diagnostics.overfitting import OverfittingDetector, overfitting_gap
from core.diagnostics.warnings import ActiveWarnings
from core.errors import Cancelled, TrainingError
from core.events import WarningKind
from core.runs import RunDirectory, RunManifest
from core.runs.checkpoints import CheckpointKind
from core.text import describe_early_stop
from core.training.changes import find_changes, keep_former_best, redefine_loss
from core.training.control import Control
from core.training.eta import RunClock
from core.training.previews import Previewer
from core.training.recovery import NonFiniteStreak, Recovery
from core.training.reporter import Reporter, epoch_event, memory_event
from core.training.resume import Candidates
from core.training.state import TrainingState
from core.training.stepper import Stepper
from core.training.task import Task, Validation

logger = logging.getLogger(__name__)


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
        self._is_memory_reported = False
        self._clock = RunClock()
        self._detector = OverfittingDetector(manifest.split.validation_files)
        self._recovery = Recovery(self.progress, self.warnings, self._return_to_good, self._free_memory)
        self._is_whole = True  # not while the state is being replaced by a checkpoint's
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

    @property
    def stop_reason(self) -> str:
        """Why training ends at this step although it is not the last one; empty if it does not.

        It follows from settings and progress, so that a run which is resumed here ends here again.
        """
        patience, progress = self.config.early_stopping, self.progress
        is_asked = 0 < patience <= progress.epochs_without_best and self._is_at_epoch_end()
        if not is_asked or progress.step >= self.manifest.total_steps or self._recovery.is_in_streak:
            return ""
        return describe_early_stop(progress.validated_epochs, progress.best_epoch)

    @property
    def _is_over(self) -> bool:
        return self.progress.step >= self.manifest.total_steps or bool(self.stop_reason)

    def train(self) -> None:
        """Train to the last step, or until there is a `stop_reason`.

        Raises Cancelled at a safe point, TrainingError when it makes no sense to continue; `save` then keeps
        the state.
        """
        if self.writer.requested_step < 0:
            self.save("start")
        self.warnings.repeat()
        try:
            while True:
                with self._rolling_back():
                    self._do_what_is_due()
                    if self._is_over:
                        break
                    self._control.raise_if_cancelled()
                    self.train_step()
            self.previewer.finish_all(self._control.is_cancelled)
        except Cancelled:
            with self._rolling_back():
                self.steps.flush()
            raise

    @contextlib.contextmanager
    def _rolling_back(self) -> Iterator[None]:
        """Return to the newest checkpoint if too many steps in a row turn out to be bad."""
        try:
            yield
        except NonFiniteStreak:
            self._recovery.roll_back()

    def _do_what_is_due(self) -> None:
        """Between two steps: report, save, validate, render.  Raises Cancelled, NonFiniteStreak.

        Nothing is saved while steps are not finite: that waits for the next good one, or for the return to
        the last good checkpoint.
        """
        is_save_requested, is_checkpoint_due = self._control.is_save_requested(), self._is_checkpoint_due()
        if self._is_at_epoch_end() or is_save_requested or is_checkpoint_due:
            self.steps.flush()
        self.writer.collect()
        self.previewer.collect()
        if is_save_requested and not self._recovery.is_in_streak:
            self._control.take_save_request()
            self.save("manual", CheckpointKind.BY_HAND)
        self.previewer.render_waiting(self._control.is_cancelled)
        if self.progress.step == 0 and self.progress.untrained_error is None:
            self._measure_untrained()
        if self._is_validation_due():
            self.validate()
        if self._is_preview_due():
            self.render_previews()
        is_saved = self.writer.requested_step == self.progress.step
        if is_checkpoint_due and not is_saved and not self._is_over and not self._recovery.is_in_streak:
            self.save("interval")

    def _is_at_epoch_end(self) -> bool:
        return self.progress.step % self.manifest.steps_per_epoch == 0

    def _is_validation_due(self) -> bool:
        return self._is_at_epoch_end() and self.epoch > self.progress.validated_epochs

    def _is_preview_due(self) -> bool:
        at_interval = self.epoch % self.config.preview_interval == 0 or self._is_over
        return self._is_at_epoch_end() and at_interval and self.epoch > self.previewer.begun_epoch

    def _is_checkpoint_due(self) -> bool:
        """Whether the end of an interval has come since the last checkpoint, or that is old."""
        requested, step = self.writer.requested_step, self.progress.step
        interval = self.config.checkpoint_interval * self.manifest.steps_per_epoch
        is_old = self.writer.age_s > self.config.checkpoint_minutes * 60
        is_at_interval = step // interval > requested // interval
        return (is_at_interval or is_old) and requested < step < self.manifest.total_steps

    # -- steps ------------------------------------------------------------------------------------------

    def train_step(self) -> None:
        """Change the weights by one batch, unless the device has too little memory for it.

        Raises Cancelled, NonFiniteStreak if earlier steps turn out to be bad, TrainingError.
        """
        try:
            self.steps.take()
            has_room = True
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            has_room = False  # answered below: here the error still holds the step's tensors
        if not has_room:
            self.steps.rebuild()  # a captured graph holds memory of its own
            self.steps.flush()
            self._recovery.recover_from_oom(str(self.device), self.task.memory_advice)
            return
        if not self._is_memory_reported:
            self._is_memory_reported = True
            self._reporter.emit(memory_event(self.progress, self.device))
        if self.steps.is_flush_due:
            self.steps.flush()

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

    def _measure_untrained(self) -> None:
        """Measure what later epochs are compared with."""
        result = self._measure(0)
        self.progress.untrained_error = result.validation_error

    def validate(self) -> None:
        """Measure the EMA model, and report it."""
        started_s = time.perf_counter()
        result = self._measure(self.epoch)
        self._clock.add_evaluation(time.perf_counter() - started_s)
        is_judged = not self._recovery.is_in_streak  # else a return to this model would only bring bad steps
        self.progress.record_validation(self.epoch, result.validation_loss, may_be_best=is_judged)
        gap = overfitting_gap(result.train_error, result.validation_error)
        self._reporter.emit(epoch_event(self.manifest, self.progress, self.device, self._clock, result, gap))
        self._detector.update(self.epoch, result.validation_loss, gap)
        note = self.manifest.split.confidence_note
        self.warnings.set(WarningKind.OVERFITTING, self._detector.warning(note))
        for kind, message in result.warnings.items():
            self.warnings.set(kind, message)
        if self.progress.best_epoch == self.epoch:
            best = self.snapshot()
            # Those pending are another model's, which takes as much space again; this run makes them.
            best["previews"] = {"done_epoch": self.previewer.begun_epoch, "pending": None}
            self.writer.keep_best(best, self.epoch, self.progress.step)

    def _measure(self, epoch: int) -> Validation:
        return self._recovery.with_memory(
            lambda: self.task.validate(self.state.ema_model, epoch, self.warnings.is_active),
            f"The device {self.device} has not enough memory to measure the model",
        )

    def render_previews(self) -> None:
        """Judge the new sounds of the EMA model, and begin to render its previews.  Raises Cancelled."""
        self.previewer.finish(self._control.is_cancelled)  # its model is freed before this one is copied
        try:
            source, warnings = self._recovery.with_memory(
                lambda: self.task.previews(self.state.ema_model, self.epoch, self.warnings.is_active),
                f"The previews of epoch {self.epoch} found too little memory",
            )
        except TrainingError as error:
            self.previewer.skip(self.epoch, str(error))
            return
        for kind, message in warnings.items():
            self.warnings.set(kind, message)
        self.previewer.render(source, self.epoch, self.progress.step, self._control.is_cancelled)

    # -- checkpoints ------------------------------------------------------------------------------------

    def save(
        self, reason: str, kind: CheckpointKind = CheckpointKind.AUTOMATIC, is_last: bool = False
    ) -> None:
        """Begin to write a checkpoint of this very step, whose metrics and those before are flushed."""
        self.writer.save(self.snapshot(), self.epoch, self.progress.step, reason, kind, is_last)

    def save_last(self, reason: str) -> str:
        """Keep the state that the run ends in; a message if that failed.

        A state that only leads to bad steps, and part of one, are not kept: the checkpoints are better.
        """
        with contextlib.suppress(NonFiniteStreak):  # the run ends here anyway
            self.steps.flush()
        is_in_streak = self._recovery.is_in_streak
        if self._is_whole and not (is_in_streak and reason == "failed"):
            kind = CheckpointKind.UNSTEADY if is_in_streak else CheckpointKind.AUTOMATIC
            self.save(reason, kind, is_last=True)
        self.writer.finish()
        return self.writer.problem

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

    def restore(self, candidates: Candidates) -> None:
        """Continue from the newest checkpoint that fits this run, with the log cut back to it.

        Raises CheckpointError if there is none, RunError if the log cannot be rewritten.
        """
        self._is_whole = False
        candidates.restore(self.state)
        self._is_whole = True
        self.steps.drop_pending()
        self.writer.forget(self.progress.step)
        self._reporter.rewind(candidates.point)
        self._note_changes(candidates.state.get("config"))

    def _note_changes(self, before: object) -> None:
        """Report the settings that differ from those `before`, which the checkpoint was made with."""
        change = find_changes(self.config, before, self.progress)
        if change is None:
            return
        logger.info("from step %d on %s, not %s", change.step, change.now, change.before)
        self._reporter.emit(change)
        if redefine_loss(change):  # what was best and how losses went says nothing about those to come
            if former_best := keep_former_best(self._checkpoints.path, self.progress.step):
                self._reporter.emit(former_best)
            self.progress.forget_best()
            self._detector.load_state_dict(
                OverfittingDetector(self.manifest.split.validation_files).state_dict()
            )
            self.warnings.set(WarningKind.OVERFITTING, "")

    def _return_to_good(self, is_newest_spent: bool) -> None:
        """Restore the newest checkpoint made while steps were good; the one before if that is spent."""
        self.writer.finish()
        steady = self._checkpoints.steady()
        if is_newest_spent and len(steady) > 1:
            self._checkpoints.set_aside(steady[0])
        self.restore(Candidates(self._checkpoints, self.manifest, is_return=True))

    def close(self) -> None:
        """Stop what runs in the background."""
        self.writer.close()
        self.previewer.close()
