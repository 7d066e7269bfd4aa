"""What the world may ask of a training run."""

import threading

from core.errors import Cancelled


class Control:
    """Requests from another thread, answered by the trainer at its next safe point."""

    def __init__(self) -> None:
        self._cancel = threading.Event()
        self._save = threading.Event()

    def cancel(self) -> None:
        """Stop, with the state saved."""
        self._cancel.set()

    def save(self) -> None:
        """Save a checkpoint that retention keeps, and go on."""
        self._save.set()

    def is_cancelled(self) -> bool:
        return self._cancel.is_set()

    def raise_if_cancelled(self) -> None:
        if self.is_cancelled():
            raise Cancelled

    def take_save_request(self) -> bool:
        """Whether a save was asked for since the last call."""
        asked = self._save.is_set()
        self._save.clear()
        return asked
