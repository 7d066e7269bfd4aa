"""Signals in a command without a screen."""

import os
import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

from sda_tui.terminal import leave_terminal

INTERRUPTED_STATUS = 130

_NAMES = "INT TERM QUIT USR1 USR2 ALRM VTALRM PROF XCPU IO PWR STKFLT".split()  # macOS lacks the last ones
_REAL_TIME = range(signal.SIGRTMIN, signal.SIGRTMAX + 1) if hasattr(signal, "SIGRTMIN") else range(0)

# Those that would end the process, whoever sends them.  Not the ones of errors in the process itself, nor
# SIGPIPE and SIGXFSZ, which Python ignores: writing fails instead.
STOP_SIGNALS: tuple[int, ...] = (
    *(int(getattr(signal, f"SIG{name}")) for name in _NAMES if hasattr(signal, f"SIG{name}")),
    *_REAL_TIME,
)
FROM_KEYS = {signal.SIGINT, signal.SIGQUIT}  # Ctrl-C, Ctrl-\


def interrupt() -> None:
    """Leave a command that has nothing to save yet."""
    raise KeyboardInterrupt


def take_as_sigterm() -> None:
    """From now on other signals that would end this process do what SIGTERM does, which the app handles."""
    for number in STOP_SIGNALS:
        if number not in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda _number, _frame: os.kill(os.getpid(), signal.SIGTERM))


class StopOnSignal:
    """While entered: the first Ctrl-C, SIGTERM or other signal that would end the process calls `stop`, a
    second Ctrl-C ends the process at once.

    SIGHUP, sent when the terminal is lost, detaches from the terminal and changes nothing else.
    """

    def __init__(self, stop: Callable[[], None] = interrupt) -> None:
        self._stop = stop
        self._before: dict[int, Any] = {}
        self.stopped = False
        self.by_keys = False  # that the user pressed in this terminal

    def __enter__(self) -> Self:
        for number in (*STOP_SIGNALS, signal.SIGHUP):
            is_ignored = signal.getsignal(number) == signal.SIG_IGN  # under nohup, for example
            if not is_ignored or number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            leave_terminal()
        elif number in FROM_KEYS and self.stopped:
            os._exit(INTERRUPTED_STATUS)
        else:
            self.by_keys = self.by_keys or number in FROM_KEYS
            self.stopped = True
            self._stop()
