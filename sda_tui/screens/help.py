"""All keys, from the table that also dispatches them."""

from collections.abc import Callable, Iterator

from rich.table import Table
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Label, OptionList
from textual.widgets.option_list import Option

from sda_tui.advice import command
from sda_tui.keymap import KEYMAP, Command, Scope, commands_by_id, key_of, show_keys
from sda_tui.until_left import LeftOnce
from sda_tui.widgets.footer import KeyFooter

KEYS_WIDTH = 14


class HelpScreen(LeftOnce, ModalScreen[Command | None]):
    """Every key of every screen, those of the current screen first.

    A command of the current screen can be chosen, by key or mouse, if `is_possible` says that it can be done
    now: it is the result.
    """

    BINDINGS = [Binding("escape,q,question_mark", "dismiss(None)", "Close")]

    def __init__(self, scope: str, is_possible: Callable[[str], bool] = lambda _: True) -> None:
        super().__init__()
        self._scope = scope
        self._is_possible = is_possible  # of an action

    def compose(self) -> ComposeResult:
        with Vertical(id="help"):
            yield Label("Keys", id="help-title")
            yield Label("enter or a click does what can be done here · esc closes", id="help-hint")
            yield OptionList(*self._options(), id="help-keys", compact=True)
        yield KeyFooter()

    def on_mount(self) -> None:
        self.query_one(OptionList).highlighted = None  # so that enter does nothing until one is chosen

    def _options(self) -> Iterator[Option]:
        here = (self._scope, "app")
        for name in sorted(KEYMAP, key=lambda name: name not in here):
            scope = KEYMAP[name]
            yield from self._scope_options(scope, name in here)
        yield Option(Text(f"\n{_about()}"), disabled=True)

    def _scope_options(self, scope: Scope, is_here: bool) -> Iterator[Option]:
        yield Option(Text(scope.title, style="bold underline"), disabled=True)
        for each in scope.commands:
            row = Table.grid(padding=(0, 2, 0, 0))
            row.add_column(style="bold", width=KEYS_WIDTH)
            row.add_column()
            row.add_row(Text(show_keys(each)), Text(each.help))
            yield Option(row, id=each.id, disabled=not (is_here and self._is_possible(each.action)))

    @on(OptionList.OptionSelected)
    def take(self, event: OptionList.OptionSelected) -> None:
        event.stop()
        self.dismiss(commands_by_id()[str(event.option.id)])


def _about() -> str:
    return (
        f"Previews play on the machine that trains, or on your own computer ({key_of('dashboard.listen')}).  "
        "Training continues when the connection drops or you choose so on leaving; "
        f"Runs ({key_of('datasets.runs')} on the first screen) shows it.  Everything of a run lies in its "
        "folder: checkpoints, previews (WAV), events.jsonl and run.log.  "
        f"{command('config')} shows how to have other keys and colours."
    )
