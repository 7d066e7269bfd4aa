"""One run from its directory to its end, whatever that is: lock, log, restore, train, explain."""

import contextlib
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from core.checkpoints.archive import State
from core.checkpoints.folder import CheckpointFolder
from core.device import be_deterministic, choose_device
from core.errors import Cancelled, CheckpointError, RunError, SdaError
from core.events import (
    CheckpointSaved,
    EpochFinished,
    PreviewReady,
    RunEvent,
    RunState,
    StateChanged,
    StepFinished,
    Warned,
    WarningKind,
)
from core.runs import EventLog, RunDirectory, RunManifest, estimate_run
from core.text import printable
from core.threads import use_threads
from core.training.control import Control
from core.training.setup import prepare
from core.training.state import Progress, read_progress
from core.training.trainer import Trainer

logger = logging.getLogger(__name__)

Listener = Callable[[RunEvent], None]


class RunReporter:
    """Writes what happens to the run's log, then tells the listener."""

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

    def rewind(self, progress: Progress) -> None:
        def is_past(event: RunEvent) -> bool:
            match event:
                case EpochFinished():
                    return event.epoch <= progress.validated_epochs
                case PreviewReady():
                    return event.epoch <= progress.previewed_epoch
                case StepFinished() | CheckpointSaved() | Warned():
                    return event.step <= progress.step
            return True

        try:
            self._log.keep(is_past)
        except OSError as error:
            raise RunError(
                f"The log of the run cannot be rewritten ({error.strerror}); free some space."
            ) from error


def train_run(run: RunDirectory, device_name: str | None, control: Control, listener: Listener) -> None:
    """Start or continue a run, to its end or until it is cancelled.

    How it ends is told as a state; errors that have a sentence for the user too.  Raises RunError if the run
    cannot even be opened, because it is held by another process or its directory cannot be written.
    """
    manifest = run.read_manifest()
    try:
        run.lock.acquire()
    except OSError as error:
        raise RunError(
            f"Cannot write to {printable(str(run.path))} ({error.strerror}); check its permissions."
        ) from error
    try:
        run.requests.clear()
        with _logging_to(run.log), contextlib.closing(EventLog(run.events)) as log:
            _Job(run, manifest, RunReporter(log, listener), control).execute(device_name)
    except OSError as error:
        raise RunError(
            f"Cannot write to {printable(str(run.path))} ({error.strerror}); free some space."
        ) from error
    finally:
        run.lock.release()


class _Job:
    def __init__(
        self, run: RunDirectory, manifest: RunManifest, reporter: RunReporter, control: Control
    ) -> None:
        self.run = run
        self.manifest = manifest
        self.reporter = reporter
        self.control = control
        self.trainer: Trainer | None = None
        self._checkpoint_problem = ""
        self.progress = Progress(batch_size=manifest.config.batch_size)

    def execute(self, device_name: str | None) -> None:
        try:
            self._train(device_name)
            self._tell(RunState.FINISHED, self._save("finished"))
        except Cancelled:
            self._tell(RunState.CANCELLED, self._save("cancelled"))
        except SdaError as error:
            logger.error("%s", error)
            self._tell(RunState.FAILED, " ".join(filter(None, (str(error), self._save("failed")))))
        except Exception as error:
            logger.exception("unexpected error")
            what = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
            self._tell(RunState.FAILED, f"An unexpected error ended the run ({what}); see {self.run.log}.")
        finally:
            if self.trainer is not None:
                self.trainer.close()  # nothing may be written once the lock is given back

    def _train(self, device_name: str | None) -> None:
        checkpoint = self._find_checkpoint()
        self._tell(RunState.LOADING)
        self._warn(WarningKind.CHECKPOINT, self._checkpoint_problem)
        device = choose_device(device_name)
        be_deterministic(self.manifest.config.deterministic)
        if checkpoint is not None:
            use_threads(device, checkpoint[0].get("threads"))
        self._warn_of_changes()
        self._warn_of_space()
        bench = prepare(
            self.run, self.manifest, device, self.control.is_cancelled, self.reporter.emit, checkpoint is None
        )
        for problem in bench.problems:
            logger.warning("%s", problem)
        if bench.problems:
            self._warn(WarningKind.UNREADABLE, " ".join(bench.problems[:3]))
        self._warn(WarningKind.CLIP, bench.clip_problem)
        trainer = Trainer(self.run, self.manifest, bench, self.control, self.reporter)
        if checkpoint is not None:
            trainer.restore(*checkpoint)
        self.trainer = trainer
        logger.info("training on %s from step %d", device, trainer.progress.step)
        self._tell(RunState.TRAINING)
        trainer.train()

    def _find_checkpoint(self) -> tuple[State, str] | None:
        """What to go on from, with the log cut back to it.  None for a run that has not trained yet."""
        folder = CheckpointFolder(self.run.checkpoints)
        if not folder.by_age():
            if self.run.has_trained():
                raise CheckpointError(
                    f"The checkpoints of {self.run.name} are gone, so it cannot go on; start a new run."
                )
            return None
        state, path, problems = folder.newest()
        self.progress = read_progress(state, path.name)
        self.reporter.rewind(self.progress)
        if problems:
            self._checkpoint_problem = f"{' '.join(problems)} Going on from {path.name} instead."
        return state, path.name

    def _warn_of_changes(self) -> None:
        if not Path(self.manifest.folder).is_dir():
            raise RunError(f"The folder {printable(self.manifest.folder)} is gone; put it back to continue.")
        self._warn(WarningKind.DATASET, " ".join(self.manifest.changes_since()))

    def _warn_of_space(self) -> None:
        needed = estimate_run(self.manifest).disk_bytes - self.run.size_bytes()
        free = shutil.disk_usage(self.run.path).free
        if free < needed:
            self._warn(
                WarningKind.SPACE,
                f"The run will take {needed / 1e6:,.0f} MB more, and {free / 1e6:,.0f} MB are free in "
                f"{printable(str(self.run.path))}; free some, or checkpoints and previews will be lost.",
            )

    def _save(self, reason: str) -> str:
        """Keep the state that the run ends in; a sentence if that failed."""
        if self.trainer is None:
            return ""
        self.trainer.save(reason)
        return self.trainer.finish_saving()

    def _warn(self, kind: WarningKind, message: str) -> None:
        if message:
            logger.warning("%s", message)
            self.reporter.emit(Warned(kind, message, self.progress.step))

    def _tell(self, state: RunState, message: str = "") -> None:
        progress = self.trainer.progress if self.trainer else self.progress
        self.reporter.emit(
            StateChanged(
                state=state.value,
                step=progress.step,
                epoch=progress.validated_epochs,
                total_steps=self.manifest.total_steps,
                total_epochs=self.manifest.config.epochs,
                message=message,
            )
        )


@contextlib.contextmanager
def _logging_to(path: Path) -> Iterator[None]:
    """Send what `core` logs, and Python's warnings, to the run's log while the run lasts."""
    handler = logging.FileHandler(path, encoding="utf-8")
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
