"""Labelled numbers in as many columns as fit."""

from collections.abc import Sequence

from rich.text import Text
from textual.geometry import Size
from textual.reactive import reactive
from textual.widget import Widget

Metric = tuple[str, str]

NARROWEST_COLUMN = 22
LABEL_WIDTH = 10


class MetricTable(Widget):
    """Pairs of label and value, read down the columns.  Cheap to redraw: one renderable, no children, laid
    out anew only for another number of them."""

    metrics: reactive[Sequence[Metric]] = reactive(())

    def watch_metrics(self, before: Sequence[Metric], now: Sequence[Metric]) -> None:
        if len(before) != len(now):
            self.refresh(layout=True)

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:
        return self._rows(width)

    def render(self) -> Text:
        width, rows = self.size.width, self._rows(self.size.width)
        column_width = width // self._columns(width)
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

    def _columns(self, width: int) -> int:
        return max(1, width // NARROWEST_COLUMN)

    def _rows(self, width: int) -> int:
        return -(-len(self.metrics) // self._columns(width))
