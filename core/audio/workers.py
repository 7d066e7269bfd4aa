"""The processes that decode, seen from the one that asks them (core.audio.worker is their side)."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from multiprocessing import Pipe
from pathlib import Path

from core.audio.decoder import LONGEST_BLOCK_BYTES
from core.audio.worker import READY, UNREADABLE, UNSUPPORTED
from core.errors import AudioFileError, Cancelled, DecodingError, UnsupportedFormatError

PACKAGES = Path(__file__).parent.parent.parent
PROGRAM = Path(__file__).with_name("start_worker.py")
STALL_S = 60.0  # without an answer, as from a network that is gone; a busy decoder is ended far sooner
ENDING_S = 5.0
POLL_S = 0.1  # the longest delay of a cancel
LONGEST_MESSAGE = LONGEST_BLOCK_BYTES + (1 << 16)


class Worker:
    """A process that decodes one file at a time.  It ends when this object, or this process, is gone."""

    def __init__(self, cancelled: Callable[[], bool]) -> None:
        self._cancelled = cancelled
        self._is_ready = False
        try:
            self._connection, theirs = Pipe()
            with theirs:
                self._process = _start(theirs.fileno())
        except OSError as error:
            raise DecodingError(
                f"Sounds cannot be decoded: no process can start ({error.strerror})."
            ) from error

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def request(self, message: bytes) -> None:
        """Send a request; the answer to the one before must be complete."""
        with contextlib.suppress(OSError):  # `receive` reports a process that has ended
            self._connection.send_bytes(message)

    def receive(self) -> tuple[bytes, bytes]:
        """The next message, and the byte at its end, which says what it is.

        Raises AudioFileError with what the decoder says, or if the file has hung it or crashed it,
        DecodingError if the process could not start, Cancelled.
        """
        message = self._receive()
        if not self._is_ready:
            if message != READY:
                raise DecodingError("Sounds cannot be decoded: the process for it did not start.")
            self._is_ready = True
            message = self._receive()
        kind = message[-1:]
        if kind in (UNSUPPORTED, UNREADABLE):
            error = UnsupportedFormatError if kind == UNSUPPORTED else AudioFileError
            raise error(message[:-1].decode("utf-8", "replace"))
        return kind, message

    def _receive(self) -> bytes:
        deadline_s = time.monotonic() + STALL_S
        try:
            while True:
                if self._cancelled():
                    raise Cancelled
                if self._connection.poll(POLL_S):
                    return self._connection.recv_bytes(LONGEST_MESSAGE)
                if time.monotonic() > deadline_s:
                    self.end()
                    raise AudioFileError(
                        f"reading it got no answer for {STALL_S:.0f} s; copy it to another disk"
                    )
        except (EOFError, OSError):
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(ENDING_S)
            self.end()
            if not self._is_ready:
                return b""
            raise AudioFileError(_explain(self._process.returncode)) from None

    def end(self) -> None:
        """End the process and its children, whatever they do."""
        if self.is_alive:
            with contextlib.suppress(OSError):  # it has ended since
                os.killpg(self._process.pid, signal.SIGKILL)
        with contextlib.suppress(subprocess.TimeoutExpired):  # it waits for a disk, which nothing can end
            self._process.wait(ENDING_S)
        self._connection.close()


def _start(descriptor: int) -> "subprocess.Popen[bytes]":
    """Start the program, with a session of its own: no Ctrl-C ends it, and it can be ended with its children.

    What libraries print goes to descriptor 2, which leads to the log while a command runs.
    """
    return subprocess.Popen(
        [sys.executable, "-P", PROGRAM, PACKAGES, str(descriptor)],
        stdin=subprocess.DEVNULL,
        stdout=2,
        pass_fds=(descriptor,),
        start_new_session=True,
    )


def _explain(status: int) -> str:
    """Why a decoder ended, by its exit status."""
    if status == -signal.SIGXCPU:
        return "decoding it never ends: it is damaged; export it again"
    if status == -signal.SIGKILL:
        return "decoding it takes more memory than there is; it may be damaged: export it again"
    name = signal.Signals(-status).name if status < 0 else f"status {status}"
    return f"decoding it ends the decoder ({name}): it is damaged; export it again"
