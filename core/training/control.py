"""Requests to a training run: to save, to cancel."""

import threading
import time

from core.errors import Cancelled
from core.runs import RunRequests

POLL_INTERVAL_S = 0.2  # for requests of other processes, which are files


class Control:
    """Requests from other threads and processes, answered by the trainer at its next safe point."""

    def __init__(self, requests: RunRequests) -> None:
        self._requests = requests
        self._polled_s = 0.0
        self._cancel = threading.Event()
        self._save = threading.Event()

    def cancel(self) -> None:
        """Stop, with the state saved."""
        self._cancel.set()

    def save(self) -> None:
        """Save a checkpoint that retention keeps, and continue."""
        self._save.set()

    def is_cancelled(self) -> bool:
        self._poll()
        return self._cancel.is_set()

    def raise_if_cancelled(self) -> None:
        if self.is_cancelled():
            raise Cancelled

    def is_save_requested(self) -> bool:
        self._poll()
        return self._save.is_set()

    def take_save_request(self) -> None:
        """Take the request for a save as answered."""
        self._save.clear()

    def _poll(self) -> None:
        now_s = time.monotonic()
        if now_s - self._polled_s < POLL_INTERVAL_S:
            return
        self._polled_s = now_s
        if self._requests.take("save"):
            self._save.set()
        if self._requests.take("cancel"):
            self._cancel.set()
