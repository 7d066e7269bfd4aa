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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.faults.tally import Fault, FaultKind

POLL_S = 0.005
TOLD_STATUSES = {0, 1, 2, 130}  # README: done, failed, wrong usage, cancelled
ROOT = Path(__file__).parents[2]
OF_PYTHON = (
    b"Traceback (most recent call last)",
    b"unexpected error",
    b"The run cannot be read (",  # of `runs`, when what nothing foresaw must not hide the other runs
    b"Fatal Python error",
)
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
    signals: Sequence[tuple[float, int]] = (),
) -> Outcome:
    """Do `work`, which returns an exit status, in a fork of this process, which must never compute itself.

    Not started anew: importing takes longer than most of what is tried.  `signals` are sent to it, each so
    many seconds after its start.
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
        due = [(started_s + delay_s, number) for delay_s, number in signals]
        status, usage, hung = _wait(pid, started_s + limit_s, due)
        duration_s = time.monotonic() - started_s
        stdout.seek(0)
        stderr.seek(0)
        peak_bytes = usage.ru_maxrss * 1024
        return Outcome(status, stdout.read(), stderr.read(), duration_s, first_bytes, peak_bytes, hung)


def run_program(
    words: Sequence[str], limit_s: float, environment: Mapping[str, str] | None = None, line: str = '"$@"'
) -> Outcome:
    """The program as its user starts it, from a line of the shell in which `"$@"` is the command."""

    def work() -> int:
        os.environ["PYTHONPATH"] = str(ROOT)
        os.execvp("bash", ["bash", "-c", line, "bash", sys.executable, "-m", "sda_tui", *words])

    return run_forked(work, limit_s, environment)


def use_streams(stdin: int, stdout: int, stderr: int) -> None:
    """Make these the standard streams of a fork, with objects that know nothing of the former ones."""
    for source, target in ((stdin, 0), (stdout, 1), (stderr, 2)):
        os.dup2(source, target)
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", errors="replace", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="replace", closefd=False, buffering=1)  # noqa: SIM115


def _wait(pid: int, until_s: float, due: list[tuple[float, int]]) -> tuple[int, resource.struct_rusage, bool]:
    """The exit status and what was used; whether the process had to be killed, with all it started."""
    hung = False
    while True:
        done, status, usage = os.wait4(pid, 0 if hung else os.WNOHANG)
        if done:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            return os.waitstatus_to_exitcode(status), usage, hung
        now_s = time.monotonic()
        while due and now_s > due[0][0]:
            os.kill(pid, due.pop(0)[1])
        if now_s > until_s:
            hung = True
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
            os.kill(pid, signal.SIGKILL)
        time.sleep(POLL_S)
