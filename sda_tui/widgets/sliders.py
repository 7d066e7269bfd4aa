"""Sliders moved by the arrow keys."""

from collections.abc import Sequence

from rich.text import Text
from textual.binding import Binding
from textual.events import Click
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from sda_tui.format import MINUS

LARGEST = 4.0  # at either end of a slider
STEP = 0.25
WORD_WIDTH = 9
VALUE_WIDTH = 6


class Sliders(Widget, can_focus=True):
    """A line for each of `values`; `labels` are the words at its two ends.  Without words it has a number.

    Posts `Moved`.
    """

    COMPONENT_CLASSES = {"sliders--chosen", "sliders--label", "sliders--knob"}
    BINDINGS = [
        Binding("up", "choose(-1)", show=False),
        Binding("down", "choose(1)", show=False),
        Binding("left", "move(-1)", show=False),
        Binding("right", "move(1)", show=False),
    ]

    values: reactive[Sequence[float]] = reactive(())
    labels: reactive[Sequence[tuple[str, str]]] = reactive(())
    chosen: reactive[int] = reactive(0)

    class Moved(Message):
        def __init__(self, number: int, value: float) -> None:
            super().__init__()
            self.number = number
            self.value = value

    def action_choose(self, step: int) -> None:
        self.chosen = max(0, min(len(self.values) - 1, self.chosen + step))

    def action_move(self, step: int) -> None:
        if self.values:
            self._move(self.values[self.chosen] + step * STEP)

    def _move(self, value: float) -> None:
        values = list(self.values)  # at once: the next key may come before the answer
        values[self.chosen] = max(-LARGEST, min(LARGEST, value))
        self.values = values
        self.post_message(self.Moved(self.chosen, values[self.chosen]))

    def on_click(self, event: Click) -> None:
        """Choose the slider of the line, and move it to where the bar was clicked."""
        offset = event.get_content_offset(self)
        if offset is None or offset.y >= len(self.values):
            return
        self.chosen = offset.y
        at = offset.x - WORD_WIDTH - 3
        if 0 <= at < self._bar_width:
            self._move(round((2 * at / (self._bar_width - 1) - 1) * LARGEST / STEP) * STEP)

    @property
    def _bar_width(self) -> int:
        return max(5, self.content_size.width - 2 * WORD_WIDTH - VALUE_WIDTH - 5)

    def render(self) -> Text:
        text = Text(no_wrap=True, overflow="crop")
        label, knob = (self.get_component_rich_style(f"sliders--{each}") for each in ("label", "knob"))
        for number, value in enumerate(self.values):
            less, more = self.labels[number] if number < len(self.labels) else ("", "")
            at = round((value / LARGEST + 1) / 2 * (self._bar_width - 1))
            at = max(0, min(self._bar_width - 1, at))
            is_chosen = number == self.chosen
            line = Text(f"{'▸' if is_chosen else ' '} ")
            line.append((less or str(number + 1)).rjust(WORD_WIDTH) + " ", label)
            line.append("─" * at).append("●", knob).append("─" * (self._bar_width - at - 1))
            line.append(" " + more.ljust(WORD_WIDTH), label).append(
                f"{value:+.2f}".replace("-", MINUS).rjust(VALUE_WIDTH)
            )
            if is_chosen and self.has_focus:
                line.stylize(self.get_component_rich_style("sliders--chosen"))
            text.append_text(line).append("\n")
        return text
