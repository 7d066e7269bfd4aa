"""A new name for something, or a note on it."""

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Input, Label

from sda_tui.keymap import KEYMAP
from sda_tui.until_left import LeftOnce
from sda_tui.widgets.footer import KeyFooter


class RenameScreen(LeftOnce, ModalScreen[str | None]):
    """Returns what was written, None to leave it as it is."""

    SCOPE = "rename"
    BINDINGS = KEYMAP[SCOPE].bindings()

    def __init__(
        self,
        former: str,
        title: str = "New name",
        hint: str = "⏎ renames, esc leaves it as it is",
        may_be_empty: bool = False,
    ) -> None:
        super().__init__()
        self._former = former
        self._title = title
        self._hint = hint
        self._may_be_empty = may_be_empty

    def compose(self) -> ComposeResult:
        with Vertical(id="question"):
            yield Label(Text(self._title), id="question-title")
            yield Input(self._former, compact=True)
            yield Label(Text(self._hint), id="rename-keys")
        yield KeyFooter()

    def on_mount(self) -> None:
        self.query_one(Input).focus()

    @on(Input.Submitted)
    def rename(self, event: Input.Submitted) -> None:
        written = event.value.strip()
        self.dismiss(written if written or self._may_be_empty else None)

    def action_back(self) -> None:
        self.dismiss(None)
