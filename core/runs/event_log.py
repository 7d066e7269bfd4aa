"""`events.jsonl`: appended by the process that trains, followed by any that shows the run."""

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO, TypeVar

from core.atomic import write_atomically
from core.events import RunEvent, StepFinished, from_json, to_json

FLUSH_INTERVAL_S = 0.2  # of step events; all others are written at once


class EventLog:
    """Appends events to the log, one a line.  Used by one thread.

    Events that a full disk does not take stay in memory and are written when there is space again; `problem`
    holds a message until then.  A line is on disk wholly or not at all.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file = path.open("ab", buffering=0)
        self._pending: list[bytes] = []
        self._tried_s = time.monotonic()
        self.problem = ""

    def append(self, event: RunEvent) -> None:
        self._pending.append(to_json(event, time.time()).encode("utf-8") + b"\n")
        is_urgent = not isinstance(event, StepFinished) and not self.problem
        if is_urgent or time.monotonic() - self._tried_s >= FLUSH_INTERVAL_S:
            self._write()

    def keep(self, wanted: Callable[[RunEvent], bool]) -> None:
        """Drop the events that are not wanted, and continue appending.  Raises OSError."""
        self.close()
        try:
            keep_events(self._path, wanted)
        finally:
            self._file = self._path.open("ab", buffering=0)

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
            self.problem = f"The log {self._path} cannot be written ({error.strerror}); free some space."
        else:
            self._pending.clear()
            self.problem = ""


def keep_events(path: Path, wanted: Callable[[RunEvent], bool]) -> None:
    """Drop the events that a resumed run is about to repeat, so that no step is in the log twice.

    Also drops a last line that a killed process left unfinished.  The log is replaced atomically, and only
    if something is dropped.
    """
    lines = path.read_bytes().splitlines(keepends=True)
    kept: list[bytes] = []
    first = len(lines)
    while first > 0:
        first -= 1
        line = lines[first]
        read = from_json(line.decode("utf-8", "replace")) if line.endswith(b"\n") else None
        if read is None or not wanted(read[0]):
            continue
        kept.append(line)
        if isinstance(read[0], StepFinished):  # steps are in order: all before this one is wanted too
            break
    if first + len(kept) < len(lines):
        write_atomically(path, b"".join([*lines[:first], *reversed(kept)]))


Kind = TypeVar("Kind", bound=RunEvent)


def read_events(path: Path, *kinds: type[Kind]) -> Iterator[tuple[Kind, float]]:
    """The events of these kinds in a log, with the time of each.  Raises OSError."""
    starts = tuple(f'{{"event":"{kind.event}"'.encode() for kind in kinds)
    with path.open("rb") as lines:
        for line in lines:
            if line.startswith(starts) and (read := from_json(line.decode("utf-8", "replace"))):
                event, time_s = read
                if isinstance(event, kinds):
                    yield event, time_s


class EventFollower:
    """Reads a log from its start and then whatever is added to it.

    `poll` returns quickly however long the log is; until `has_caught_up`, call it again for the rest.  When a
    resume replaced the log, reading starts over and `generation` goes up.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None
        self._identity = (0, 0)
        self._unfinished = ""
        self.generation = 0
        self.has_caught_up = True

    def poll(self, limit_s: float = 0.05) -> Iterator[tuple[RunEvent, float]]:
        """Events not returned before, with the time of each, until `limit_s` is over."""
        if not self._open():
            return
        assert self._file is not None
        until_s = time.monotonic() + limit_s
        self.has_caught_up = False
        while time.monotonic() < until_s:
            lines = self._file.readlines(65_536)
            if not lines:
                self.has_caught_up = True
                return
            for line in lines:
                text = self._unfinished + line
                if not text.endswith("\n"):
                    self._unfinished = text
                    continue
                self._unfinished = ""
                read = from_json(text)
                if read is not None:
                    yield read

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> bool:
        """Make sure that the file that `path` names now is open.  False if there is none yet."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return False
        identity = (status.st_dev, status.st_ino)
        if self._file is None or identity != self._identity:
            if self._file is not None:
                self.generation += 1
            self.close()
            self._file = self._path.open(encoding="utf-8", errors="replace")
            self._identity = identity
            self._unfinished = ""
        return True
