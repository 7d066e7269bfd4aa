"""What part of a run its charts show, and how: one value for all charts of a dashboard."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple

SMOOTHINGS = (0.0, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2)  # of the window's steps, the EMA's time constant
DEFAULT_SMOOTHING = 3
SHORTEST_SPAN = 4.0  # steps
NEAR_THE_END = 0.02  # of the window: as near as this, its right edge is that of the run


class XAxis(StrEnum):
    """What runs to the right."""

    STEP = "step"
    EPOCH = "epoch"
    TIME = "time"


class Window(NamedTuple):
    """A range of steps."""

    first: float
    last: float

    @property
    def span(self) -> float:
        return self.last - self.first


@dataclass(frozen=True)
class ChartView:
    """The part of a run that is shown and the way it is.

    `span` steps up to `end`; without a span all, without an end those up to the newest, which the window then
    follows.  `smoothing` counts in SMOOTHINGS.  `cursor` is the step at which values are read, or None.
    """

    span: float | None = None
    end: float | None = None
    x_axis: XAxis = XAxis.STEP
    is_log: bool = False
    smoothing: int = DEFAULT_SMOOTHING
    cursor: float | None = None
    is_cursor_kept: bool = False  # where it is, when the mouse moves on
    uses_blocks: bool = False  # instead of braille, which some fonts draw badly

    def window(self, last_step: float) -> Window:
        """The steps shown of a run that has come so far."""
        last_step = max(1.0, last_step)
        if self.span is None:
            return Window(0.0, last_step)
        span = min(self.span, last_step)
        last = last_step if self.end is None else min(max(self.end, span), last_step)
        return Window(last - span, last)

    def time_constant(self, last_step: float) -> float:
        """Of the smoothing, in steps; 0 where there is none."""
        return SMOOTHINGS[self.smoothing] * self.window(last_step).span

    def zoomed(self, factor: float, last_step: float, at: float | None = None) -> "ChartView":
        """Enlarged by a factor around a step, which stays where it is; else around the cursor or the middle.

        While the window follows the newest step, zooming without a step keeps following it.
        """
        window = self.window(last_step)
        span = window.span / factor
        if span >= max(1.0, last_step):
            return replace(self, span=None, end=None)
        span = max(SHORTEST_SPAN, span)
        if at is None and self.cursor is not None and window.first <= self.cursor <= window.last:
            at = self.cursor
        follows = self.span is None or self.end is None
        if at is None and follows:
            return replace(self, span=span, end=None)
        at = (window.first + window.last) / 2 if at is None else min(max(at, window.first), window.last)
        last = at + (window.last - at) * span / window.span
        return self._moved_to(last, span, last_step)

    def panned(self, fraction: float, last_step: float) -> "ChartView":
        """Moved by a part of the window, to the right if that is positive."""
        window = self.window(last_step)
        if self.span is None:
            return self
        return self._moved_to(window.last + fraction * window.span, window.span, last_step)

    def whole(self) -> "ChartView":
        """With all steps in view, the rest unchanged."""
        return replace(self, span=None, end=None)

    def smoothed(self, steps: int) -> "ChartView":
        return replace(self, smoothing=min(max(self.smoothing + steps, 0), len(SMOOTHINGS) - 1))

    def with_next_x_axis(self) -> "ChartView":
        axes = list(XAxis)
        return replace(self, x_axis=axes[(axes.index(self.x_axis) + 1) % len(axes)])

    def with_cursor_moved(self, fraction: float, last_step: float) -> "ChartView":
        """The cursor moved by a part of the window and kept inside; the first time, to its right edge."""
        window = self.window(last_step)
        start = window.last if self.cursor is None else self.cursor + fraction * window.span
        return replace(self, cursor=min(max(start, window.first), window.last), is_cursor_kept=True)

    def without_cursor(self) -> "ChartView":
        return replace(self, cursor=None, is_cursor_kept=False)

    def _moved_to(self, last: float, span: float, last_step: float) -> "ChartView":
        last = min(max(last, span), last_step)
        return replace(self, span=span, end=None if last_step - last <= NEAR_THE_END * span else last)
