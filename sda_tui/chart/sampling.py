"""What a chart needs of a series: a node for each dot column of the window that has points."""

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from core.runs import StepClock
from core.runs.series import Columns
from sda_tui.chart.view import Window, XAxis

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
LEAD = 4.0  # time constants before the window that the smoothing begins at
OUTLIERS, OUTLIER_REACH = 0.05, 2.0  # share of the nodes at each end; how far others lie, in their range
FARTHEST_DOT = 1e6  # of a stretch beside the window


class Groups(NamedTuple):
    """The stretches of a series that make a node each: those from each start on, up to the next.

    `shown` are the stretches, `near` the nodes in and next to the window; `are_shared` if any node has more
    than one stretch.
    """

    shown: slice
    starts: Ints
    are_shared: bool
    dots: Ints
    steps: Floats  # the last of each
    near: slice


class XScale:
    """Where steps lie among `dots` dot columns, if the x axis is of this kind."""

    def __init__(self, window: Window, dots: int, axis: XAxis, clock: StepClock) -> None:
        self.window = window
        self.dots = dots
        self.axis = axis
        self._clock = clock
        self.low, self.high = self.positions(np.array(window, dtype=float)).tolist()
        self._known: list[tuple[Columns, float, Groups]] = []

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

    def group(self, columns: Columns, lead: float) -> Groups:
        """Group the stretches in the window, and so many steps before it, by the dot column they lie in.

        Many series have their points at the same steps; then this is done once.
        """
        for other, its_lead, groups in self._known:
            if its_lead == lead and _are_equal(other.last_x, columns.last_x):
                return groups
        groups = self._group(columns, lead)
        self._known.append((columns, lead, groups))
        return groups

    def _group(self, columns: Columns, lead: float) -> Groups:
        first = int(columns.last_x.searchsorted(self.window.first - lead))
        last = int(columns.first_x.searchsorted(self.window.last, "right"))
        shown = slice(max(0, first - 1), last + 1)
        begin, end = columns.first_x[shown], columns.last_x[shown]
        if not len(begin):
            return Groups(shown, np.empty(0, np.int64), False, np.empty(0, np.int64), end, shown)
        middle = (begin + end) / 2
        if shown.start == 0:
            middle[0] = begin[0]
        if shown.stop >= len(columns.last_x):
            middle[-1] = end[-1]
        places = np.minimum(np.maximum(self.dots_at(middle), -FARTHEST_DOT), FARTHEST_DOT)
        dots = np.rint(places).astype(np.int64)
        stops = np.append((dots[1:] != dots[:-1]).nonzero()[0], len(dots) - 1)
        starts = np.append(0, stops[:-1] + 1)
        are_shared, dots = len(stops) < len(dots), dots[stops]
        inside = dots.searchsorted((0, self.dots)).tolist()
        near = slice(max(0, inside[0] - 1), inside[1] + 1)
        return Groups(shown, starts, are_shared, dots, end[stops], near)

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


def _are_equal(one: Floats, other: Floats) -> bool:
    return len(one) == len(other) and bool((one == other).all())


def sample(columns: Columns, x_scale: XScale, time_constant: float, is_robust: bool = False) -> Nodes:
    """The nodes of a series in a window.  Only the stretches of that, and some before it, are looked at.

    A robust average does not follow the few nodes that lie far beyond the rest.
    """
    groups = x_scale.group(columns, LEAD * time_constant)
    if not len(groups.dots):
        return Nodes(np.empty(0, dtype=np.int64), *(np.empty(0) for _ in range(5)))
    lowest, highest, total, finite, gaps = (each[groups.shown] for each in columns[2:])
    if groups.are_shared:
        total, finite, gaps = (np.add.reduceat(each, groups.starts) for each in (total, finite, gaps))
        lowest, highest = (np.fmin.reduceat(lowest, groups.starts), np.fmax.reduceat(highest, groups.starts))
    if is_robust and time_constant > 0:
        total = _without_outliers(total, finite)
    line = smooth(groups.steps, total, finite, time_constant)
    return Nodes(groups.dots, groups.steps, lowest, highest, line, gaps).take(groups.near)


def _without_outliers(total: Floats, count: Floats) -> Floats:
    """The sums of nodes, if the means of those far beyond the others were at the edge of that range."""
    means = total[count > 0] / count[count > 0]
    if not len(means):
        return total
    means.sort()
    low, high = float(means[int(OUTLIERS * len(means))]), float(means[-1 - int(OUTLIERS * len(means))])
    reach = OUTLIER_REACH * (high - low)
    kept: Floats = np.minimum(np.maximum(total, (low - reach) * count), (high + reach) * count)
    return kept


def smooth(x: Floats, total: Floats, count: Floats, time_constant: float) -> Floats:
    """Exponential moving average of nodes with the sums and numbers of their points; NaN where there is none.

    Weights fall by x, not by the number of points, and add up to 1 from the first point on, so there is no
    bias at the start.
    """
    if not time_constant > 0:
        line = np.full(len(x), np.nan)
        np.divide(total, count, out=line, where=count > 0)
        return line
    decay = np.zeros(len(x))
    decay[1:] = np.exp((x[:-1] - x[1:]) / time_constant)
    smoothed, weighted, weights = [], 0.0, 0.0
    # A loop, as each depends on the one before: there are no more nodes than a few hundred columns.
    for kept, of_node, points in zip(decay.tolist(), total.tolist(), count.tolist(), strict=True):
        weighted = kept * weighted + of_node
        weights = kept * weights + points
        smoothed.append(weighted / weights if points else math.nan)
    return np.array(smoothed)
