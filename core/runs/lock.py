"""One process per run: a lock that the kernel releases with its holder, and that names the holder."""

import errno
import fcntl
import json
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Self, TextIO

from core.errors import RunError
from core.files import open_regular, read_bounded
from core.records import parse_json, read_integer, read_mapping, read_number, read_text
from core.text import printable

LARGEST_BYTES = 4096
TRIES = 3
TRY_INTERVAL_S = 0.02
START_TIME_TOLERANCE_S = 2.0  # psutil derives start times from a boot time that may be adjusted


@dataclass(frozen=True)
class LockHolder:
    """A process; its start time distinguishes it from a later one with the same id."""

    pid: int
    started_s: float
    host: str

    @classmethod
    def this_process(cls) -> Self:
        return cls(os.getpid(), _start_of(os.getpid()) or 0.0, socket.gethostname())

    @classmethod
    def read(cls, data: bytes) -> Self:
        """Read what a holder wrote.  Raises ValueError for anything else."""
        record = read_mapping(parse_json(data))
        if record.keys() != {"pid", "started_s", "host"}:
            raise ValueError("it names no process")
        host = printable(read_text(record["host"]))
        return cls(read_integer(record["pid"]), read_number(record["started_s"]), host)

    def is_alive(self) -> bool:
        """Whether the process still runs.  One on another host is taken to."""
        if self.host != socket.gethostname():
            return True
        started_s = _start_of(self.pid)
        return started_s is not None and abs(started_s - self.started_s) < START_TIME_TOLERANCE_S


def _start_of(pid: int) -> float | None:
    """When the process of this id began, if there is one."""
    import psutil  # takes a tenth of what the app's first paint takes, which needs nothing of it

    try:
        return float(psutil.Process(pid).create_time())
    except (psutil.Error, OverflowError):  # no id is as large as that
        return None


class RunLock:
    """Held by the process that trains, from `acquire` to `release` or its death."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None

    def acquire(self) -> None:
        """Take the lock.  Raises RunError that names its holder, and OSError."""
        descriptor = open_regular(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, is_run=True)
        file = os.fdopen(descriptor, "a+", encoding="utf-8")
        if self._is_taken(file, fcntl.LOCK_EX):
            file.close()
            holder = self._written()
            who = f"process {holder.pid} on {holder.host}" if holder else "another process"
            name = printable(self._path.parent.name)
            raise RunError(f"{name} is being trained by {who}; wait for it or cancel it there.")
        file.seek(0)
        file.truncate()
        json.dump(vars(LockHolder.this_process()), file)
        file.flush()
        self._file = file

    def release(self) -> None:
        """Release the lock.  The file stays, empty: removing it would race with another process."""
        if self._file is not None:
            self._file.truncate(0)
            self._file.close()
            self._file = None

    def holder(self) -> LockHolder | None:
        """The live process that holds the lock, if any; a stale lock has no holder."""
        if self._file is not None:
            return LockHolder.this_process()
        try:
            with os.fdopen(open_regular(self._path, is_run=True), encoding="utf-8") as file:
                return self._written() if self._is_taken(file, fcntl.LOCK_SH) else None
        except OSError:
            return None

    def _is_taken(self, file: TextIO, operation: int) -> bool:
        """Whether another process has the lock; if not, the open file has it now, until it is closed.

        The kernel decides, whatever host or process the file names.  Where the file system has no locks, the
        content of the file decides.  A process that looks holds the lock for a moment, hence the retries.
        """
        for _ in range(TRIES):
            try:
                fcntl.flock(file, operation | fcntl.LOCK_NB)
            except OSError as error:
                if error.errno not in (errno.EAGAIN, errno.EACCES):
                    holder = self._written()
                    return holder is not None and holder.is_alive()
                time.sleep(TRY_INTERVAL_S)
            else:
                return False
        return True

    def _written(self) -> LockHolder | None:
        try:
            return LockHolder.read(read_bounded(self._path, LARGEST_BYTES, is_run=True))
        except (OSError, ValueError):
            return None
