"""The program as its user starts it: a process with a terminal of 120 x 36."""

import contextlib
import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

HERE = Path(__file__).parent.parent.parent
PATIENCE_S = 300.0


def child_environment(**variables: str) -> dict[str, str]:
    """This one's, but with compiled code kept between starts, which some shells and images forbid."""
    environment = {**os.environ, "PYTHONPATH": str(HERE), **variables}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    return environment


class Program:
    """A command in a terminal of its own.  Counts what it writes there, and keeps what came since a key."""

    def __init__(self, command: Sequence[str | Path], cwd: Path, **environment: str) -> None:
        self.written = bytearray()
        self.count = 0
        self._pauses: list[tuple[float, float]] = []
        self._came = threading.Condition()
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 36, 120, 0, 0))
        self.started_s = time.perf_counter()
        self.process = subprocess.Popen(
            list(command), cwd=cwd, stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            env=child_environment(TERM="xterm-256color", **environment),
        )  # fmt: skip
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.signal(signal.SIGKILL)
        self.process.wait()
        self._reader.join()
        os.close(self._master)

    def wait_for(self, text: bytes) -> float:
        """Until it writes this, or has: seconds since its start."""
        with self._came:
            if not self._came.wait_for(lambda: text in self.written, PATIENCE_S):
                raise SystemExit(f"{self.process.args!r} did not write {text!r}")
        return time.perf_counter() - self.started_s

    def press(self, keys: bytes) -> None:
        """Type, and forget what was written before."""
        with self._came:
            self.written.clear()
        os.write(self._master, keys)

    def pause(self) -> None:
        self.signal(signal.SIGSTOP)
        self._paused_s = time.time()

    def resume(self) -> None:
        self._pauses.append((self._paused_s, time.time()))
        self.signal(signal.SIGCONT)

    def worked(self, begin_s: float, end_s: float) -> float:
        """Seconds between two times by the clock, less those in which it was paused."""
        paused = (min(end_s, end) - max(begin_s, begin) for begin, end in self._pauses)
        return end_s - begin_s - sum(each for each in paused if each > 0)

    def signal(self, number: signal.Signals) -> None:
        """To it and its children."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._master, 65_536)
            except OSError:  # nobody is left who could write
                return
            with self._came:
                self.written += data
                self.count += len(data)
                self._came.notify_all()


def wait_until(condition: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline_s:
            raise SystemExit(f"this did not come: {what}")
        time.sleep(0.05)
