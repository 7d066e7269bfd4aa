"""The losses of a run by epoch, at a glance."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text
from textual.app import ComposeResult, RenderResult
from textual.color import Color
from textual.containers import Vertical
from textual.content import Content
from textual.reactive import reactive
from textual.widgets import Static
from textual_plotext import PlotextPlot

from core.runs.series import Point, Series

SHORTEST_INTERVAL_S = 5.0
BEST_MARKER, BEST_VARIABLE = "◆", "text-success"


@dataclass(frozen=True)
class Curve:
    """How a series is drawn: the theme's variable for its colour, plotext's marker and a glyph like it."""

    name: str
    variable: str
    marker: str
    glyph: str


TRAINING = Curve("train", "text-primary", "braille", "⣀")
VALIDATION = Curve("valid", "text-accent", "hd", "▚")


class LossChart(Vertical):
    """Training and validation loss by epoch, and the best epoch.  Where there is none, `why_empty`."""

    why_empty: reactive[str] = reactive("", repaint=False)

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._drawn: tuple[object, ...] = ()

    def compose(self) -> ComposeResult:
        legend = Content.assemble(
            "Loss by epoch",
            *((f" {curve.glyph}{curve.name}", f"${curve.variable}") for curve in (TRAINING, VALIDATION)),
            (f" {BEST_MARKER}best", f"${BEST_VARIABLE}"),
        )
        yield Static(legend, classes="legend")
        yield Plot()

    def watch_why_empty(self, why_empty: str) -> None:
        self.query_one(Plot).why_empty = why_empty

    def show(self, training: Series, validation: Series, best: Point | None, is_ended: bool) -> None:
        """Draw the two curves and the best point, if they changed since they were drawn."""
        plot = self.query_one(Plot)
        newest = (training.newest, validation.newest, best)
        if training.newest is None and validation.newest is None:
            self._drawn, plot.is_empty = (), True
            return
        plot.is_empty = False
        if newest != self._drawn and plot.size and (is_ended or not plot.is_fresh):
            self._drawn = newest
            plot.show(((TRAINING, training), (VALIDATION, validation)), best)


class Plot(PlotextPlot):
    """The only user of plotext.  It takes about 5 µs a point, and holds the interpreter meanwhile; a drawing
    sends some kilobytes to the terminal."""

    why_empty: reactive[str] = reactive("")
    is_empty: reactive[bool] = reactive(True)

    def __init__(self) -> None:
        super().__init__()
        self._drawn_s = -math.inf
        self._curves: Sequence[tuple[Curve, Series]] = ()
        self._best: Point | None = None

    @property
    def is_drawn(self) -> bool:
        return self._drawn_s > -math.inf

    @property
    def is_fresh(self) -> bool:
        """Whether it was drawn so recently that drawing it again would cost more than it shows."""
        return time.monotonic() - self._drawn_s < SHORTEST_INTERVAL_S

    def render(self) -> RenderResult:
        if self.is_empty:
            return Text(self.why_empty, justify="center")
        return super().render() if self.is_drawn else Text()

    def show(self, curves: Sequence[tuple[Curve, Series]], best: Point | None = None) -> None:
        self._curves, self._best = curves, best
        self._draw()

    def on_resize(self) -> None:
        """Choose the points again: those for fewer columns would zigzag in more of them."""
        if self.is_drawn:
            self._draw()

    def _draw(self) -> None:
        self._drawn_s = time.monotonic()
        self._prepare()
        last = 1.0
        for curve, series in self._curves:
            if points := series.points(max(20, self.size.width)):
                self.plt.plot(
                    *zip(*points, strict=True), marker=curve.marker, color=self._colour(curve.variable)
                )
                last = max(last, points[-1][0])
        if self._best is not None:
            x, y = self._best
            self.plt.scatter([x], [y], marker=BEST_MARKER, color=self._colour(BEST_VARIABLE))
        self.plt.xlim(0, last)
        self.plt.xticks(_whole_ticks(last))
        self.refresh()

    def _prepare(self) -> None:
        self.plt.clear_data()
        self.plt.clear_figure()

    def _colour(self, variable: str) -> tuple[int, int, int]:
        return Color.parse(self.app.theme_variables[variable]).rgb


def _whole_ticks(last: float) -> list[float]:
    """At most six round numbers from 0 to the last epoch or step."""
    scale = 10.0 ** math.floor(math.log10(last))
    step = next(step for step in (0.2 * scale, 0.5 * scale, scale, 2 * scale) if last < 6 * step)
    return [float(tick) for tick in range(0, round(last) + 1, max(1, round(step)))]
