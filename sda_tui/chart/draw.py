"""Draws the curves of a panel: axes, guides, envelopes, lines, marks and legend."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from core.runs import Series, StepClock
from sda_tui.chart import ticks
from sda_tui.chart.legend import Best, Reading, title_row
from sda_tui.chart.panels import Curve, Glyph, Panel, Source
from sda_tui.chart.picture import (
    BEST,
    CURSOR,
    GUIDE,
    Canvas,
    Picture,
    bare_picture,
    envelope_role,
    line_role,
    plot_picture,
)
from sda_tui.chart.raster import BRAILLE, DOT_COLUMNS, EVERY, LEFT_ALONE, QUARTERS, SPACE, Trace, join_nodes
from sda_tui.chart.sampling import Floats, Nodes, XScale, sample
from sda_tui.chart.scale import YScale, fit
from sda_tui.chart.view import ChartView, Window, XAxis

GUTTER = 8  # columns of the labels at the left, or more
FEWEST_COLUMNS, FEWEST_ROWS = 12, 3  # of a chart with a plot; a smaller one is its title row
ROWS_A_TICK, COLUMNS_A_TICK = 2.5, 9
GUIDE_DOT, CURSOR_LINE = ord("·"), ord("│")
GUIDE_EVERY = 4  # columns
BEST_MARK, POINT, ABOVE, BELOW, GAP = "◆", "•", "▲", "▼", "×"
COLUMNS_A_POINT = 4  # of a thick curve; where they are closer, none has a mark


@dataclass(frozen=True)
class CurvesData:
    """What a panel of curves shows: a series for each of its curves, if there is one, and the run's clock."""

    panel: Panel
    series: Sequence[Series | None]
    last_step: float
    clock: StepClock
    best: Best | None = None


def identify(data: CurvesData, is_exact: bool) -> Hashable:
    """Something that is equal for data that looks the same, as long as no more than a few steps were added.

    Curves by epoch grow seldom, so each change of them counts.  If exact, so does each of those by step.
    """
    changes = tuple(
        series.revision if series is not None and (is_exact or curve.source is not Source.STEP) else 0
        for series, curve in zip(data.series, data.panel.curves, strict=True)
    )
    return changes, tuple(map(id, data.series)), data.best


def draw_curves(data: CurvesData, view: ChartView, width: int, height: int) -> Picture | None:
    """A picture of so many columns and rows; None if no curve has a finite value in the window."""
    gutter = GUTTER
    picture = _draw(data, view, width, height, gutter)
    if isinstance(picture, int):  # the labels need so much more room, which is known when they are
        picture = _draw(data, view, width, height, picture)
    return None if isinstance(picture, int) else picture


def _draw(data: CurvesData, view: ChartView, width: int, height: int, gutter: int) -> Picture | int | None:
    has_plot = width >= FEWEST_COLUMNS + gutter and height >= FEWEST_ROWS
    columns = width - gutter if has_plot else max(1, width)
    window = view.window(data.last_step)
    x_scale = _x_scale(window, columns * DOT_COLUMNS, view.x_axis, data.clock, data.clock.revision)
    nodes = [_nodes(data, index, x_scale, view) for index in range(len(data.series))]
    visible = [each.inside(x_scale.dots) for each in nodes]
    measured = [each for each, curve in zip(visible, data.panel.curves, strict=True) if not curve.is_share]
    y_scale = fit(measured, data.last_step, view.is_log)
    if y_scale is None:
        return None
    reading = Reading(visible, x_scale, y_scale, view, data.last_step)
    title = title_row(data.panel, data.best, reading, width)
    if not has_plot:
        return bare_picture(title, width, height)
    rows = height - 2
    y_ticks = _y_ticks(y_scale, rows)
    longest = max((len(label) for label in y_ticks.values()), default=0)
    if longest + 1 > gutter:
        return min(longest + 1, width // 2)
    canvas = Canvas(columns, rows)
    clipped = _put_curves(canvas, data, nodes, y_scale, view)
    _put_marks(canvas, data, visible, x_scale, y_scale, clipped)
    _put_cursor(canvas, view, x_scale)
    _put_guides(canvas, list(y_ticks))
    axis = _x_labels(x_scale.low, x_scale.high, x_scale.axis, columns)
    return plot_picture(title, canvas, y_ticks, gutter, axis)


@lru_cache(4)
def _x_scale(window: Window, dots: int, axis: XAxis, clock: StepClock, _revision: int) -> XScale:
    """One for all charts of a dashboard, as long as the clock has this revision."""
    return XScale(window, dots, axis, clock)


def _nodes(data: CurvesData, index: int, x_scale: XScale, view: ChartView) -> Nodes:
    """The nodes of a curve in the panel's unit."""
    series, curve = data.series[index], data.panel.curves[index]
    columns = (series or Series()).columns()
    time_constant = view.time_constant(data.last_step) if curve.is_noisy else 0.0
    nodes = sample(columns, x_scale, time_constant, is_robust=not view.is_log)
    factor = data.panel.factor
    if factor == 1 or curve.is_share:
        return nodes
    return nodes._replace(
        lowest=nodes.lowest * factor, highest=nodes.highest * factor, line=nodes.line * factor
    )


def _put_curves(
    canvas: Canvas, data: CurvesData, nodes: Sequence[Nodes], scale: YScale, view: ChartView
) -> list[tuple[int, int, str]]:
    """Put all envelopes, then all lines, on the canvas; where they are cut off: curve, column and mark."""
    rows, columns = canvas.codes.shape
    traces = [
        _trace(of_curve, scale, curve, columns * DOT_COLUMNS)
        for curve, of_curve in zip(data.panel.curves, nodes, strict=True)
    ]
    fine = QUARTERS if view.uses_blocks else BRAILLE
    clipped: list[tuple[int, int, str]] = []
    for index, curve in enumerate(data.panel.curves):
        if curve.is_noisy:
            canvas.put(traces[index].envelope_codes(rows, fine), envelope_role(index))
    for index, curve in enumerate(data.panel.curves):
        pattern = LEFT_ALONE if curve.glyph is Glyph.DOTTED else EVERY
        codes = traces[index].line_codes(rows, fine, pattern, curve.glyph is Glyph.THICK)
        canvas.put(codes, line_role(index))
        if not curve.is_share:
            above, below = traces[index].columns_beyond()
            clipped += [(index, column, ABOVE) for column in above]
            clipped += [(index, column, BELOW) for column in below]
    return clipped


def _trace(nodes: Nodes, scale: YScale, curve: Curve, dots: int) -> Trace:
    def heights(values: Floats) -> Floats:
        shares = 1 - np.clip(values, 0.0, 1.0) if curve.is_share else scale.shares(values)
        return join_nodes(nodes, shares, dots)

    line = heights(nodes.line)
    if not curve.is_noisy:
        return Trace(line, line, line)
    return Trace(line, heights(nodes.lowest), heights(nodes.highest))


def _put_marks(
    canvas: Canvas,
    data: CurvesData,
    visible: Sequence[Nodes],
    x_scale: XScale,
    scale: YScale,
    clipped: Sequence[tuple[int, int, str]],
) -> None:
    """Mark single points, what is cut off, what was not finite, and the best epoch."""
    bottom = canvas.codes.shape[0] - 1
    for index, (curve, nodes) in enumerate(zip(data.panel.curves, visible, strict=True)):
        if curve.glyph is Glyph.THICK and COLUMNS_A_POINT * len(nodes.dot) <= canvas.codes.shape[1]:
            for dot, share in zip(nodes.dot.tolist(), scale.shares(nodes.line).tolist(), strict=True):
                if 0 <= share <= 1:
                    row = min(bottom, int(share * (bottom + 1)))
                    canvas.put_cell(row, dot // DOT_COLUMNS, POINT, line_role(index))
    for index, column, mark in clipped:
        canvas.put_cell(0 if mark == ABOVE else bottom, column, mark, line_role(index))
    for index, nodes in enumerate(visible):
        for dot in np.unique(nodes.dot[nodes.gaps > 0] // DOT_COLUMNS).tolist():
            canvas.put_cell(bottom, dot, GAP, line_role(index))
    if data.best is not None:
        share = float(scale.shares(np.array([data.best.value * data.panel.factor]))[0])
        dot = float(x_scale.dots_at(np.array([data.best.step]))[0])
        if 0 <= share <= 1 and -0.5 <= dot < x_scale.dots:
            row = min(bottom, int(share * (bottom + 1)))
            canvas.put_cell(row, max(0, round(dot)) // DOT_COLUMNS, BEST_MARK, BEST)


def _put_cursor(canvas: Canvas, view: ChartView, x_scale: XScale) -> None:
    if view.cursor is None:
        return
    column = round(float(x_scale.dots_at(np.array([view.cursor]))[0])) // DOT_COLUMNS
    if 0 <= column < canvas.codes.shape[1]:
        codes = np.full_like(canvas.codes, SPACE)
        is_line = (canvas.roles[:, column] > CURSOR) & (canvas.roles[:, column] % 2 == 1)
        codes[~is_line, column] = CURSOR_LINE
        canvas.put(codes, CURSOR)


def _put_guides(canvas: Canvas, rows: Sequence[int]) -> None:
    codes = np.full_like(canvas.codes, SPACE)
    codes[list(rows), ::GUIDE_EVERY] = GUIDE_DOT
    canvas.put_behind(codes, GUIDE)


@lru_cache(64)
def _y_ticks(scale: YScale, rows: int) -> dict[int, str]:
    """The rows that have a label, and the labels."""
    low, high = scale.ends
    most = max(2, round(rows / ROWS_A_TICK))
    if scale.is_log:
        values = ticks.log_ticks(low, high, most)
        texts = ticks.log_labels(values)
    else:
        values = ticks.round_ticks(low, high, most)
        texts = ticks.labels(values)
    shares = scale.shares(np.array(values, dtype=float)).tolist()
    return {min(rows - 1, int(share * rows)): text for share, text in zip(shares, texts, strict=True)}


@lru_cache(64)
def _x_labels(low: float, high: float, axis: XAxis, columns: int) -> str:
    """Labels below their places, as many as there is room for, and the name of the axis at the right."""
    most = max(1, columns // COLUMNS_A_TICK)
    if axis is XAxis.TIME:
        values = ticks.time_ticks(low, high, most)
        texts = ticks.time_labels(values)
    else:
        values = ticks.round_ticks(low, high, most)
        texts = ticks.labels(values)
    name = f" {axis.value}"
    room = columns - len(name) if columns > 3 * len(name) else columns
    row = ""
    for value, text in zip(values, texts, strict=True):
        place = (value - low) / (high - low) * (columns - 1)
        start = max(0, round(place - (len(text) - 1) / 2))
        if start + len(text) <= room and (not row or start > len(row)):
            row = row.ljust(start) + text
    return row.ljust(room) + (name if room < columns else "")
