"""Training and validation loss over the epochs."""

from collections.abc import Sequence

from textual.color import Color
from textual_plotext import PlotextPlot

Point = tuple[float, float]


class LossPlot(PlotextPlot):
    """The two curves and the best point.  Everything drawn is finite; long curves are thinned out.

    All of plotext stays behind `show`, since drawing holds the interpreter: see `thin`.
    """

    BORDER_TITLE = "Loss per epoch"
    EMPTY = "The first point comes at the end of epoch 1."

    def on_mount(self) -> None:
        super().on_mount()
        self.show((), ())

    def show(self, train: Sequence[Point], validation: Sequence[Point], best: Point | None = None) -> None:
        """Draw (epoch, loss) pairs, in order of epoch."""
        plot = self.plt
        plot.clear_data()
        plot.clear_figure()
        columns = max(20, self.size.width)
        if not train and not validation:
            plot.text(self.EMPTY, 0.5, 0.5, alignment="center")
            plot.xlim(0, 1)
            plot.ylim(0, 1)
            plot.xticks([])
            plot.yticks([])
        else:
            self._draw(thin(train, columns), "training", "primary", "braille")
            self._draw(thin(validation, columns), "validation", "warning", "dot")
            if best is not None:
                plot.scatter([best[0]], [best[1]], marker="◆", color=self._colour("success"), label="best")
            last = max(points[-1][0] for points in (train, validation) if points)
            plot.xlim(0, max(1, last))
            plot.xticks(_whole_ticks(last))
        self.refresh()

    def _draw(self, points: Sequence[Point], label: str, variable: str, marker: str) -> None:
        if points:
            epochs, losses = zip(*points, strict=True)
            self.plt.plot(epochs, losses, label=label, marker=marker, color=self._colour(variable))

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
