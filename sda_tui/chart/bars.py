"""The KL divergence of each latent dimension as bars, the largest first."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from sda_tui.chart import ticks
from sda_tui.chart.panels import Panel
from sda_tui.chart.picture import (
    PLAIN,
    TITLE,
    Canvas,
    Picture,
    Span,
    bare_picture,
    envelope_role,
    fit_spans,
    line_role,
    plot_picture,
)
from sda_tui.chart.raster import Codes

EIGHTHS = np.array([ord(each) for each in " ▁▂▃▄▅▆▇█"], dtype=np.int32)
UNUSED = "·"
GUTTER = 7
FEWEST_COLUMNS, FEWEST_ROWS = 12, 3
WIDEST_BAR, WIDEST_TOUCHING_BAR = 4, 2
BAR_ROLE, UNUSED_ROLE = line_role(0), envelope_role(0)


class Bars(NamedTuple):
    """Of each column of the plot: its height and whether its dimensions are used; and how many have bars."""

    heights: npt.NDArray[np.float64]
    is_used: npt.NDArray[np.bool_]
    width: int  # of a bar with its gap; 0 where several dimensions share a column


@dataclass(frozen=True)
class BarsData:
    """What a panel of bars shows: a value for each dimension, and how many dimensions carry something."""

    panel: Panel
    values: tuple[float | None, ...]
    used: int | None = None


def draw_bars(data: BarsData, width: int, height: int) -> Picture | None:
    """A picture of so many columns and rows; None if no value is finite.

    Each dimension that carries next to nothing is a dot at the bottom.  Where there are more dimensions than
    columns, a column has the mean of its neighbours.
    """
    panel, used = data.panel, data.used
    every = np.array([np.nan if value is None else value for value in data.values], dtype=float)
    finite = np.sort(np.clip(every[np.isfinite(every)], 0.0, None))[::-1]
    if not len(finite):
        return None
    used = len(finite) if used is None else min(max(used, 0), len(finite))
    title = _title(panel, float(finite.sum()), used, len(finite), width)
    if width < FEWEST_COLUMNS + GUTTER or height < FEWEST_ROWS:
        return bare_picture(title, width, height)
    rows, columns = height - 2, width - GUTTER
    bars = arrange(finite, used, columns)
    top = float(bars.heights.max()) or 1.0
    canvas = Canvas(columns, rows)
    canvas.put(_bar_codes(bars, top, rows), BAR_ROLE)
    for column in np.flatnonzero(~bars.is_used).tolist():
        canvas.put_cell(rows - 1, column, UNUSED, UNUSED_ROLE)
    labels = {rows - 1: "0", 0: ticks.figure(top)[: GUTTER - 1]}
    name = "dimensions, sorted"
    axis = f"1{name[: columns - 1].rjust(columns - 1)}"
    return plot_picture(title, canvas, labels, GUTTER, axis)


def arrange(values: npt.NDArray[np.float64], used: int, columns: int) -> Bars:
    """Give sorted values so many columns: several each where there is room, else one for several values."""
    count = len(values)
    if count > columns:
        starts = np.arange(columns) * count // columns
        sizes = np.diff(starts, append=count)
        return Bars(np.add.reduceat(values, starts) / sizes, starts < used, 0)
    width = min(WIDEST_BAR, columns // count)
    column = np.arange(columns)
    index = np.minimum(column // width, count - 1)
    is_bar = (column < width * count) & ((width <= WIDEST_TOUCHING_BAR) | (column % width < width - 1))
    return Bars(np.where(is_bar, values[index], 0.0), ~is_bar | (index < used), width)


def _bar_codes(bars: Bars, top: float, rows: int) -> Codes:
    eighths = np.rint(bars.heights / top * rows * 8).astype(int)
    eighths[(bars.heights > 0) & (eighths == 0)] = 1
    eighths[~bars.is_used] = 0
    filled = np.clip(eighths[None, :] - 8 * np.arange(rows)[::-1, None], 0, 8)
    return EIGHTHS[filled]


def _title(panel: Panel, total: float, used: int, count: int, width: int) -> list[Span]:
    head = Span(panel.title, TITLE)
    of_all = Span(f"  {used} of {count} used", BAR_ROLE)
    unused = [Span(f"  {UNUSED} {count - used} unused", UNUSED_ROLE)] if used < count else []
    sum_of_all = Span(f"  {ticks.figure(total)} {panel.unit} in all", PLAIN)
    return fit_spans([[head, of_all, *unused, sum_of_all], [head, of_all, *unused], [head, of_all]], width)
