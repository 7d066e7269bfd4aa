"""One preview through all epochs: how the model came to it."""

import time
from collections.abc import Callable, Sequence

from core.events import PreviewReady

LEAST_PLAYED = 0.5  # of a sound: one that ends earlier was stopped elsewhere, or cannot be played


class Evolution:
    """Which preview plays now, and which is next when its sound is over."""

    def __init__(self, previews: Sequence[PreviewReady], clock: Callable[[], float] = time.monotonic) -> None:
        self._previews = list(previews)
        self._at = 0
        self._clock = clock
        self._begun_s = clock()

    @property
    def current(self) -> PreviewReady:
        return self._previews[self._at]

    @property
    def count(self) -> int:
        return len(self._previews)

    @property
    def number(self) -> int:
        """Of the current one, from 1."""
        return self._at + 1

    def advance(self) -> PreviewReady | None:
        """The preview to play now that nothing plays any more; None if that was all."""
        played_s = self._clock() - self._begun_s
        is_last = self._at + 1 == len(self._previews)
        if is_last or played_s < LEAST_PLAYED * self.current.duration_s:
            return None
        self._at, self._begun_s = self._at + 1, self._clock()
        return self.current
