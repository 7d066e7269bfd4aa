"""Use, memory, temperature and power of the device that trains, as lines with their newest course."""

from collections.abc import Sequence

from rich.text import Text
from textual.reactive import reactive
from textual.widget import Widget

from sda_tui import format as fmt
from sda_tui.devices.reading import QUANTITIES, DeviceReading, Quantity

BLOCKS = "▁▂▃▄▅▆▇█"
LABEL_WIDTH, VALUE_WIDTH = 17, 17


class DevicePanel(Widget):
    """A line for each quantity: its name, its newest values as blocks, the last one and the limit."""

    reading: reactive[DeviceReading | None] = reactive(None, repaint=False)

    def watch_reading(self, before: DeviceReading | None, now: DeviceReading | None) -> None:
        if before != now:
            self.refresh()

    def render(self) -> Text:
        text = Text("Device", no_wrap=True, overflow="ellipsis")
        reading = self.reading
        if reading is None:
            return text.append("\nMeasured while the run trains.", style="dim")
        if reading.gpu_name:
            text.append(f"  {reading.gpu_name}", style="dim")
        for quantity in QUANTITIES:
            if quantity in reading.series:
                text.append("\n").append_text(self._line(reading, quantity))
        for problem in filter(None, (reading.gpu_problem, reading.process_problem)):
            text.append(f"\n{problem}", style="dim")
        return text

    def _line(self, reading: DeviceReading, quantity: Quantity) -> Text:
        values = [value for _, value in reading.series[quantity]]
        limit = reading.limits.get(quantity)
        unit = QUANTITIES[quantity].unit
        room = self.size.width - LABEL_WIDTH - VALUE_WIDTH - 1
        line = Text(QUANTITIES[quantity].label.ljust(LABEL_WIDTH), style="dim")
        line.append(draw_blocks(values, max(0, room), 100.0 if unit == "%" else limit), style="not dim")
        line.append(" " + describe(values[-1], unit, limit).ljust(VALUE_WIDTH), style="not dim bold")
        return line


def draw_blocks(values: Sequence[float], cells: int, limit: float | None) -> str:
    """The newest values, one a cell, from 0 to the limit, or to the largest where there is none."""
    shown = values[-cells:] if cells else []
    top = limit or max(shown, default=0.0)
    if top <= 0:
        return BLOCKS[0] * len(shown)
    return "".join(BLOCKS[min(len(BLOCKS) - 1, int(len(BLOCKS) * max(0.0, each) / top))] for each in shown)


def describe(value: float, unit: str, limit: float | None) -> str:
    """A value with its limit: "12.3 of 80 GB", "61 °C", "83 %"."""
    if unit == "B":
        return f"{fmt.size(value)} of {fmt.size(limit)}" if limit else fmt.size(value)
    of = f" of {limit:.0f}" if limit and unit == "W" else ""
    return f"{value:.0f}{of} {unit}"
