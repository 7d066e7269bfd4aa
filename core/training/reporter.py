"""Where a training run reports what happens."""

from collections.abc import Callable
from typing import Protocol

from core.errors import RunError
from core.events import (
    CheckpointSaved,
    EpochFinished,
    PreviewReady,
    RunEvent,
    StepFinished,
    Warned,
    WarningKind,
)
from core.runs import EventLog
from core.training.state import ResumePoint

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
        def is_past(event: RunEvent) -> bool:
            match event:
                case EpochFinished():
                    return event.epoch <= point.validated_epochs
                case PreviewReady():
                    return event.epoch <= point.previewed_epoch
                case StepFinished() | CheckpointSaved() | Warned():
                    return event.step <= point.step
            return True

        try:
            self._log.keep(is_past)
        except OSError as error:
            raise RunError(
                f"The log of the run cannot be rewritten ({error.strerror}); free some space."
            ) from error
