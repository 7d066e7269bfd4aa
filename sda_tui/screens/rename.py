"""A new name for something."""

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label

from sda_tui.keymap import KEYMAP, key_of
from sda_tui.widgets.footer import KeyFooter


class RenameScreen(ModalScreen[str | None]):
    """Returns the new name, None to leave it as it is."""

    SCOPE = "rename"
    BINDINGS = KEYMAP[SCOPE].bindings()

    def __init__(self, name: str) -> None:
        super().__init__()
        self._former = name

    def compose(self) -> ComposeResult:
        with Vertical(id="question"):
            yield Label(Text("New name"), id="question-title")
            yield Input(self._former, compact=True)
            yield Label(Text(f"⏎ renames, {key_of('rename.back')} leaves it as it is"), id="rename-keys")
        yield KeyFooter()

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    @on(Input.Submitted)
    def rename(self, event: Input.Submitted) -> None:
        self.dismiss(event.value.strip() or None)

    def action_back(self) -> None:
        self.dismiss(None)
