"""What other processes ask of the one that trains a run: a file each, which it takes away when it answers."""

from pathlib import Path
from typing import Literal

from core.errors import RunError

Request = Literal["save", "cancel"]
REQUESTS: tuple[Request, ...] = ("save", "cancel")


class RunRequests:
    """The answer stands in the event log: a checkpoint saved by hand, or the state cancelled."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def ask(self, request: Request) -> None:
        """Ask the process that trains.  Raises RunError if the run directory cannot be written."""
        try:
            self._folder.mkdir(exist_ok=True)
            (self._folder / request).touch()
        except OSError as error:
            raise RunError(
                f"Cannot ask the process that trains: {error.strerror} ({self._folder})."
            ) from error

    def take(self, request: Request) -> bool:
        """Whether it was asked for since the last call."""
        try:
            (self._folder / request).unlink()
        except OSError:  # nobody asked; or it cannot be taken away, and must not be answered for ever
            return False
        return True

    def clear(self) -> None:
        """Forget what was asked of a process that is gone."""
        for request in REQUESTS:
            self.take(request)
