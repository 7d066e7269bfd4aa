"""Which charts the dashboard shows, and in which order."""

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Label, OptionList
from textual.widgets.option_list import Option

from sda_tui.keymap import KEYMAP
from sda_tui.until_left import LeftOnce
from sda_tui.widgets.footer import KeyFooter
from sda_tui.widgets.run_charts import CHART_NAMES


class ChooseChartsScreen(LeftOnce, ModalScreen[tuple[str, ...]]):
    """Returns the names of those that are shown, one at least, in their order."""

    SCOPE = "choose-charts"
    BINDINGS = KEYMAP[SCOPE].bindings()

    def __init__(self, shown: tuple[str, ...]) -> None:
        super().__init__()
        self._shown = set(shown)
        self._order = [*shown, *(name for name in CHART_NAMES if name not in shown)]

    def compose(self) -> ComposeResult:
        with Vertical(id="choose-charts"):
            yield Label("Charts, the first ones where there is little room", id="choose-charts-title")
            yield OptionList(id="chart-list", compact=True)
            yield KeyFooter()

    def on_mount(self) -> None:
        self._list_all(0)
        self.query_one(OptionList).focus()

    @on(OptionList.OptionSelected)
    def toggle_clicked(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.action_show()

    def action_show(self) -> None:
        at = self.query_one(OptionList).highlighted or 0
        self._shown ^= {self._order[at]}
        self._list_all(at)

    def action_move(self, by: int) -> None:
        at = self.query_one(OptionList).highlighted or 0
        to = min(max(at + by, 0), len(self._order) - 1)
        self._order.insert(to, self._order.pop(at))
        self._list_all(to)

    def action_reset(self) -> None:
        self._shown, self._order = set(CHART_NAMES), list(CHART_NAMES)
        self._list_all(0)

    def action_back(self) -> None:
        shown = tuple(name for name in self._order if name in self._shown)
        self.dismiss(shown or tuple(self._order[:1]))

    def _list_all(self, highlighted: int) -> None:
        charts = self.query_one(OptionList)
        marks = {True: "✓", False: " "}
        charts.set_options(
            Option(Text(f"{marks[name in self._shown]} {CHART_NAMES[name]}"), id=name) for name in self._order
        )
        charts.highlighted = highlighted
