"""Requests of other processes to the one that trains a run: a file each, which it removes when it answers."""

import contextlib
import os
from pathlib import Path
from typing import Literal

from core.errors import RunError
from core.files import open_regular, remove
from core.text import printable

Request = Literal["save", "cancel"]
REQUESTS: tuple[Request, ...] = ("save", "cancel")


class RunRequests:
    """The answer is in the event log: a checkpoint saved by hand, or the state cancelled."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def ask(self, request: Request) -> None:
        """Ask the process that trains.  Raises RunError if the run directory cannot be written."""
        try:
            with contextlib.suppress(FileExistsError):
                self._folder.mkdir()
            os.close(open_regular(self._folder / request, os.O_RDWR | os.O_CREAT))
        except OSError as error:
            raise RunError(
                f"Cannot ask the process that trains: {error.strerror} ({printable(str(self._folder))})."
            ) from error

    def take(self, request: Request) -> bool:
        """Whether this was requested since the last call."""
        try:
            remove(self._folder / request)
        except OSError:  # no request, or one that cannot be removed and must not be answered for ever
            return False
        return True

    def clear(self) -> None:
        """Remove the requests to a process that has ended."""
        for request in REQUESTS:
            self.take(request)
