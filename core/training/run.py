"""One run from its directory to its end, whatever that is: lock, log, restore, train, report."""

import contextlib
import logging
import os
import shutil
from collections.abc import Iterator

import torch

from core.checkpoints.folder import CheckpointFolder
from core.data.matching import SoundMatch
from core.device import be_deterministic, choose_device, gpu_uuid, is_out_of_memory
from core.disk import explain_write_error
from core.errors import Cancelled, CheckpointError, RunError, SdaError
from core.events import LoadProgress, RunState, StateChanged, Warned, WarningKind
from core.runs import EventLog, RunDirectory, RunManifest, estimate_run
from core.text import printable
from core.threads import use_threads
from core.training.control import Control
from core.training.reporter import Listener, RunReporter
from core.training.resume import Candidates
from core.training.sounds import describe_missing, describe_new, find_sounds
from core.training.state import ResumePoint
from core.training.task import SetUp, SetupContext
from core.training.trainer import Trainer
from core.training.vae_task import VaeTask

logger = logging.getLogger(__name__)


def train_run(
    run: RunDirectory,
    device_name: str | None,
    control: Control,
    listener: Listener,
    set_up: SetUp = VaeTask.set_up,
) -> None:
    """Start or continue a run, to its end or until it is cancelled.

    `set_up` makes the task that is trained.  How the run ends is reported as a state, with the message of an
    error that has one for the user.  Raises RunError if the run cannot even be opened, because it is held by
    another process or its directory cannot be written, and SoundsNotFoundError or Cancelled before anything
    of it has changed but what a killed process left.
    """
    manifest = run.read_manifest()
    try:
        run.lock.acquire()
    except OSError as error:
        raise RunError(f"Cannot write to {printable(str(run.path))} {explain_write_error(error)}.") from error
    try:
        run.requests.clear()  # an old one would cancel the search
        run.remove_leftovers()
        sounds = find_sounds(
            run,
            manifest,
            control.is_cancelled,
            lambda at: listener(LoadProgress(at.phase, at.done, at.total)),
        )
        with _logging_to(run.open_log()), contextlib.closing(EventLog(run.events)) as log:
            reporter = RunReporter(log, listener)
            TrainingRun(run, manifest, sounds, reporter, control, set_up).execute(device_name)
    except OSError as error:
        raise RunError(f"Cannot write to {printable(str(run.path))} {explain_write_error(error)}.") from error
    finally:
        run.lock.release()


class TrainingRun:
    """Brings a run from its newest checkpoint to its end, and reports how it ended."""

    def __init__(
        self,
        run: RunDirectory,
        manifest: RunManifest,
        sounds: SoundMatch,
        reporter: RunReporter,
        control: Control,
        set_up: SetUp,
    ) -> None:
        self._run = run
        self._manifest = manifest
        self._sounds = sounds
        self._reporter = reporter
        self._control = control
        self._set_up = set_up
        self._background = contextlib.ExitStack()  # ends what runs there
        self._trainer: Trainer | None = None
        self._resume_point = ResumePoint.start()
        self._warnings: list[tuple[WarningKind, str]] = []  # found before it is known where the run continues

    def execute(self, device_name: str | None) -> None:
        with self._background:  # nothing may be written after the state that the run ends in
            state, message = self._train_to_end(device_name)
        self._report(state, message)

    def _train_to_end(self, device_name: str | None) -> tuple[RunState, str]:
        """The state that the run ends in, and a message if that is not as it should be or came early.

        It is finished when its last state and its last previews are on disk.
        """
        try:
            self._train(device_name)
        except Cancelled:
            return RunState.CANCELLED, self._save("cancelled")
        except SdaError as error:
            logger.error("%s", error)
            return RunState.FAILED, " ".join(filter(None, (str(error), self._save("failed"))))
        except Exception as error:
            if is_out_of_memory(error):
                logger.exception("out of memory")
                return RunState.FAILED, (
                    "There is too little memory for this run; close other programs, or choose a smaller "
                    "batch_size, width or chunk_duration_s."
                )
            logger.exception("unexpected error")
            what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            return RunState.FAILED, f"An unexpected error ended the run ({what}); see {self._run.log}."
        assert self._trainer is not None
        problem = " ".join(filter(None, (self._save("finished"), self._trainer.previewer.missing)))
        if problem:
            return RunState.FAILED, problem
        if reason := self._trainer.stop_reason:
            logger.info("%s", reason)
        return RunState.FINISHED, reason

    def _train(self, device_name: str | None) -> None:
        candidates = self._find_checkpoints()
        self._report(RunState.LOADING)
        device = choose_device(device_name)
        be_deterministic(self._manifest.config.deterministic)
        if candidates is not None:
            use_threads(device, candidates.state.get("threads"))
        for path in self._sounds.missing:
            logger.warning("%s is left out: it is gone or has changed", printable(path))
        self._warn(WarningKind.DATASET, describe_missing(self._sounds))
        if candidates is not None:
            self._warn(WarningKind.NEW_SOUNDS, describe_new(self._sounds))
        self._warn_of_space()
        task = self._set_up(
            SetupContext(
                self._run,
                self._manifest,
                device,
                is_new=candidates is None,
                cancelled=self._control.is_cancelled,
                emit=self._reporter.emit,
                locations=self._sounds.locations,
            )
        )
        self._background.callback(task.close)
        for kind, message in task.setup_warnings.items():
            self._warn(kind, message)
        trainer = Trainer(self._run, self._manifest, task, self._control, self._reporter)
        self._background.callback(trainer.close)
        if candidates is None:
            self._reporter.rewind(self._resume_point)
        else:
            trainer.restore(candidates)
            self._resume_point = candidates.point
            self._warn(WarningKind.CHECKPOINT, candidates.remark)
        self._trainer = trainer
        logger.info("training on %s from step %d", device, trainer.progress.step)
        self._report(RunState.TRAINING, device=device)
        trainer.train()

    def _find_checkpoints(self) -> Candidates | None:
        """What to continue from.  None for a run that has saved nothing yet, and starts over."""
        folder = CheckpointFolder(self._run.checkpoints)
        if not folder.by_age():
            if self._run.has_saved():
                raise CheckpointError(
                    f"The checkpoints of {self._run.name} are gone, so it cannot continue; start a new run."
                )
            return None
        candidates = Candidates(folder, self._manifest)
        self._resume_point = candidates.point
        return candidates

    def _warn_of_space(self) -> None:
        needed = estimate_run(self._manifest).disk_bytes - self._run.used_bytes()
        free = shutil.disk_usage(self._run.path).free
        if free < needed:
            self._warn(
                WarningKind.SPACE,
                f"The run will take {needed / 1e6:,.0f} MB more, and {free / 1e6:,.0f} MB are free in "
                f"{printable(str(self._run.path))}; free some, or checkpoints and previews will be lost.",
            )

    def _save(self, reason: str) -> str:
        """Keep the state that the run ends in; a message if that failed."""
        return self._trainer.save_last(reason) if self._trainer is not None else ""

    def _warn(self, kind: WarningKind, message: str) -> None:
        """Report with the next state: until then the log may be cut back."""
        if message:
            logger.warning("%s", message)
            self._warnings.append((kind, message))

    def _report(self, state: RunState, message: str = "", device: torch.device | None = None) -> None:
        progress = self._trainer.progress if self._trainer else self._resume_point
        for kind, warning in self._warnings:
            self._reporter.emit(Warned(kind, warning, progress.step))
        self._warnings.clear()
        self._reporter.emit(
            StateChanged(
                state=state.value,
                step=progress.step,
                epoch=progress.validated_epochs,
                total_steps=self._manifest.total_steps,
                total_epochs=self._manifest.config.epochs,
                message=message,
                device=str(device or ""),
                gpu_uuid=gpu_uuid(device) if device is not None else "",
            )
        )


@contextlib.contextmanager
def _logging_to(descriptor: int) -> Iterator[None]:
    """Send what `core` logs, and Python's warnings, to the run's log while the run lasts."""
    file = os.fdopen(descriptor, "a", encoding="utf-8", errors="replace")
    handler = logging.StreamHandler(file)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.handleError = lambda _: None  # type: ignore[assignment, method-assign]  # a full disk must not fill the screen
    names = ("core", "py.warnings")
    logging.captureWarnings(True)
    logging.getLogger("core").setLevel(logging.INFO)
    for name in names:
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).propagate = False
    logger.info("process %d", os.getpid())
    try:
        yield
    finally:
        for name in names:
            logging.getLogger(name).removeHandler(handler)
        handler.close()
        with contextlib.suppress(OSError):  # the disk is full
            file.close()
