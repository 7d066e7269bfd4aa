"""`events.jsonl`: appended by the process that trains, followed by any that shows the run."""

import contextlib
import errno
import os
import re
import time
from collections.abc import Callable, Iterator
from io import FileIO
from itertools import chain, pairwise
from pathlib import Path
from typing import BinaryIO, TypeVar

from core.atomic import write_atomically
from core.events import LONGEST_LINE, RunEvent, StepFinished, from_json, to_json
from core.files import open_regular, refusal
from core.text import printable

FLUSH_INTERVAL_S = 0.2  # of step events; all others are written at once
BLOCK_BYTES = 1 << 20
READ_BYTES = 1 << 16  # at a time, of a log that is followed: some hundred lines
LONGEST_LINE_BYTES = 4 * LONGEST_LINE
LARGEST_LOG_BYTES = 16 << 30  # sixty million steps
GONE = "Its log is gone: the run was deleted, renamed or moved. What is shown was read before."
SEARCHED_BYTES = 64 << 20  # of what should be found within some kilobytes


class EventLog:
    """Appends events to the log, one a line.  Used by one thread.

    Events that a full disk does not take stay in memory and are written when there is space again; `problem`
    holds a message until then.  A line is on disk wholly or not at all.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = _open_to_append(path)
        self._pending: list[bytes] = []
        self._tried_s = time.monotonic()
        self.problem = ""

    def append(self, event: RunEvent) -> None:
        self._pending.append(to_json(event, time.time()).encode("utf-8", "replace") + b"\n")
        is_urgent = not isinstance(event, StepFinished) and not self.problem
        if is_urgent or time.monotonic() - self._tried_s >= FLUSH_INTERVAL_S:
            self._write()

    def keep(self, wanted: Callable[[RunEvent], bool]) -> None:
        """Drop the events that are not wanted, and continue appending.  Raises OSError."""
        self.close()
        try:
            keep_events(self._path, wanted)
        finally:
            self._file = _open_to_append(self._path)

    def close(self) -> None:
        self._write()
        self._file.close()

    def _write(self) -> None:
        self._tried_s = time.monotonic()
        if not self._pending:
            return
        lines = b"".join(self._pending)
        size = os.fstat(self._file.fileno()).st_size
        try:
            if self._file.write(lines) != len(lines):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(size)
            self.problem = (
                f"The log {printable(str(self._path))} cannot be written ({error.strerror}); free some space."
            )
        else:
            self._pending.clear()
            self.problem = ""


def _open_to_append(path: Path) -> FileIO:
    return FileIO(open_regular(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, is_run=True), "ab")


def keep_events(path: Path, wanted: Callable[[RunEvent], bool]) -> None:
    """Drop the events that a resumed run is about to repeat, so that no step is in the log twice.

    Also drops a last line that a killed process left unfinished.  The log is replaced atomically, and only
    if something is dropped.  Raises OSError.
    """
    with open_log(path) as file:
        kept: list[bytes] = []
        dropped = kept_bytes = 0
        head = 0  # bytes at the start that stay as they are
        for start, line in lines_from_end(file):
            read = from_json(line.decode("utf-8", "replace")) if line.endswith(b"\n") else None
            if read is None or not wanted(read[0]):
                dropped += 1
                continue
            kept.append(line)
            kept_bytes += len(line)
            if kept_bytes > SEARCHED_BYTES:
                raise refusal(path, "is not the log of a run")
            if isinstance(read[0], StepFinished):  # steps are in order: all before this one is wanted too
                head = start
                break
        if dropped:
            write_atomically(path, chain(_blocks(file, head), reversed(kept)), is_run=True)


def has_event(path: Path, kind: str) -> bool:
    """Whether the log has an event of this kind.  One that cannot be read has none."""
    wanted = f'\n{{"event":"{kind}"'.encode("ascii")
    try:
        with open_log(path) as file:
            before = b"\n"
            while file.tell() < SEARCHED_BYTES and (block := file.read(BLOCK_BYTES)):
                if wanted in before + block:
                    return True
                before = block[-len(wanted) :]
    except OSError:
        pass
    return False


def open_log(path: Path) -> BinaryIO:
    """A log, to be read from its start.  Raises OSError."""
    file = os.fdopen(open_regular(path, is_run=True), "rb")
    if os.fstat(file.fileno()).st_size > LARGEST_LOG_BYTES:
        file.close()
        raise refusal(path, "is longer than the log of any run")
    return file


def lines_from_end(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The lines of a file, the last one first, each with the position of its start.

    Of a line that is too long to be an event, only a part is returned.
    """
    position = file.seek(0, os.SEEK_END)
    unfinished = b""  # the rest of the line that begins before `position`
    while position > 0:
        begin = max(0, position - BLOCK_BYTES)
        file.seek(begin)
        block = file.read(position - begin) + unfinished[:LONGEST_LINE_BYTES]
        starts = [0, *(found.end() for found in re.finditer(b"\n", block))]
        for start, stop in reversed(list(pairwise([*starts[1:], len(block)]))):
            if start < stop:
                yield begin + start, block[start:stop]
        unfinished, position = block[: starts[1] if len(starts) > 1 else len(block)], begin
    if unfinished:
        yield 0, unfinished


def _blocks(file: BinaryIO, length: int) -> Iterator[bytes]:
    """The first bytes of a file, so many of them."""
    file.seek(0)
    while length > 0 and (block := file.read(min(BLOCK_BYTES, length))):
        length -= len(block)
        yield block


Kind = TypeVar("Kind", bound=RunEvent)


def read_events(path: Path, *kinds: type[Kind]) -> Iterator[tuple[Kind, float]]:
    """The events of these kinds in a log, with the time of each.  Raises OSError."""
    starts = tuple(f'{{"event":"{kind.event}"'.encode() for kind in kinds)
    with open_log(path) as file:
        while line := file.readline(LONGEST_LINE_BYTES):
            if line.startswith(starts) and (read := from_json(line.decode("utf-8", "replace"))):
                event, time_s = read
                if isinstance(event, kinds):
                    yield event, time_s


class EventFollower:
    """Reads a log from its start and then whatever is added to it.

    `poll` returns quickly however long the log is; until `has_caught_up`, call it again for the rest.  When a
    resume replaced the log, or it became shorter, reading starts over and `generation` goes up.  `problem` is
    a message for the user if the log, or a line of it, cannot be read; such a line is left out.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._identity = (0, 0)
        self._unfinished = b""
        self._damaged_lines = 0
        self._refusal = ""
        self.generation = 0
        self.has_caught_up = True

    @property
    def problem(self) -> str:
        if self._refusal or not self._damaged_lines:
            return self._refusal
        if self._damaged_lines == 1:
            return f"1 line of {self._path.name} cannot be read and is left out."
        return f"{self._damaged_lines} lines of {self._path.name} cannot be read and are left out."

    def poll(self, limit_s: float = 0.05) -> Iterator[tuple[RunEvent, float]]:
        """Events not returned before, with the time of each, until `limit_s` is over."""
        if not self._open():
            return
        assert self._file is not None
        until_s = time.monotonic() + limit_s
        self.has_caught_up = False
        while time.monotonic() < until_s:
            block = self._file.read(READ_BYTES)
            if not block:
                self.has_caught_up = True
                return
            *lines, unfinished = block.split(b"\n")
            if lines:
                lines[0] = self._unfinished + lines[0]
                self._unfinished = unfinished
            else:
                self._unfinished = (self._unfinished + unfinished)[: LONGEST_LINE_BYTES + 1]
            for line in lines:
                read = from_json(line.decode("utf-8", "replace"))
                if read is not None:
                    yield read
                elif line:
                    self._damaged_lines += 1

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> bool:
        """Make sure that the file that `path` names now is open.  False if there is none that can be read."""
        try:
            status = os.lstat(self._path)
            identity = (status.st_dev, status.st_ino)
            is_same = self._file is not None and identity == self._identity
            if is_same and self._file is not None and status.st_size >= self._file.tell():
                self._refusal = ""
                return True
            opened = open_log(self._path)
        except FileNotFoundError:
            if self._file is not None:
                self._refusal = GONE
            return False
        except OSError as error:
            self._refusal = f"The log cannot be read ({error.strerror})."
            return False
        if self._file is not None:
            self.generation += 1
        self.close()
        self._file, self._identity = opened, identity
        self._unfinished, self._damaged_lines, self._refusal = b"", 0, ""
        return True
