"""One run from its directory to its end, whatever that is: lock, log, restore, train, report."""

import contextlib
import logging
import os
import shutil
from collections.abc import Iterator

from core.checkpoints.archive import State
from core.checkpoints.folder import CheckpointFolder
from core.data.matching import SoundMatch
from core.device import be_deterministic, choose_device
from core.errors import Cancelled, CheckpointError, RunError, SdaError
from core.events import LoadProgress, RunState, StateChanged, Warned, WarningKind
from core.runs import EventLog, RunDirectory, RunManifest, estimate_run
from core.text import printable
from core.threads import use_threads
from core.training.control import Control
from core.training.migration import read_newest
from core.training.recovery import NonFiniteStreak
from core.training.reporter import Listener, RunReporter
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
    of it has changed.
    """
    manifest = run.read_manifest()
    try:
        run.lock.acquire()
    except OSError as error:
        raise RunError(
            f"Cannot write to {printable(str(run.path))} ({error.strerror}); check its permissions."
        ) from error
    try:
        sounds = find_sounds(
            run,
            manifest,
            control.is_cancelled,
            lambda at: listener(LoadProgress(at.phase, at.done, at.total)),
        )
        run.requests.clear()
        with _logging_to(run.open_log()), contextlib.closing(EventLog(run.events)) as log:
            reporter = RunReporter(log, listener)
            TrainingRun(run, manifest, sounds, reporter, control, set_up).execute(device_name)
    except OSError as error:
        raise RunError(
            f"Cannot write to {printable(str(run.path))} ({error.strerror}); free some space."
        ) from error
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
        self._trainer: Trainer | None = None
        self._checkpoint_problem = ""
        self._resume_point = ResumePoint(0, 0, -1)

    def execute(self, device_name: str | None) -> None:
        try:
            self._train(device_name)
            self._report(RunState.FINISHED, self._save("finished"))
        except Cancelled:
            self._report(RunState.CANCELLED, self._save("cancelled"))
        except SdaError as error:
            logger.error("%s", error)
            self._report(RunState.FAILED, " ".join(filter(None, (str(error), self._save("failed")))))
        except Exception as error:
            logger.exception("unexpected error")
            what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            self._report(RunState.FAILED, f"An unexpected error ended the run ({what}); see {self._run.log}.")
        finally:
            if self._trainer is not None:
                self._trainer.close()  # nothing may be written once the lock is released

    def _train(self, device_name: str | None) -> None:
        checkpoint = self._find_checkpoint()
        self._report(RunState.LOADING)
        self._warn(WarningKind.CHECKPOINT, self._checkpoint_problem)
        device = choose_device(device_name)
        be_deterministic(self._manifest.config.deterministic)
        if checkpoint is not None:
            use_threads(device, checkpoint[0].get("threads"))
        for path in self._sounds.missing:
            logger.warning("%s is left out: it is gone or has changed", printable(path))
        self._warn(WarningKind.DATASET, describe_missing(self._sounds))
        if checkpoint is not None:
            self._warn(WarningKind.NEW_SOUNDS, describe_new(self._sounds))
        self._warn_of_space()
        task = self._set_up(
            SetupContext(
                self._run,
                self._manifest,
                device,
                is_new=checkpoint is None,
                cancelled=self._control.is_cancelled,
                emit=self._reporter.emit,
                locations=self._sounds.locations,
            )
        )
        for kind, message in task.setup_warnings.items():
            self._warn(kind, message)
        trainer = Trainer(self._run, self._manifest, task, self._control, self._reporter)
        if checkpoint is not None:
            trainer.restore(*checkpoint)
        self._trainer = trainer
        logger.info("training on %s from step %d", device, trainer.progress.step)
        self._report(RunState.TRAINING)
        trainer.train()

    def _find_checkpoint(self) -> tuple[State, str] | None:
        """What to continue from, with the log cut back to it.  None for a run that has not trained yet."""
        folder = CheckpointFolder(self._run.checkpoints)
        if not folder.by_age():
            if self._run.has_trained():
                raise CheckpointError(
                    f"The checkpoints of {self._run.name} are gone, so it cannot continue; start a new run."
                )
            return None
        state, path, problems = read_newest(folder, self._manifest.split.validation_files)
        self._resume_point = ResumePoint.read(state, path.name)
        self._reporter.rewind(self._resume_point)
        if problems:
            self._checkpoint_problem = f"{' '.join(problems)} Continuing from {path.name} instead."
        return state, path.name

    def _warn_of_space(self) -> None:
        needed = estimate_run(self._manifest).disk_bytes - self._run.size_bytes()
        free = shutil.disk_usage(self._run.path).free
        if free < needed:
            self._warn(
                WarningKind.SPACE,
                f"The run will take {needed / 1e6:,.0f} MB more, and {free / 1e6:,.0f} MB are free in "
                f"{printable(str(self._run.path))}; free some, or checkpoints and previews will be lost.",
            )

    def _save(self, reason: str) -> str:
        """Keep the state that the run ends in; a message if that failed."""
        if self._trainer is None:
            return ""
        with contextlib.suppress(NonFiniteStreak):  # the run ends here anyway
            self._trainer.steps.flush()
        self._trainer.save(reason)
        self._trainer.writer.finish()
        return self._trainer.writer.problem

    def _warn(self, kind: WarningKind, message: str) -> None:
        if message:
            logger.warning("%s", message)
            self._reporter.emit(Warned(kind, message, self._resume_point.step))

    def _report(self, state: RunState, message: str = "") -> None:
        progress = self._trainer.progress if self._trainer else self._resume_point
        self._reporter.emit(
            StateChanged(
                state=state.value,
                step=progress.step,
                epoch=progress.validated_epochs,
                total_steps=self._manifest.total_steps,
                total_epochs=self._manifest.config.epochs,
                message=message,
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
    logging.getLogger("core").info("process %d", os.getpid())
    for name in names:
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).propagate = False
    try:
        yield
    finally:
        for name in names:
            logging.getLogger(name).removeHandler(handler)
        handler.close()
        with contextlib.suppress(OSError):  # the disk is full
            file.close()
