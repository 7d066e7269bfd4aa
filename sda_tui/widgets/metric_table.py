"""Labelled numbers in as many columns as fit."""

from collections.abc import Sequence

from rich.text import Text
from textual.geometry import Region, Size
from textual.reactive import reactive
from textual.widget import Widget

Metric = tuple[str, str]

NARROWEST_COLUMN = 22
LABEL_WIDTH = 10


class MetricTable(Widget):
    """Pairs of label and value, read down the columns.  Cheap to redraw: one renderable, no children, and
    only cells whose value changed are sent to the terminal."""

    metrics: reactive[Sequence[Metric]] = reactive((), repaint=False)

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
            for label, value in self.metrics[row::rows]:
                cell = Text(label.ljust(LABEL_WIDTH), style="dim")
                cell.append(" " + value, style="not dim bold")
                cell.truncate(column_width - 1, overflow="ellipsis", pad=True)
                text.append_text(cell).append(" ")
            text.append("\n")
        text.rstrip()
        return text

    @property
    def _column_width(self) -> int:
        return self.size.width // self._columns(self.size.width)

    def _cell(self, index: int) -> Region:
        """The region of a metric's value."""
        column, row = divmod(index, self._rows(self.size.width))
        first = column * self._column_width + LABEL_WIDTH
        return Region(first, row, self._column_width - LABEL_WIDTH, 1)

    def _columns(self, width: int) -> int:
        return max(1, width // NARROWEST_COLUMN)

    def _rows(self, width: int) -> int:
        return -(-len(self.metrics) // self._columns(width))
