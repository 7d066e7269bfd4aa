"""What a figure means: chosen from a list of all that can be explained."""

from collections.abc import Mapping

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Label, OptionList, Static
from textual.widgets.option_list import Option

from sda_tui.explanations import EXPLANATIONS
from sda_tui.keymap import KEYMAP
from sda_tui.until_left import LeftOnce
from sda_tui.widgets.footer import KeyFooter


class ExplainScreen(LeftOnce, ModalScreen[None]):
    """What it is, what is good, what to do.  `values` are those of the run now, by the figure's id."""

    SCOPE = "explain"
    BINDINGS = KEYMAP[SCOPE].bindings()

    def __init__(self, values: Mapping[str, str], chosen: str = "") -> None:
        super().__init__()
        self._values = values
        self._chosen = chosen

    def compose(self) -> ComposeResult:
        with Vertical(id="explain"):
            yield Label("What the figures mean", id="explain-title")
            with Horizontal(id="explain-body"):
                options = [Option(each.title, id=name) for name, each in EXPLANATIONS.items()]
                yield OptionList(*options, id="explain-list", compact=True)
                with VerticalScroll(id="explain-scroll"):
                    yield Static(id="explanation")
            yield KeyFooter()

    def on_mount(self) -> None:
        figures = self.query_one(OptionList)
        figures.highlighted = list(EXPLANATIONS).index(self._chosen) if self._chosen in EXPLANATIONS else 0
        figures.focus()

    @on(OptionList.OptionHighlighted)
    def show(self, event: OptionList.OptionHighlighted) -> None:
        name = str(event.option_id)
        explanation = EXPLANATIONS[name]
        text = Text(explanation.title, style="bold")
        if value := self._values.get(name, ""):
            text.append(f"   now {value}", style="not bold")
        for heading, part in (
            ("What it is", explanation.what),
            ("What is good", explanation.good),
            ("What to do", explanation.advice),
        ):
            text.append(f"\n\n{heading}\n", style="dim").append(part, style="not bold not dim")
        self.query_one("#explanation", Static).update(text)
        self.query_one("#explain-scroll", VerticalScroll).scroll_home(animate=False)

    def action_back(self) -> None:
        self.dismiss()
