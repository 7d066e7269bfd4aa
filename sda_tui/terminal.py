"""Owning the terminal: what may write to it, and what happens when it goes away."""

import contextlib
import io
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from typing_extensions import Buffer


class _Terminal(io.FileIO):
    """A terminal that may go away at any time; what is written to it after that is dropped.

    An error here would end Textual's writer thread, and soon block the app, which waits for it.
    """

    def write(self, data: "Buffer", /) -> int:
        try:
            return super().write(data)
        except OSError:
            return memoryview(data).nbytes


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
