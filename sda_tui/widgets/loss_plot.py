"""Training and validation loss over the epochs."""

from collections.abc import Sequence

from rich.text import Text
from textual.app import ComposeResult
from textual.color import Color
from textual.containers import Vertical
from textual.widgets import Static
from textual_plotext import PlotextPlot

from sda_tui import format as fmt

Point = tuple[float, float]

CURVES = (("training", "text-primary", "⣀"), ("validation", "text-warning", "▚"))
PLOTEXT_MARKERS = ("braille", "hd")
BEST_MARKER, BEST_VARIABLE = "◆", "text-success"
EMPTY = "The first point comes at the end of epoch 1."


class LossPlot(Vertical):
    """A legend with the newest values, and the two curves with the best point."""

    def compose(self) -> ComposeResult:
        yield Static("Loss per epoch", id="legend")
        yield _Curves()

    def show(self, train: Sequence[Point], validation: Sequence[Point], best: Point | None) -> None:
        """Draw (epoch, loss) pairs, in order of epoch; all must be finite."""
        self.query_one(_Curves).show(train, validation, best)
        legend = Text("Loss", no_wrap=True, overflow="ellipsis")
        for (name, variable, marker), points in zip(CURVES, (train, validation), strict=True):
            if points:
                colour = self.app.theme_variables[variable]
                legend.append(f"  {marker} {name} ", style=colour).append(
                    fmt.number(points[-1][1]), style=colour
                )
        if best is not None:
            colour = self.app.theme_variables[BEST_VARIABLE]
            legend.append(f"  {BEST_MARKER} best {fmt.number(best[1])} @{best[0]:.0f}", style=colour)
        self.query_one("#legend", Static).update(legend)


class _Curves(PlotextPlot):
    """All of plotext stays in here."""

    def on_mount(self) -> None:
        super().on_mount()
        self._prepare()
        self.plt.text(EMPTY, 0.5, 0.5, alignment="center")
        self.plt.xlim(0, 1)
        self.plt.ylim(0, 1)
        self.plt.xticks([])
        self.plt.yticks([])

    def show(self, train: Sequence[Point], validation: Sequence[Point], best: Point | None) -> None:
        self._prepare()
        for (_, variable, _), marker, points in zip(
            CURVES, PLOTEXT_MARKERS, (train, validation), strict=True
        ):
            if points:
                epochs, losses = zip(*thin(points, max(20, self.size.width)), strict=True)
                self.plt.plot(epochs, losses, marker=marker, color=self._colour(variable))
        if best is not None:
            self.plt.scatter([best[0]], [best[1]], marker=BEST_MARKER, color=self._colour(BEST_VARIABLE))
        last = max((points[-1][0] for points in (train, validation) if points), default=1.0)
        self.plt.xlim(0, max(1.0, last))
        self.plt.xticks(_whole_ticks(last))
        self.refresh()

    def _prepare(self) -> None:
        self.plt.clear_data()
        self.plt.clear_figure()

    def _colour(self, variable: str) -> tuple[int, int, int]:
        return Color.parse(self.app.theme_variables[variable]).rgb


def thin(points: Sequence[Point], columns: int) -> Sequence[Point]:
    """At most two points a column, the lowest and the highest of each stretch, so that no spike is lost.

    plotext takes about 5 µs a point, all of it holding the interpreter that the training needs too.
    """
    if len(points) <= 2 * columns:
        return points
    kept = []
    for column in range(columns):
        stretch = points[column * len(points) // columns : (column + 1) * len(points) // columns]
        lowest = min(stretch, key=lambda point: point[1])
        highest = max(stretch, key=lambda point: point[1])
        kept.extend(sorted({lowest, highest}))
    return kept


def _whole_ticks(last: float) -> list[float]:
    """About five whole numbers from 0 to the last epoch."""
    step = max(1, round(last / 5))
    return [float(tick) for tick in range(0, round(last) + 1, step)]
