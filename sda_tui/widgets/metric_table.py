"""Labelled numbers in as many columns as fit."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.text import Text
from textual.events import Click
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget


class Metric(NamedTuple):
    """A number of a run.  `id` names its explanation, empty if there is none."""

    label: str
    value: str
    id: str = ""


class MetricTable(Widget):
    """Pairs of label and value, read down the columns.  Cheap to redraw: one renderable, no children, and
    only cells whose value changed are sent to the terminal.  A click posts `Clicked`."""

    LABEL_WIDTH = 10
    NARROWEST_COLUMN = 22

    metrics: reactive[Sequence[Metric]] = reactive((), repaint=False)

    class Clicked(Message):
        """A number was clicked that can be explained."""

        def __init__(self, metric: Metric) -> None:
            super().__init__()
            self.metric = metric

    def watch_metrics(self, before: Sequence[Metric], now: Sequence[Metric]) -> None:
        if len(before) != len(now):
            self.refresh(layout=True)
        else:
            rows: dict[int, Region] = {}  # one region each: two would be sent one after the other
            for index in range(len(now)):
                if before[index] != now[index]:
                    cell = self._cell(index)
                    rows[cell.y] = rows.get(cell.y, cell).union(cell)
            if rows:
                self.refresh(*rows.values())

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return self._rows(width)

    def render(self) -> Text:
        rows, column_width = self._rows(self.size.width), self._column_width
        text = Text(no_wrap=True, overflow="ellipsis")
        for row in range(rows):
            for metric in self.metrics[row::rows]:
                cell = Text(metric.label.ljust(self.LABEL_WIDTH), style="dim")
                cell.append(" " + metric.value, style="not dim bold")
                cell.truncate(column_width - 1, overflow="ellipsis", pad=True)
                text.append_text(cell).append(" ")
            text.append("\n")
        text.rstrip()
        return text

    def on_click(self, event: Click) -> None:
        rows = self._rows(self.size.width)
        index = event.x // self._column_width * rows + event.y
        if event.y < rows and index < len(self.metrics) and self.metrics[index].id:
            self.post_message(self.Clicked(self.metrics[index]))

    @property
    def _column_width(self) -> int:
        return max(1, self.size.width // self._columns(self.size.width))

    def _cell(self, index: int) -> Region:
        """The region of a metric's value."""
        column, row = divmod(index, max(1, self._rows(self.size.width)))
        first = column * self._column_width + self.LABEL_WIDTH
        return Region(first, row, max(0, self._column_width - self.LABEL_WIDTH), 1)

    def _columns(self, width: int) -> int:
        return max(1, min(len(self.metrics) or 1, width // self.NARROWEST_COLUMN))

    def _rows(self, width: int) -> int:
        return -(-len(self.metrics) // self._columns(width))


class KeyFigures(MetricTable):
    """The few numbers that are always there, in as few rows as the width allows."""

    LABEL_WIDTH = 6
    NARROWEST_COLUMN = 19
