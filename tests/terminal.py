"""A real terminal for the app: a pseudo-terminal whose other end is read by a terminal emulator."""

import contextlib
import fcntl
import os
import pty
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

import pyte

KEYS = {
    "enter": "\r",
    "escape": "\x1b",
    "space": " ",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "ctrl+q": "\x11",
    "ctrl+n": "\x0e",
}
PATIENCE_S = 90.0


class _AnsweringScreen(pyte.Screen):
    """Answers when it is asked for its state, as terminals do."""

    def __init__(self, answer: Callable[[str], None], columns: int, rows: int) -> None:
        super().__init__(columns, rows)
        self._answer = answer

    def write_process_input(self, data: str) -> None:
        self._answer(data)


class Terminal:
    """Runs the program in a terminal of so many columns and rows, by itself or as the child of a `leader`.

    The terminal answers questions after `latency_s`, and sends the bytes `sent_late` just before.
    """

    def __init__(
        self,
        *arguments: str | Path,
        cwd: Path,
        size: tuple[int, int] = (120, 36),
        leader: tuple[str, ...] = (),
        latency_s: float = 0.0,
        sent_late: bytes = b"",
        **environment: str,
    ) -> None:
        columns, rows = size
        self._latency_s, self._sent_late = latency_s, sent_late
        self._screen = _AnsweringScreen(self._answer, columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._lock = threading.Lock()
        self.output = b""
        self._is_read = True
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.process = subprocess.Popen(
            [*leader, sys.executable, "-m", "sda_tui", *map(str, arguments)],
            cwd=cwd,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
            env={
                **{name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}},
                "PYTHONPATH": str(Path(__file__).parent.parent),
                "TERM": "xterm-256color",
                "SDA_RUNS": str(cwd / "runs"),
                **environment,
            },
        )
        os.close(slave)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            sys.stderr.write(f"\nthe terminal showed:\n{self.text}\n")
        self.hang_up()
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    @property
    def text(self) -> str:
        """What is on the screen now."""
        with self._lock:
            return "\n".join(line.rstrip() for line in self._screen.display)

    @property
    def unwrapped(self) -> str:
        """The same without breaks, so that a message is in it as it was written, however wide the screen."""
        with self._lock:
            return "".join(self._screen.display)

    def press(self, *keys: str) -> None:
        """Type, at the pace of a quick person."""
        for key in keys:
            self.send(KEYS.get(key, key).encode())
            time.sleep(0.1)

    def send(self, data: bytes) -> None:
        """What a terminal sends besides keys, and what a bad line makes of them."""
        os.write(self._master, data)

    def wait_for(self, *texts: str) -> None:
        """Until all of these stand on the screen."""
        self.wait_until(lambda: all(text in self.text for text in texts), f"{texts} on the screen")

    def shows(self, text: str, within_s: float) -> bool:
        """Whether this stands on the screen before so many seconds are over."""
        return self._comes(lambda: text in self.text, within_s)

    def wait_until(self, condition: Callable[[], bool], what: str) -> None:
        if not self._comes(condition, PATIENCE_S):
            raise AssertionError(f"this did not come: {what}\n{self.text}")

    def _comes(self, condition: Callable[[], bool], within_s: float) -> bool:
        deadline_s = time.monotonic() + within_s
        while not condition():
            if time.monotonic() > deadline_s:
                return False
            time.sleep(0.05)
        return True

    def wait_for_exit(self) -> int:
        return self.process.wait(PATIENCE_S)

    def stall(self) -> None:
        """Read no more, as the other end of a connection that has gone dead without a word."""
        self._is_read = False

    def hang_up(self) -> None:
        """Close the terminal's other end, as a lost connection does."""
        if self._master >= 0:
            os.close(self._master)
            self._master = -1

    def _answer(self, data: str) -> None:
        """What the terminal says to a question, after the delay of the connection."""
        time.sleep(self._latency_s)
        with contextlib.suppress(OSError):
            self.send(self._sent_late + data.encode())

    def _read(self) -> None:
        while self._is_read:
            try:
                data = os.read(self._master, 65_536)
            except OSError:
                return
            if not data:
                return
            with self._lock:
                self.output += data
                self._stream.feed(data)
