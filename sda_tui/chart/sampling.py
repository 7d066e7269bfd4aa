"""What a chart needs of a series: a node for each dot column of the window that has points."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from core.runs import StepClock
from core.runs.series import Columns
from sda_tui.chart.view import Window, XAxis

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
LEAD = 4.0  # time constants before the window that the smoothing begins at
NEGLIGIBLE = 1e-6  # weight


class XScale:
    """Where steps lie among `dots` dot columns, if the x axis is of this kind."""

    def __init__(self, window: Window, dots: int, axis: XAxis, clock: StepClock) -> None:
        self.window = window
        self.dots = dots
        self.axis = axis
        self._clock = clock
        self.low, self.high = self.positions(np.array(window, dtype=float)).tolist()

    def positions(self, steps: Floats) -> Floats:
        """Steps as the axis counts."""
        if self.axis is XAxis.EPOCH:
            return self._clock.epochs_at(steps)
        return self._clock.seconds_at(steps) if self.axis is XAxis.TIME else steps

    def dots_at(self, steps: Floats) -> Floats:
        """The dot column of each step, with fractions; 0 is the left edge of the window."""
        span = self.high - self.low
        scale = (self.dots - 1) / span if span > 0 else 0.0
        dots: Floats = (self.positions(steps) - self.low) * scale
        return dots

    def step_at(self, fraction: float) -> float:
        """The step at this part of the width."""
        steps = np.linspace(*self.window, 257)
        return float(np.interp(self.low + fraction * (self.high - self.low), self.positions(steps), steps))


class Nodes(NamedTuple):
    """In order of x, one for a dot column at most: lowest, highest and smoothed value of its points.

    Values are NaN where none was finite, which breaks the curve.  The first and the last may lie beside the
    window, so that the curve reaches its edges.
    """

    dot: Ints
    step: Floats  # the last of each
    lowest: Floats
    highest: Floats
    line: Floats
    gaps: Floats  # values that were not finite

    def inside(self, dots: int) -> "Nodes":
        """Those in the window alone."""
        return self.take(slice(*self.dot.searchsorted((0, dots)).tolist()))

    def take(self, chosen: "slice | npt.NDArray[np.bool_]") -> "Nodes":
        """Some of them."""
        values: tuple[Floats, ...] = self[1:]
        return Nodes(self.dot[chosen], *(each[chosen] for each in values))


def sample(columns: Columns, x_scale: XScale, time_constant: float) -> Nodes:
    """The nodes of a series in a window.  Only the stretches of that, and some before it, are looked at."""
    window = x_scale.window
    first = int(columns.last_x.searchsorted(window.first - LEAD * time_constant))
    last = int(columns.first_x.searchsorted(window.last, "right"))
    shown = slice(max(0, first - 1), last + 1)
    begin, end, lowest, highest, total, count, gaps = (each[shown] for each in columns)
    if not len(begin):
        return Nodes(np.empty(0, dtype=np.int64), *(np.empty(0) for _ in range(5)))
    middle = (begin + end) / 2
    if shown.start == 0:
        middle[0] = begin[0]
    if shown.stop >= len(columns.last_x):
        middle[-1] = end[-1]
    dots = np.rint(x_scale.dots_at(middle)).astype(np.int64)
    stops = np.append((dots[1:] != dots[:-1]).nonzero()[0], len(dots) - 1)
    if len(stops) < len(dots):
        starts = np.append(0, stops[:-1] + 1)
        total, count, gaps = (np.add.reduceat(each, starts) for each in (total, count, gaps))
        lowest, highest = np.fmin.reduceat(lowest, starts), np.fmax.reduceat(highest, starts)
        end, dots = end[stops], dots[stops]
    line = smooth(end, total, count, time_constant)
    inside = dots.searchsorted((0, x_scale.dots)).tolist()
    near = slice(max(0, inside[0] - 1), inside[1] + 1)
    return Nodes(dots, end, lowest, highest, line, gaps).take(near)


def smooth(x: Floats, total: Floats, count: Floats, time_constant: float) -> Floats:
    """Exponential moving average of nodes with the sums and numbers of their points; NaN where there is none.

    Weights fall by x, not by the number of points, and add up to 1 from the first point on, so there is no
    bias at the start.  Computed by doubling (Hillis and Steele's scan): the weights of 2, 4, 8 … nodes.
    """
    sums, weights = total.astype(float), count.astype(float)
    if time_constant > 0 and len(x) > 1:
        decay = np.zeros(len(x))
        decay[1:] = np.exp(-(x[1:] - x[:-1]) / time_constant)
        shift = 1
        while shift < len(x):
            sums[shift:] += decay[shift:] * sums[:-shift]
            weights[shift:] += decay[shift:] * weights[:-shift]
            decay[shift:] *= decay[:-shift]
            shift *= 2
            if decay.max() < NEGLIGIBLE:
                break
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(count > 0, sums / weights, np.nan)
