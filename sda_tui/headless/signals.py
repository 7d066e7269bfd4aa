"""Signals in a command without a screen."""

import os
import signal
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any, Self

from sda_tui.terminal import leave_terminal

INTERRUPTED_STATUS = 130


class StopOnSignal:
    """While entered: the first Ctrl-C or SIGTERM calls `stop`, a second Ctrl-C ends the process at once.

    SIGHUP, sent when the terminal is lost, detaches from the terminal and changes nothing else.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._before: dict[int, Any] = {}
        self.stopped = False

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if number == signal.SIGHUP and signal.getsignal(number) == signal.SIG_IGN:
                continue  # under nohup, which has redirected the output
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
        elif number == signal.SIGINT and self.stopped:
            os._exit(INTERRUPTED_STATUS)
        else:
            self.stopped = True
            self._stop()
