"""Runs that wait for their turn to be trained: a file in the folder of runs, shared by processes.

A run stays in the queue until its training has ended, so that a power cut loses nothing of it: the next
process that works through the queue continues it.  One that failed stays too, with the reason, and waits no
more.
"""

import contextlib
import errno
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

from core.atomic import write_atomically
from core.errors import QueueError, RunError
from core.files import read_bounded
from core.paths import expand
from core.records import parse_json, read_list, read_mapping, read_path, read_text
from core.runs.directory import RunDirectory
from core.runs.lock import LockHolder, RunLock
from core.text import one_line, printable

QUEUE_FILE, LOCK_FILE = "queue.json", "queue.lock"
DAMAGED_FILE = "queue-damaged.json"
LARGEST_BYTES = 4 << 20
PATIENCE_S, TRY_INTERVAL_S = 5.0, 0.02  # another process changes the queue within milliseconds


@dataclass(frozen=True)
class QueueEntry:
    """A run in the queue by name, and the device that it was queued for; None for the best there is.

    `problem` is why its training failed; empty while it waits or is being trained.
    """

    name: str
    device: str | None = None
    problem: str = ""

    @classmethod
    def from_dict(cls, record: Any) -> Self:
        """Raises ValueError, KeyError."""
        record = read_mapping(record)
        name, device = _plain_name(record["run"]), record.get("device")
        problem = one_line(read_text(record.get("problem", "")))
        return cls(name, None if device is None else printable(read_text(device)), problem)

    def to_dict(self) -> dict[str, Any]:
        return {"run": self.name, "device": self.device, "problem": self.problem}


class RunQueue:
    """The queue of a folder of runs.  Making the object touches nothing."""

    def __init__(self, root: Path) -> None:
        self.root = expand(root).absolute()
        self._path = self.root / QUEUE_FILE
        self._lock = RunLock(self.root / LOCK_FILE)

    def entries(self) -> list[QueueEntry]:
        """Every run in the queue, in its order, those that failed too.

        Raises QueueError if the file cannot be read, or is damaged.
        """
        try:
            record = parse_json(read_bounded(self._path, LARGEST_BYTES, is_run=True))
            return [QueueEntry.from_dict(each) for each in read_list(read_mapping(record)["runs"])]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise QueueError(
                f"Cannot read the queue {printable(str(self._path))} ({error.strerror})."
            ) from error
        except (KeyError, TypeError, ValueError) as error:
            raise DamagedQueueError(
                f"The queue {printable(str(self._path))} is damaged ({one_line(str(error))}); "
                f"the next run that is added begins a new one and leaves this as {DAMAGED_FILE}."
            ) from error

    def waiting(self) -> list[QueueEntry]:
        """The runs that wait or are being trained, the next one first.  Raises QueueError."""
        return [each for each in self.entries() if not each.problem]

    def add(self, name: str, device: str | None = None) -> int:
        """Put a run last, unless it waits already, and return its place.  Raises QueueError."""
        with self._changing():
            try:
                entries = self.entries()
            except DamagedQueueError:
                self._path.replace(self.root / DAMAGED_FILE)
                entries = []
            if not any(each.name == name and not each.problem for each in entries):
                others = [each for each in entries if each.name != name]
                entries = [*others, QueueEntry(name, device)]
                self._write(entries)
        names = [each.name for each in entries if not each.problem]
        return names.index(name) + 1

    def remove(self, name: str) -> bool:
        """Take a run out; False if it was not in.  Raises QueueError."""
        with self._changing():
            entries = self.entries()
            kept = [each for each in entries if each.name != name]
            if len(kept) == len(entries):
                return False
            self._write(kept)
            return True

    def fail(self, name: str, problem: str) -> None:
        """Keep a run with the reason why its training failed; it waits no more.  Raises QueueError."""
        self._change(name, lambda entry: replace(entry, problem=one_line(problem)[:1000] or "It failed."))

    def rename(self, name: str, new_name: str) -> None:
        """A run in the queue has another name.  Raises QueueError."""
        self._change(name, lambda entry: replace(entry, name=new_name))

    def run(self, entry: QueueEntry) -> RunDirectory:
        return RunDirectory(self.root / entry.name)

    # -- who works through it ---------------------------------------------------------------------------

    def acquire(self) -> None:
        """Become the one process that works through the queue.  Raises QueueError that names another."""
        try:
            self._lock.acquire()
        except RunError as error:
            holder = self.worker()
            who = f"Process {holder.pid} on {holder.host}" if holder else "Another process"
            raise QueueError(f"{who} works through this queue already.") from error
        except OSError as error:
            raise self._unwritable(error) from error

    def release(self) -> None:
        self._lock.release()

    def worker(self) -> LockHolder | None:
        """The process that works through the queue, if one does."""
        return self._lock.holder()

    # -- writing ----------------------------------------------------------------------------------------

    def _change(self, name: str, change: Callable[[QueueEntry], QueueEntry]) -> None:
        with self._changing():
            entries = self.entries()
            changed = [change(each) if each.name == name else each for each in entries]
            if changed != entries:
                self._write(changed)

    def _write(self, entries: Sequence[QueueEntry]) -> None:
        record = {"format_version": 1, "runs": [each.to_dict() for each in entries]}
        write_atomically(self._path, json.dumps(record, indent=1).encode("ascii"), is_run=True)

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        """While entered no other process changes the queue: the folder itself is locked."""
        try:
            self.root.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                _lock_folder(descriptor)
                yield
            finally:
                os.close(descriptor)
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> QueueError:
        return QueueError(
            f"Cannot write the queue {printable(str(self._path))} ({error.strerror}); check its permissions."
        )


class DamagedQueueError(QueueError):
    """A queue file that is not what this program wrote."""


def _plain_name(value: object) -> str:
    """The name of a folder in the folder of runs, and nothing outside it.  Raises ValueError."""
    name = read_path(value)
    if name in ("", ".", "..") or "/" in name:
        raise ValueError(f"{printable(name)!r} names no run")
    return name


def _lock_folder(descriptor: int) -> None:
    """Wait for the lock of a folder.  A file system without locks has none to wait for.  Raises OSError."""
    until_s = time.monotonic() + PATIENCE_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                return
            if time.monotonic() > until_s:
                raise OSError(errno.EBUSY, "another process holds it", None) from error
            time.sleep(TRY_INTERVAL_S)
        else:
            return
