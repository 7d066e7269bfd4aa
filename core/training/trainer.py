"""The training loop."""

import copy
import dataclasses
import math
import time
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from core.checkpoints.archive import State
from core.checkpoints.folder import CheckpointFolder
from core.checkpoints.writer import CheckpointWriter
from core.device import memory_use, to_device
from core.diagnostics.evaluation import Evaluation, RemainingTime, blur_warning, evaluate
from core.diagnostics.latent_usage import latent_warning
from core.diagnostics.memorisation import memorisation_warning, nearness
from core.diagnostics.overfitting import OverfittingDetector, overfitting_gap, quality
from core.diagnostics.warnings import ActiveWarnings
from core.errors import Cancelled, CheckpointError, TrainingError
from core.events import EpochFinished, RunEvent, StepFinished, WarningKind
from core.model.losses import active_dimensions
from core.model.reconstruction import Reconstruction, reconstruct
from core.optim.optimizer import Optimizer
from core.optim.schedules import ema_weight, kl_weight, learning_rate
from core.runs import RunDirectory, RunManifest
from core.seeding import derive_seed, generator
from core.synthesis.latents import fit_latents
from core.training.control import Control
from core.training.previews import PendingPreviews, Previewer
from core.training.setup import TrainingSetup
from core.training.state import Progress, read_progress
from core.training.step import CudaGraphStep, StepInputs, TrainingStep

BAD_STEPS_BEFORE_ROLLBACK = 10
ROLLBACKS_BEFORE_GIVING_UP = 3
BLUR_TOLD_FROM = 0.2  # of the run: before, every model is blurred
READ_INTERVALS_S = {"cpu": 0.0, "cuda": 0.1, "mps": 0.1}  # a GPU that is asked must first finish its work


@dataclass(frozen=True)
class PendingStep:
    """A step that was taken; its loss, the two terms of it and the gradient's norm [4] are on the device."""

    step: int
    learning_rate: float
    kl_weight: float
    numbers: Tensor


class Reporter(Protocol):
    """Where a trainer tells what happens."""

    def emit(self, event: RunEvent) -> None: ...

    def rewind(self, progress: Progress) -> None:
        """Forget the events that come after this point: they are about to happen again."""


class Trainer:
    """One run, from where it stands to its last step.  Lives on one thread, which owns the model."""

    def __init__(
        self,
        run: RunDirectory,
        manifest: RunManifest,
        workbench: TrainingSetup,
        control: Control,
        reporter: Reporter,
    ) -> None:
        self.manifest = manifest
        self.config = manifest.config
        self.model = workbench.model
        self.device = workbench.validation_set.device
        self.average = copy.deepcopy(self.model).eval()  # of the weights over the last steps: what is heard
        self.optimizer = Optimizer(self.model.parameter_groups(), self.config.weight_decay)
        self.progress = Progress(batch_size=self.config.batch_size)
        self._workbench = workbench
        self._control = control
        self._reporter = reporter
        self._checkpoints = CheckpointFolder(run.checkpoints)
        self._warnings = ActiveWarnings(reporter.emit, lambda: self.progress.step)
        self._saver = CheckpointWriter(
            self._checkpoints, self.device, reporter.emit, partial(self._warnings.say, WarningKind.DISK)
        )
        self._previewer = Previewer(
            workbench.previews, self.device, reporter.emit, partial(self._warnings.say, WarningKind.PREVIEW)
        )
        self._remaining = RemainingTime()
        self._detector = OverfittingDetector(manifest.split.validation_files)
        self._started_s = time.monotonic()
        self._step = self._new_step()
        self._unread: list[PendingStep] = []
        self._unread_since_s = 0.0
        self._heard: tuple[Reconstruction, Reconstruction] | None = None
        self._owed: PendingPreviews | None = None  # of the checkpoint that the run goes on from
        self._read_interval_s = READ_INTERVALS_S[self.device.type]

    @property
    def epoch(self) -> int:
        """Epochs whose steps are all done."""
        return self.progress.step // self.manifest.steps_per_epoch

    def train(self) -> None:
        """Go on to the last step.  Raises Cancelled at a safe point, TrainingError when it makes no sense to
        go on; `save` then keeps the state."""
        if self._saver.asked_step < 0:
            self.save("start")
        self._warnings.repeat()
        try:
            self._go_on()
        except Cancelled:
            self._read_steps()
            raise

    def _go_on(self) -> None:
        while True:
            if self._is_at_epoch_end():
                self._read_steps()
            self._saver.collect()
            self._previewer.collect()
            if self._control.take_save_request():
                self.save("manual", by_hand=True)
            if self._owed is not None:
                self._render_owed(self._owed)
            if self._is_validation_due():
                self._validate()
            if self._is_preview_due():
                self._preview()
            if self._is_checkpoint_due():
                self.save("interval")
            if self.progress.step >= self.manifest.total_steps:
                self._previewer.finish(self._control.is_cancelled)
                return
            self._control.raise_if_cancelled()
            self._train_step()

    def save(self, reason: str, by_hand: bool = False) -> None:
        """Begin to write a checkpoint of this very step."""
        self._read_steps()
        unfinished = self._owed or self._previewer.unfinished(self.progress.step)
        state = {**self._state(), "previews": unfinished and unfinished.state_dict()}
        self._saver.save(state, self.epoch, self.progress.step, reason, by_hand)

    def finish_saving(self) -> str:
        """Wait until everything is written; a sentence if the last checkpoint could not be."""
        self._saver.finish()
        return self._saver.problem

    def close(self) -> None:
        """Let nothing go on in the background."""
        self._saver.close()
        self._previewer.close()
        self._workbench.batches.close()

    def restore(self, state: State, name: str) -> None:
        """Go on from a checkpoint.  Raises CheckpointError if it does not fit this run."""
        if state.get("spectrogram") != dataclasses.asdict(self.manifest.spectrogram):
            raise CheckpointError(f"{name} was made with another spectrogram; its sounds would not fit.")
        progress = read_progress(state, name)
        try:
            self.model.load_state_dict(state["model"])
            self.average.load_state_dict(state["average"])
            self.optimizer.load_state_dict(state["optimizer"])
            previews = state.get("previews")
            owed = previews and PendingPreviews.read(previews, copy.deepcopy(self.average))
            detector = OverfittingDetector.after(progress.history, self.manifest.split.validation_files)
            is_possible = (
                0 <= progress.step <= self.manifest.total_steps
                and 1 <= progress.batch_size <= self.config.batch_size
            )
        except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
            raise CheckpointError(f"{name} does not fit the model of this run; choose another.") from error
        if not is_possible:
            raise CheckpointError(f"{name} is not of this run: its step or batch size is impossible here.")
        self._unread.clear()
        self._heard = None
        self._previewer.return_to(progress.previewed_epoch)
        self._warnings.return_to({WarningKind(kind): text for kind, text in progress.warnings.items()})
        self.progress = progress
        self._detector = detector
        self._remaining = RemainingTime(self.progress.step_time_s, self.progress.evaluation_time_s)
        self._started_s = time.monotonic()
        self._saver.forget(self.progress.step)
        self._owed = owed
        self._checkpoints.resumed_from = name

    # -- what is due ------------------------------------------------------------------------------------

    def _is_at_epoch_end(self) -> bool:
        return self.progress.step % self.manifest.steps_per_epoch == 0

    def _is_validation_due(self) -> bool:
        return self._is_at_epoch_end() and self.epoch > self.progress.validated_epochs

    def _is_preview_due(self) -> bool:
        at_interval = self.epoch % self.config.preview_interval == 0 or self.epoch == self.config.epochs
        return self._is_at_epoch_end() and at_interval and self.epoch > self._previewer.begun_epoch

    def _is_checkpoint_due(self) -> bool:
        at_interval = self._is_at_epoch_end() and self.epoch % self.config.checkpoint_interval == 0
        is_old = self._saver.age_s > self.config.checkpoint_minutes * 60
        is_new = self._saver.asked_step < self.progress.step < self.manifest.total_steps
        return (at_interval or is_old) and is_new

    # -- steps ------------------------------------------------------------------------------------------

    def _new_step(self) -> TrainingStep | CudaGraphStep:
        step = TrainingStep(self.model, self.average, self.optimizer, self.config)
        return CudaGraphStep(step, self._be_alone) if self.device.type == "cuda" else step

    def _be_alone(self) -> None:
        """Let no other thread ask anything of the device."""
        self._previewer.finish(self._control.is_cancelled)
        self._saver.finish()

    def _train_step(self) -> None:
        self._heard = None
        if not self._unread:
            self._unread_since_s = time.perf_counter()
        step, total = self.progress.step, self.manifest.total_steps
        rate = learning_rate(self.config, step, total) * self.progress.learning_rate_scale
        weight = kl_weight(self.config, step, total)
        numbers = self._update(step, rate, weight)
        if numbers is None:
            self._make_room()
            return
        self.progress.step += 1
        self._unread.append(PendingStep(self.progress.step, rate, weight, numbers))
        if time.perf_counter() - self._unread_since_s >= self._read_interval_s:
            self._read_steps()

    def _update(self, step: int, rate: float, weight: float) -> Tensor | None:
        """Change the weights by one batch; loss, its two terms and the gradient's norm, [4] on the device.

        No weight is changed if one of them is not finite, and nobody waits to see it.  None if the device has
        not enough memory.
        """
        config, size = self.config, self.progress.batch_size
        noise = torch.randn(size, config.latent_dim, generator=generator(config.seed, "posterior", step))
        schedule = torch.tensor([rate, weight, ema_weight(step)])
        check = self._control.raise_if_cancelled
        try:
            log_mel = self._workbench.batches.batch(step, size)
            check()
            torch.manual_seed(derive_seed(config.seed, "dropout", step))
            inputs = StepInputs(log_mel, to_device(noise, self.device), to_device(schedule, self.device))
            return self._step(inputs, check)
        except torch.OutOfMemoryError:
            return None

    def _read_steps(self) -> None:
        """Look at the numbers of the steps taken since the last look, and tell them."""
        if not self._unread:
            return
        unread, self._unread = self._unread, []
        rows = torch.stack([each.numbers for each in unread]).tolist()
        step_time_s = (time.perf_counter() - self._unread_since_s) / len(unread)
        for taken, numbers in zip(unread, rows, strict=True):
            is_good = all(map(math.isfinite, numbers))
            loss, reconstruction, kl, gradient_norm = numbers if is_good else [None] * 4
            self._remaining.add_step(step_time_s)
            self._reporter.emit(
                StepFinished(
                    epoch=(taken.step - 1) // self.manifest.steps_per_epoch + 1,
                    step=taken.step,
                    total_steps=self.manifest.total_steps,
                    train_loss=loss,
                    learning_rate=taken.learning_rate,
                    gradient_norm=gradient_norm,
                    step_time_s=step_time_s,
                    metrics={
                        "reconstruction_loss": reconstruction,
                        "kl_loss": kl,
                        "kl_weight": taken.kl_weight,
                    },
                )
            )
            if is_good:
                self.progress.bad_steps = 0
            elif self._skipped(taken.step):
                return  # those after it are to be taken again

    def _make_room(self) -> None:
        """Answer a lack of memory: end what goes on beside the steps, and if nothing does, halve the batch.

        The epoch keeps its number of steps and shows fewer chunks.
        """
        size = self.progress.batch_size
        self._step = self._new_step()  # a recording holds memory of its own
        self._read_steps()
        if self.progress.batch_size != size:
            return  # the run is back at a checkpoint
        self.optimizer.zero_grad()
        was_beside = self._previewer.finish(self._control.is_cancelled)
        if self.device.type == "cuda":
            torch.cuda.empty_cache()
        if was_beside:
            return
        if size == 1:
            raise TrainingError(
                f"The device {self.device} has not enough memory for one chunk of "
                f"{self.config.chunk_duration_s:g} s with {self.config.latent_dim} latent dimensions; "
                "choose a smaller chunk_duration_s, width or mel_bands, or another device."
            )
        self.progress.batch_size = size // 2
        self._warnings.say(
            WarningKind.MEMORY,
            f"The device ran out of memory: batches now have {size // 2} chunks, not {size}.",
        )

    def _skipped(self, step: int) -> bool:
        """Answer a step whose loss or gradient was not finite; whether the run went back to a checkpoint."""
        self.progress.bad_steps += 1
        self.progress.skipped_steps += 1
        count = self.progress.skipped_steps
        self._warnings.say(
            WarningKind.NON_FINITE,
            f"{count} step{'' if count == 1 else 's'} skipped: the loss was not a finite number, "
            f"last at step {step}.",
        )
        if self.progress.bad_steps < BAD_STEPS_BEFORE_ROLLBACK:
            return False
        rollbacks = self.progress.rollbacks + 1
        if rollbacks > ROLLBACKS_BEFORE_GIVING_UP:
            raise TrainingError(
                f"The loss stays infinite or not a number, also after {ROLLBACKS_BEFORE_GIVING_UP} returns "
                "to a good checkpoint at half the learning rate; start again with a smaller learning_rate."
            )
        scale = self.progress.learning_rate_scale / 2
        told = self._warnings.sentences
        self._saver.finish()
        state, path, _ = self._checkpoints.newest()
        self.restore(state, path.name)
        self.progress.bad_steps = 0
        self.progress.rollbacks = rollbacks
        self.progress.learning_rate_scale = scale
        self._reporter.rewind(self.progress)
        self._warnings.repeat(told)
        self._warnings.say(
            WarningKind.ROLLBACK,
            f"The loss was not finite {BAD_STEPS_BEFORE_ROLLBACK} steps in a row: back at step "
            f"{self.progress.step}, with {scale:g} times the learning rate.",
        )
        return True

    # -- ends of epochs ---------------------------------------------------------------------------------

    def _validate(self) -> None:
        """Measure both sides of the split alike, and tell."""
        started_s = time.perf_counter()
        scale = self.average.scale
        train, validation = (evaluate(each, scale, self.config) for each in self._reconstructions())
        self._remaining.add_evaluation(time.perf_counter() - started_s)
        self.progress.validated_epochs = self.epoch
        best = math.inf if self.progress.best_loss is None else self.progress.best_loss
        if validation.loss < best:  # never so for NaN
            self.progress.best_loss = validation.loss
            self.progress.best_epoch = self.epoch
        event = self._epoch_event(train, validation)
        self.progress.history.append(
            {
                "epoch": self.epoch,
                "validation_loss": validation.loss,
                "overfitting_gap": event.overfitting_gap,
            }
        )
        self._reporter.emit(event)
        self._detector.update(self.epoch, validation.loss, overfitting_gap(train.error, validation.error))
        note = self.manifest.split.confidence_note
        self._warnings.say(WarningKind.OVERFITTING, self._detector.warning(self.epoch, note))
        self._warnings.say(WarningKind.LATENT, latent_warning(validation.kl_per_dimension))
        if self.epoch >= BLUR_TOLD_FROM * self.config.epochs:
            self._warnings.say(
                WarningKind.BLUR, blur_warning(validation.detail, WarningKind.BLUR in self._warnings)
            )
        if self.progress.best_epoch == self.epoch:
            self._saver.keep_best(self._state(), self.epoch, self.progress.step)

    def _epoch_event(self, train: Evaluation, validation: Evaluation) -> EpochFinished:
        progress, memory = self.progress, memory_use(self.device)
        gap = overfitting_gap(train.error, validation.error)
        epochs_left = self.config.epochs - self.epoch
        return EpochFinished(
            epoch=self.epoch,
            total_epochs=self.config.epochs,
            step=progress.step,
            train_loss=train.loss,
            validation_loss=validation.loss,
            train_error=train.error,
            validation_error=validation.error,
            overfitting_gap=gap,
            quality=quality(gap),
            best_validation_loss=progress.best_loss,
            best_epoch=progress.best_epoch,
            elapsed_s=self._elapsed_s(),
            eta_s=self._remaining.estimate_s(self.manifest.total_steps - progress.step, epochs_left),
            memory_used_bytes=memory.used_bytes,
            memory_peak_bytes=memory.peak_bytes,
            memory_total_bytes=memory.total_bytes,
            metrics={
                "validation_reconstruction_loss": validation.reconstruction_loss,
                "validation_kl_loss": validation.kl_loss,
                "kl_divergence": float(validation.kl_per_dimension.sum()),
                "kl_per_dimension": tuple(validation.kl_per_dimension.tolist()),
                "active_latent_dimensions": active_dimensions(validation.kl_per_dimension),
                "latent_dimensions": self.config.latent_dim,
                "validation_detail": validation.detail,
            },
        )

    def _preview(self) -> None:
        training, validation = self._reconstructions()
        fitted = fit_latents(training)
        near = nearness(self.average, fitted, training, validation, self.config.seed)
        was_told = WarningKind.MEMORISATION in self._warnings
        self._warnings.say(WarningKind.MEMORISATION, memorisation_warning(near, was_told))
        self._previewer.render(
            self.average, fitted, self.epoch, self.progress.step, self._control.is_cancelled
        )

    def _render_owed(self, owed: PendingPreviews) -> None:
        cancelled = self._control.is_cancelled
        fitted = fit_latents(reconstruct(owed.model, self._workbench.training_set, cancelled))
        self._previewer.render(owed.model, fitted, owed.epoch, owed.step, cancelled)
        self._owed = None

    def _reconstructions(self) -> tuple[Reconstruction, Reconstruction]:
        """What the average makes of both sides, training first; computed once between two steps."""
        if self._heard is None:
            training, validation = (
                reconstruct(self.average, each, self._control.is_cancelled)
                for each in (self._workbench.training_set, self._workbench.validation_set)
            )
            self._heard = training, validation
        return self._heard

    # -- state ------------------------------------------------------------------------------------------

    def _state(self) -> State:
        """Everything that the run needs to go on.  Schedules and random draws are functions of the step."""
        self.progress.previewed_epoch = self._previewer.done_epoch
        self.progress.warnings = {kind.value: text for kind, text in self._warnings.sentences.items()}
        self.progress.elapsed_s = self._elapsed_s()
        self.progress.step_time_s = self._remaining.step_time_s
        self.progress.evaluation_time_s = self._remaining.evaluation_time_s
        self._started_s = time.monotonic()
        return {
            "step": self.progress.step,
            "epoch": self.epoch,
            "progress": dataclasses.asdict(self.progress),
            "model": self.model.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "threads": torch.get_num_threads(),
            "kl_weight": kl_weight(self.config, self.progress.step, self.manifest.total_steps),
            "config": dataclasses.asdict(self.config),
            "spectrogram": dataclasses.asdict(self.manifest.spectrogram),
        }

    def _elapsed_s(self) -> float:
        return self.progress.elapsed_s + time.monotonic() - self._started_s
