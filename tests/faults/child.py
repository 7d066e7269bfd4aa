"""A command in a process of its own, with limits, and how it ended."""

import contextlib
import os
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.faults.tally import Fault, FaultKind

POLL_S = 0.005
TOLD_STATUSES = {0, 1, 2, 130}  # README: done, failed, wrong usage, cancelled
ROOT = Path(__file__).parents[2]
OF_PYTHON = (b"Traceback (most recent call last)", b"unexpected error", b"Fatal Python error")
OBEYED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@dataclass(frozen=True)
class Outcome:
    """How a process ended: its exit status (negative: a signal), what it printed, what it took."""

    status: int
    stdout: bytes
    stderr: bytes
    duration_s: float
    first_bytes: int  # of memory, before it did anything
    peak_bytes: int
    hung: bool

    def faults(self, culprit: str, statuses: set[int] = TOLD_STATUSES) -> list[Fault]:
        """What no command may do, whatever it is given."""
        said = self.stderr + self.stdout
        if self.hung:
            return [Fault(FaultKind.HANG, culprit, f"no end after {self.duration_s:.0f} s")]
        if any(mark in said for mark in OF_PYTHON):
            return [Fault(FaultKind.TRACEBACK, culprit, _last_words(said))]
        if self.status < 0:
            return [Fault(FaultKind.TRACEBACK, culprit, f"ended by signal {-self.status}")]
        if self.status not in statuses:
            return [Fault(FaultKind.WRONG, culprit, f"exit status {self.status}: {_last_words(said)}")]
        if self.status in {1, 2} and not self.stderr.strip():
            return [Fault(FaultKind.WRONG, culprit, f"exit status {self.status} without a word")]
        return []

    def raw_controls(self, culprit: str) -> list[Fault]:
        """Characters in the output that a terminal would obey, or bytes that are no text."""
        try:
            said = (self.stderr + self.stdout).decode("utf-8")
        except UnicodeDecodeError as error:
            return [Fault(FaultKind.WRONG, culprit, f"the output is no UTF-8 ({error.reason})")]
        found = next((match.start() for match in OBEYED.finditer(said)), None)
        if found is None:
            return []
        return [
            Fault(FaultKind.WRONG, culprit, f"raw in the output: {said[max(0, found - 40) : found + 40]!r}")
        ]


def _last_words(said: bytes) -> str:
    lines = said.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:300] if lines else "nothing"


def run_forked(
    work: Callable[[], int],
    limit_s: float,
    environment: Mapping[str, str] | None = None,
    memory_bytes: int | None = None,
    stop_after_s: float | None = None,
) -> Outcome:
    """Do `work`, which returns an exit status, in a fork of this process, which must never compute itself.

    Not started anew: importing takes longer than most of what is tried.  With `stop_after_s`, SIGTERM asks
    it to end long before the limit.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        started_s = time.monotonic()
        first_bytes = psutil.Process().memory_info().rss
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                os.setsid()
                use_streams(os.open(os.devnull, os.O_RDONLY), stdout.fileno(), stderr.fileno())
                os.environ.update(environment or {})
                if memory_bytes is not None:
                    resource.setrlimit(resource.RLIMIT_DATA, (memory_bytes, memory_bytes))
                status = work()
            except SystemExit as end:
                status = end.code if isinstance(end.code, int) else 0
            except BaseException:
                traceback.print_exc()
            finally:
                with contextlib.suppress(OSError, ValueError):
                    sys.stdout.flush()
                    sys.stderr.flush()
                os._exit(status)
        stop_s = started_s + stop_after_s if stop_after_s is not None else None
        status, usage, hung = _wait(pid, started_s + limit_s, stop_s)
        duration_s = time.monotonic() - started_s
        stdout.seek(0)
        stderr.seek(0)
        peak_bytes = usage.ru_maxrss * 1024
        return Outcome(status, stdout.read(), stderr.read(), duration_s, first_bytes, peak_bytes, hung)


def use_streams(stdin: int, stdout: int, stderr: int) -> None:
    """Make these the standard streams of a fork, with objects that know nothing of the former ones."""
    for source, target in ((stdin, 0), (stdout, 1), (stderr, 2)):
        os.dup2(source, target)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False, buffering=1)  # noqa: SIM115


def _wait(pid: int, until_s: float, stop_s: float | None) -> tuple[int, resource.struct_rusage, bool]:
    """The exit status and what was used; whether the process had to be killed, with all it started."""
    hung = False
    while True:
        done, status, usage = os.wait4(pid, os.WNOHANG if not hung else 0)
        if done:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            return os.waitstatus_to_exitcode(status), usage, hung
        now_s = time.monotonic()
        if stop_s is not None and now_s > stop_s:
            stop_s = None
            os.kill(pid, signal.SIGTERM)
        if now_s > until_s:
            hung = True
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            os.kill(pid, signal.SIGKILL)
        time.sleep(POLL_S)
