"""A bar of one line with its percentage."""

from rich.style import Style
from rich.text import Text
from textual.reactive import reactive
from textual.widget import Widget

PERCENTAGE_WIDTH = 5


class ProgressLine(Widget):
    """`fraction` is the part done, 0 to 1, None if unknown; drawn only when it looks different."""

    COMPONENT_CLASSES = {"progress-line--done", "progress-line--finished", "progress-line--left"}

    fraction: reactive[float | None] = reactive(None, repaint=False)

    def show(self, done: int, total: int) -> None:
        """Show `done` of `total`; a total of 0 is one that is not known."""
        self.fraction = min(1.0, done / total) if total else None

    def watch_fraction(self, before: float | None, now: float | None) -> None:
        if self._look(before) != self._look(now):
            self.refresh()

    def render(self) -> Text:
        half_cells, percentage = self._look(self.fraction)
        cells, has_half = divmod(half_cells, 2)
        done = "━" * cells + "╸" * has_half
        left = "━" * (self._bar_width - len(done))
        if left and cells and not has_half:
            left = "╺" + left[1:]
        is_finished = self.fraction == 1.0
        text = Text(no_wrap=True)
        text.append(done, self._style("progress-line--finished" if is_finished else "progress-line--done"))
        text.append(left, self._style("progress-line--left"))
        return text.append(percentage.rjust(PERCENTAGE_WIDTH))

    @property
    def _bar_width(self) -> int:
        return max(0, self.size.width - PERCENTAGE_WIDTH)

    def _look(self, fraction: float | None) -> tuple[int, str]:
        """How many halves of a cell are filled, and the percentage."""
        if fraction is None:
            return 0, "--%"
        return int(fraction * 2 * self._bar_width), f"{int(fraction * 100)}%"

    def _style(self, component: str) -> Style:
        return Style.from_color(self.get_component_rich_style(component).color)
