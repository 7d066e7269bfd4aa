"""Owning the terminal: what may write to it, how it is given back, and what happens when it goes away."""

import contextlib
import io
import os
import select
import stat
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import platformdirs

if TYPE_CHECKING:
    from typing_extensions import Buffer

ANSWER_S = 0.5  # a terminal that has not answered by then does not answer

# What makes a terminal send more than keys: the mouse, focus, its size, a mark around what is pasted.
REPORTS = (1000, 1002, 1003, 1006, 1015, 1016, 1004, 2048, 2004)
STOP_REPORTS = "\x1b\\" + "".join(f"\x1b[?{mode}l" for mode in REPORTS)  # ends an unfinished sequence first
QUESTION, ANSWER = "\x1b[5n", b"\x1b[0n"  # whether the terminal is ready
# End of a synchronised update, keys as before, plain text, wrapped lines, the main screen, the cursor.
LEAVE_SCREEN = "\x1b[?2026l\x1b[<u\x1b[0m\x1b[?7h\x1b[?1049l\x1b[?25h"

Mode = list[Any]  # as `termios.tcgetattr` returns it


class _Terminal(io.FileIO):
    """A terminal that may go away at any time; what is written to it after that is dropped.

    An error here would end Textual's writer thread, and soon block the app, which waits for it.
    """

    def write(self, data: "Buffer", /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


def log_path() -> Path | None:
    """The file for tracebacks, and for what libraries write while the program has the terminal.

    None if there can be none.
    """
    try:
        path = platformdirs.user_log_path("sda-tui", ensure_exists=True) / "app.log"
        path.open("a").close()
    except OSError:
        return None
    return path


@contextlib.contextmanager
def own_terminal(log: Path | int | None = None) -> Iterator[TextIO]:
    """Keep the terminal for this program: yield it as a stream, and redirect what libraries write.

    Decoders and sound systems (libmpg123, ALSA) write straight to file descriptors 1 and 2, across whatever
    is on the screen.  Inside, these lead to `log`, a path or an open file's descriptor, or nowhere;
    `sys.stderr` still leads to the terminal.
    """
    kept_out, kept_error = os.dup(1), os.dup(2)
    if isinstance(log, int):
        target = log
    else:
        target = os.open(log or os.devnull, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    terminal = io.TextIOWrapper(
        io.BufferedWriter(_Terminal(os.dup(kept_error), "w")),
        encoding="utf-8",
        errors="replace",
        line_buffering=True,
    )
    before = sys.stderr, sys.__stdout__, sys.__stderr__
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(target, 2)
    if log is not None:
        os.dup2(target, 1)
    os.close(target)
    # Textual draws on `sys.__stderr__`, and reads the terminal's size from `sys.__stdout__`.
    sys.stderr = sys.__stdout__ = sys.__stderr__ = terminal  # type: ignore[misc]
    try:
        yield terminal
    finally:
        sys.stderr, sys.__stdout__, sys.__stderr__ = before  # type: ignore[misc]
        os.dup2(kept_out, 1)
        os.dup2(kept_error, 2)
        os.close(kept_out)
        os.close(kept_error)
        terminal.close()


def leave_terminal() -> None:
    """Close a terminal that is gone: reading or writing it would fail, or spin, for ever."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2, sys.stderr.fileno()):  # inside `own_terminal`, stderr has one of its own
        if stat.S_ISCHR(os.fstat(descriptor).st_mode):  # not the files and pipes that a user asked for
            os.dup2(null, descriptor)
    os.close(null)


def swallow_reports(keyboard: int, write: Callable[[str], object]) -> None:
    """Stop the terminal's reports, and drop those that it sent before it had read that.

    They would be typed into the shell.  A terminal answers in order, so that no report can come after its
    answer to a question asked behind the order to stop.  It must be in raw mode, which shows no input.
    """
    write(STOP_REPORTS + QUESTION)
    received, until_s = b"", time.monotonic() + ANSWER_S
    with contextlib.suppress(OSError, termios.error):  # it may be gone
        while ANSWER not in received and (left_s := until_s - time.monotonic()) > 0:
            if select.select([keyboard], [], [], left_s)[0]:
                chunk = os.read(keyboard, 4096)
                if not chunk:
                    return
                received = received[-len(ANSWER) :] + chunk
        termios.tcflush(keyboard, termios.TCIFLUSH)


def copy_by_tmux(text: str) -> None:
    """Have tmux copy a text, and pass it on to the terminal that it is in."""
    import subprocess

    with contextlib.suppress(OSError):
        tmux = subprocess.Popen(
            ["tmux", "load-buffer", "-w", "-"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        assert tmux.stdin is not None
        tmux.stdin.write(text.encode())
        tmux.stdin.close()


def restore_terminal(keyboard: int, screen: int, before: Mode) -> None:
    """Give back a terminal whose program died: modes as `before`, main screen, nothing sent but keys.

    `keyboard` and `screen` are the descriptors that it is read and written by.
    """

    def write(text: str) -> None:
        os.write(screen, text.encode())

    with contextlib.suppress(OSError, termios.error):  # it may be gone
        swallow_reports(keyboard, write)
        termios.tcsetattr(keyboard, termios.TCSANOW, before)
        write(LEAVE_SCREEN)
