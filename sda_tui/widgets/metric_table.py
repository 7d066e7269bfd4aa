"""Labelled numbers in as many columns as fit."""

from collections.abc import Sequence

from rich.text import Text
from textual.reactive import reactive
from textual.widget import Widget

Metric = tuple[str, str]

NARROWEST_COLUMN = 22
LABEL_WIDTH = 10


class MetricTable(Widget):
    """Pairs of label and value, read down the columns.  Cheap to redraw: one renderable, no children."""

    metrics: reactive[Sequence[Metric]] = reactive(())

    def render(self) -> Text:
        columns = max(1, self.size.width // NARROWEST_COLUMN)
        rows = -(-len(self.metrics) // columns)
        width = self.size.width // columns
        text = Text(no_wrap=True, overflow="ellipsis")
        for row in range(rows):
            for label, value in self.metrics[row::rows]:
                cell = Text(label.ljust(LABEL_WIDTH), style="dim")
                cell.append(" " + value, style="not dim bold")
                cell.truncate(width - 1, overflow="ellipsis", pad=True)
                text.append_text(cell).append(" ")
            text.append("\n")
        text.rstrip()
        return text
