"""The outline of a sound, with a line at the position that plays and the part before it brighter."""

from collections.abc import Sequence

from rich.text import Text
from textual.reactive import reactive
from textual.widget import Widget

BARS = " ▁▂▃▄▅▆▇█"
CURSOR = "│"  # seen without colour too


class Waveform(Widget):
    """`envelope` holds peaks from 0 to 1; `position` is the part played, 0 to 1, or None."""

    COMPONENT_CLASSES = {"waveform--played", "waveform--left", "waveform--cursor"}

    envelope: reactive[Sequence[float]] = reactive(())
    position: reactive[float | None] = reactive(None, repaint=False)

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._column: int | None = None

    def watch_position(self) -> None:
        """Draw again only when the mark moves to another column."""
        column = self._column_of(self.position)
        if column != self._column:
            self._column = column
            self.refresh()

    def render(self) -> Text:
        width, height = self.size
        if not self.envelope or width == 0:
            return Text("")
        peaks = [self._peak(column, width) for column in range(width)]
        self._column = column = self._column_of(self.position)
        played, left, cursor = (
            self.get_component_rich_style(f"waveform--{part}", partial=True)
            for part in ("played", "left", "cursor")
        )
        text = Text(no_wrap=True)
        for row in range(height):
            floor = (height - 1 - row) / height
            bars = "".join(_bar((peak - floor) * height) for peak in peaks)
            if column is None:
                text.append(bars, played)
            else:
                text.append(bars[:column], played)
                text.append(CURSOR, cursor)
                text.append(bars[column + 1 :], left)
            text.append("\n")
        text.rstrip()
        return text

    def _column_of(self, position: float | None) -> int | None:
        width = self.size.width
        return min(width - 1, int(position * width)) if position is not None and width else None

    def _peak(self, column: int, width: int) -> float:
        first = column * len(self.envelope) // width
        last = max(first + 1, (column + 1) * len(self.envelope) // width)
        return max(self.envelope[first:last])


def _bar(filled: float) -> str:
    """A character for how much of one cell is filled."""
    return BARS[min(len(BARS) - 1, max(0, round(filled * (len(BARS) - 1))))]
