"""`events.jsonl`: written by the process that trains, followed by everyone who watches."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from core.atomic import write_atomically
from core.events import RunEvent, StepFinished, from_json, to_json

FLUSH_INTERVAL_S = 0.2  # of step events; all others are written at once


class EventLog:
    """Appends events to the log, one a line.  Used by one thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO = path.open("a", encoding="utf-8")
        self._flushed_s = time.monotonic()

    def append(self, event: RunEvent) -> None:
        self._file.write(to_json(event, time.time()) + "\n")
        now_s = time.monotonic()
        if not isinstance(event, StepFinished) or now_s - self._flushed_s >= FLUSH_INTERVAL_S:
            self._file.flush()
            self._flushed_s = now_s

    def keep(self, wanted: Callable[[RunEvent], bool]) -> None:
        """Drop the events that are not wanted, and go on appending."""
        self.close()
        keep_events(self._path, wanted)
        self._file = self._path.open("a", encoding="utf-8")

    def close(self) -> None:
        self._file.close()


def keep_events(path: Path, wanted: Callable[[RunEvent], bool]) -> None:
    """Drop the events that a resumed run is about to repeat, so that no step stands in the log twice.

    Also drops a last line that a killed process left unfinished.  The log is replaced in one move, and only
    if something is to go.
    """
    kept, dropped = [], False
    for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
        read = from_json(line) if line.endswith("\n") else None
        if read is not None and wanted(read[0]):
            kept.append(line)
        else:
            dropped = True
    if dropped:
        write_atomically(path, "".join(kept).encode("utf-8"))


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
