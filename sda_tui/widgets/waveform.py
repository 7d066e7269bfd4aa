"""The outline of a sound, with a mark at the position that plays."""

from collections.abc import Sequence

from rich.text import Text
from textual.reactive import reactive
from textual.widget import Widget

BARS = " ▁▂▃▄▅▆▇█"


class Waveform(Widget):
    """`envelope` holds peaks from 0 to 1; `position` is the part played, 0 to 1, or None."""

    envelope: reactive[Sequence[float]] = reactive(())
    position: reactive[float | None] = reactive(None)

    def render(self) -> Text:
        width, height = self.size
        if not self.envelope or width == 0:
            return Text("")
        peaks = [self._peak(column, width) for column in range(width)]
        played = round(width * self.position) if self.position is not None else 0
        text = Text(no_wrap=True)
        for row in range(height):
            floor = (height - 1 - row) / height
            bars = "".join(_bar((peak - floor) * height) for peak in peaks)
            text.append(bars[:played], style="reverse" if self.position is not None else "")
            text.append(bars[played:])
            text.append("\n")
        text.rstrip()
        return text

    def _peak(self, column: int, width: int) -> float:
        first = column * len(self.envelope) // width
        last = max(first + 1, (column + 1) * len(self.envelope) // width)
        return max(self.envelope[first:last])


def _bar(filled: float) -> str:
    """A character for how much of one cell is filled."""
    return BARS[min(len(BARS) - 1, max(0, round(filled * (len(BARS) - 1))))]
