"""A run on the engine's thread, from the queue to its end.  Imports no torch before it begins."""

import contextlib
import logging
import threading
from collections.abc import Callable

from core.errors import Cancelled, RunError, SdaError
from core.events import RunEvent, RunState, StateChanged
from core.runs import EventLog, RunDirectory, summarise
from core.training.control import Control

logger = logging.getLogger(__name__)

Listener = Callable[[RunEvent], None]


class QueuedRun:
    """A run that waits for the engine, is being trained, or was cancelled before it began."""

    def __init__(self, run: RunDirectory, device: str | None) -> None:
        self.run = run
        self.device = device
        self.control = Control(run.requests)
        self.ended = threading.Event()
        self.problem: SdaError | None = None
        self._lock = threading.Lock()
        self._begun = False
        self._state_reached: str | None = None

    def execute(self, listener: Listener) -> None:
        """Train; on the engine's thread."""
        with self._lock:
            if self.ended.is_set():
                return
            self._begun = True
        try:
            from core.training.run import train_run

            train_run(self.run, self.device, self.control, self._noting_state(listener))
            if self._state_reached == RunState.FINISHED.value:
                self._add_best_previews(listener, self.control.is_cancelled)
        except Cancelled:
            self._report_cancelled(listener)
        except SdaError as error:
            self._refuse(error, listener)
        except Exception as error:
            logger.exception("the run could not be opened")
            self._refuse(RunError(f"The run {self.run.name} cannot be opened ({error})."), listener)
        finally:
            self.ended.set()

    def follow_up(self, listener: Listener, is_unwanted: Callable[[], bool]) -> None:
        """Render what a cancel did not wait for, unless the engine is wanted meanwhile; on its thread."""
        if self._state_reached == RunState.CANCELLED.value:
            self._add_best_previews(listener, is_unwanted)

    def _add_best_previews(self, listener: Listener, cancelled: Callable[[], bool]) -> None:
        """Those of the best epoch.  Without them the run is as good: `render` makes them, or says why not."""
        from core.synthesis.best_previews import add_best_previews

        try:
            for preview in add_best_previews(self.run, self.device, cancelled):
                listener(preview)
        except Cancelled:
            pass
        except Exception as error:
            logger.info("the best epoch of %s has no previews (%s)", self.run.name, error)

    def _noting_state(self, listener: Listener) -> Listener:
        def listen(event: RunEvent) -> None:
            if isinstance(event, StateChanged):
                self._state_reached = event.state
            listener(event)

        return listen

    def _refuse(self, problem: SdaError, listener: Listener) -> None:
        """Report why nothing was trained, to the listener alone: the log may belong to another process."""
        self.problem = problem
        listener(self._state(RunState.FAILED, str(problem)))

    def _state(self, state: RunState, message: str = "") -> StateChanged:
        summary = summarise(self.run)
        total_steps, epochs = 0, 0
        if summary.manifest is not None:
            total_steps, epochs = summary.manifest.total_steps, summary.manifest.config.epochs
        return StateChanged(state.value, summary.step, summary.epoch, total_steps, epochs, message)

    def cancel(self, listener: Listener) -> None:
        """Stop at the next safe point, or at once while the engine, which takes seconds, still loads."""
        self.control.cancel()
        with self._lock:
            if self._begun or self.ended.is_set():
                return
            self.ended.set()
        self._report_cancelled(listener)

    def _report_cancelled(self, listener: Listener) -> None:
        event = self._state(RunState.CANCELLED)
        with contextlib.suppress(OSError), contextlib.closing(EventLog(self.run.events)) as log:
            log.append(event)
        listener(event)
