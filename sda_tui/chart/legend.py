"""The first row of a chart: its name, its curves with their values, and notes on the drawing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sda_tui import format as fmt
from sda_tui.chart import ticks
from sda_tui.chart.panels import Panel
from sda_tui.chart.picture import BEST, PLAIN, TITLE, Span, fit_spans, line_role
from sda_tui.chart.sampling import Nodes, XScale
from sda_tui.chart.scale import YScale
from sda_tui.chart.view import DEFAULT_SMOOTHING, ChartView, XAxis


@dataclass(frozen=True)
class Best:
    """The epoch with the lowest validation loss, and how many have been finished since."""

    step: float
    value: float
    epoch: int
    epochs_since: int


@dataclass(frozen=True)
class Reading:
    """What a drawing shows: the nodes in the window, a set for each curve, and the scales."""

    visible: Sequence[Nodes]
    x_scale: XScale
    y_scale: YScale
    view: ChartView
    last_step: float

    def value(self, curve: int) -> float:
        """The curve's value at the cursor, or its newest in the window; NaN if there is none."""
        nodes = self.visible[curve]
        finite = np.flatnonzero(~np.isnan(nodes.line))
        if not len(finite):
            return float("nan")
        if self.view.cursor is None:
            return float(nodes.line[finite[-1]])
        distance = np.abs(nodes.step[finite] - self.view.cursor)
        return float(nodes.line[finite[int(distance.argmin())]])


def title_row(panel: Panel, best: Best | None, reading: Reading, width: int) -> list[Span]:
    """The row, as full as the width allows."""
    figures = [ticks.figure(reading.value(index)) for index in range(len(panel.curves))]
    return fit_spans(_variants(panel, best, reading, figures), width)


def _variants(
    panel: Panel, best: Best | None, reading: Reading, figures: Sequence[str]
) -> Iterator[list[Span]]:
    """What the row may be, from the fullest to the barest."""
    curves = list(enumerate(zip(panel.curves, figures, strict=True)))
    named = [(f"  {curve.glyph} {curve.label} {text}", line_role(index)) for index, (curve, text) in curves]
    notes = [(f"  {note}", PLAIN) for note in _notes(reading)]
    head = (f"{panel.title} ({panel.unit})" if panel.unit else panel.title, TITLE)
    if best is not None:
        at_best = f"  ◆ best {ticks.figure(best.value * panel.factor)} at epoch {best.epoch}"
        passed = f", {fmt.count(best.epochs_since, 'epoch')} ago" if best.epochs_since else ", the newest"
        yield [head, *named, *notes, (at_best + passed, BEST)]
        yield [head, *named, *notes, (at_best, BEST)]
        yield [head, *named, (at_best, BEST)]
    yield [head, *named, *notes]
    bare = (panel.title, TITLE)
    unnamed = [(f" {curve.glyph} {text}", line_role(index)) for index, (curve, text) in curves]
    if reading.view.cursor is not None:  # where the values are from is more than which is which
        yield [head, *named, notes[0]]
        yield [bare, *unnamed, notes[0]]
    yield [head, *named]
    yield [bare, *unnamed]
    yield [bare, *unnamed[:1]]
    yield [bare]


def _notes(reading: Reading) -> list[str]:
    view, notes = reading.view, list[str]()
    if view.cursor is not None:
        notes.append(f"at {describe_position(reading.x_scale, view.cursor)}")
    if reading.y_scale.is_log:
        notes.append("log")
    elif reading.y_scale.is_log_refused:
        notes.append("not log: has values ≤ 0")
    if view.smoothing != DEFAULT_SMOOTHING:
        steps = view.time_constant(reading.last_step)
        notes.append(f"smoothed over {max(1, round(steps))} steps" if steps else "not smoothed")
    return notes


def describe_position(x_scale: XScale, step: float) -> str:
    """Where a step lies, as the axis counts: step 1 240, epoch 3.2, 12:45."""
    if x_scale.axis is XAxis.STEP:
        return f"step {round(step):,}".replace(",", " ")
    position = float(x_scale.positions(np.array([step]))[0])
    return f"epoch {position:.1f}" if x_scale.axis is XAxis.EPOCH else fmt.duration(position)
