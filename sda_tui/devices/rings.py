"""The newest points of several quantities, in bounded memory."""

import threading
from collections import deque
from collections.abc import Iterable, Mapping

from sda_tui.devices.reading import Point, Quantity


class Rings:
    """The last `length` points of each quantity; written by some threads and read by others.

    The lock is held for an append or a copy alone.
    """

    def __init__(self, length: int) -> None:
        self._lock = threading.Lock()
        self._points: dict[Quantity, deque[Point]] = {each: deque(maxlen=length) for each in Quantity}

    def append(self, time_s: float, figures: Mapping[Quantity, float]) -> None:
        with self._lock:
            for quantity, value in figures.items():
                self._points[quantity].append((time_s, value))

    def clear(self, quantities: Iterable[Quantity]) -> None:
        with self._lock:
            for quantity in quantities:
                self._points[quantity].clear()

    def copy(self) -> dict[Quantity, list[Point]]:
        """The points of each quantity that has some."""
        with self._lock:
            return {quantity: list(points) for quantity, points in self._points.items() if points}
