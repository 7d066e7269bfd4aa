"""A command in a process of its own, with limits, and how it ended."""

import contextlib
import os
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
OTHER_CONTROLS = {*range(32), 127} - set(b"\n\t")


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
        """Control bytes in the output, which a terminal would obey."""
        said = self.stderr + self.stdout
        at = next((index for index, byte in enumerate(said) if byte in OTHER_CONTROLS), None)
        if at is None:
            return []
        return [Fault(FaultKind.WRONG, culprit, f"raw control byte in {said[max(0, at - 40) : at + 40]!r}")]


def _last_words(said: bytes) -> str:
    lines = said.decode("utf-8", "replace").strip().splitlines()
    return lines[-1][:300] if lines else "nothing"


def run_forked(
    work: Callable[[], int],
    limit_s: float,
    environment: Mapping[str, str] | None = None,
    memory_bytes: int | None = None,
) -> Outcome:
    """Do `work`, which returns an exit status, in a fork of this process, which must never compute itself.

    Not started anew: importing takes longer than most of what is tried.
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
                for source, target in (
                    (os.open(os.devnull, os.O_RDONLY), 0),
                    (stdout.fileno(), 1),
                    (stderr.fileno(), 2),
                ):
                    os.dup2(source, target)
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
        status, usage, hung = _wait(pid, started_s + limit_s)
        duration_s = time.monotonic() - started_s
        stdout.seek(0)
        stderr.seek(0)
        peak_bytes = usage.ru_maxrss * 1024
        return Outcome(status, stdout.read(), stderr.read(), duration_s, first_bytes, peak_bytes, hung)


def _wait(pid: int, until_s: float) -> tuple[int, resource.struct_rusage, bool]:
    """The exit status and what was used; whether the process had to be killed, with all it started."""
    hung = False
    while True:
        done, status, usage = os.wait4(pid, os.WNOHANG if not hung else 0)
        if done:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            return os.waitstatus_to_exitcode(status), usage, hung
        if time.monotonic() > until_s:
            hung = True
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            os.kill(pid, signal.SIGKILL)
        time.sleep(POLL_S)
