"""All keys, from the table that also dispatches them."""

from rich.table import Table
from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Label, Static

from sda_tui.keymap import KEYMAP, show_key

ABOUT = """\
Previews play on the machine that trains, or on your own computer (l).  Training continues when the
connection drops or you choose so on leaving; Runs (r on the first screen) shows it.  Everything of a run
lies in its folder: checkpoints, previews (WAV), events.jsonl and run.log."""


class HelpScreen(ModalScreen[None]):
    """Every key of every screen, those of the current screen first."""

    BINDINGS = [Binding("escape,q,question_mark,enter", "dismiss", "Close", show=False)]

    def __init__(self, scope: str) -> None:
        super().__init__()
        self._scope = scope

    def compose(self) -> ComposeResult:
        with VerticalScroll(id="help"):
            yield Label("Keys", id="help-title")
            yield Static(self._table())
            yield Static(Text(ABOUT), id="help-about")

    def _table(self) -> Table:
        table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
        table.add_column(style="bold", no_wrap=True)
        table.add_column()
        for name in sorted(KEYMAP, key=lambda name: name not in (self._scope, "app")):
            scope = KEYMAP[name]
            table.add_row(Text(scope.title, style="bold underline"), "")
            for command in scope.commands:
                table.add_row(" ".join(map(show_key, command.keys.split(","))), command.help)
        return table
