"""The range of values that a chart shows: that of what is visible, without the outliers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sda_tui.chart.sampling import Floats, Nodes

WARM_UP = 0.05  # of the steps so far: what lies there does not decide the range
OUTLIERS = 0.02  # of the dot columns, at each end
TOLERATED = 1.6  # a range so many times that without outliers is shown whole
MARGIN = 0.04
FINEST = 1e-9  # range, relative to the values in it


@dataclass(frozen=True)
class YScale:
    """From `low` at the bottom to `high` at the top, both as they are drawn: on a log axis, their logarithms.

    `is_log_refused`: a log axis is asked for, but some values are not positive.
    """

    low: float
    high: float
    is_log: bool = False
    is_log_refused: bool = False

    def heights(self, values: Floats) -> Floats:
        """Values as they are drawn."""
        if not self.is_log:
            return values
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.log10(values)

    def shares(self, values: Floats) -> Floats:
        """Where values lie: 0 at the top, 1 at the bottom."""
        return (self.high - self.heights(values)) / (self.high - self.low)

    @property
    def ends(self) -> tuple[float, float]:
        """The values at the bottom and the top."""
        return (10.0**self.low, 10.0**self.high) if self.is_log else (self.low, self.high)


def fit(visible: Sequence[Nodes], last_step: float, is_log: bool) -> YScale | None:
    """The scale for the nodes of all curves in the window; None if none of them has a value."""
    nodes = [each.take(~np.isnan(each.line)) for each in visible]
    nodes = [each for each in nodes if len(each.dot)]
    if not nodes:
        return None
    refused = is_log and any(each.lowest.min() <= 0 for each in nodes)
    scale = YScale(0.0, 1.0, is_log and not refused, refused)
    lowest, highest, line, step = (
        np.concatenate([getattr(each, name) for each in nodes])
        for name in ("lowest", "highest", "line", "step")
    )
    lowest, highest, line = (scale.heights(each) for each in (lowest, highest, line))
    low, high = float(lowest.min()), float(highest.max())
    settled = step >= WARM_UP * last_step
    if settled.any():
        lowest, highest, line = lowest[settled], highest[settled], line[settled]
    skipped = int(OUTLIERS * len(line))
    settled_low = min(float(np.sort(lowest)[skipped]), float(line.min()))
    settled_high = max(float(np.sort(highest)[-1 - skipped]), float(line.max()))
    if high - low > TOLERATED * max(settled_high - settled_low, FINEST * abs(settled_high)):
        low, high = settled_low, settled_high
    margin = MARGIN * (high - low)
    if high - low <= FINEST * max(abs(low), abs(high)):  # a constant
        margin = 0.1 * max(abs(low), abs(high)) or 1.0
    return YScale(low - margin, high + margin, scale.is_log, refused)
