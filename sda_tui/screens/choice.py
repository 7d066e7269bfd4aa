"""A question with a few answers."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.events import Key
from textual.screen import ModalScreen
from textual.widgets import Button, Label

from sda_tui.until_left import LeftOnce


@dataclass(frozen=True)
class Choice:
    """An answer: its label, and the key that gives it."""

    id: str
    label: str
    key: str


class ChoiceScreen(LeftOnce, ModalScreen[str | None]):
    """Asks, and returns the id of the answer; None if the question was closed without one.

    The first answer has the focus, so it must be one that loses nothing.
    """

    BINDINGS = [
        Binding("escape", "dismiss(None)", show=False),
        Binding("left,up", "app.focus_previous", show=False),
        Binding("right,down", "app.focus_next", show=False),
    ]

    def __init__(self, title: str, text: str, choices: Sequence[Choice]) -> None:
        super().__init__()
        self._title = title
        self._text = text
        self._choices = choices

    def compose(self) -> ComposeResult:
        with Vertical(id="question"):
            yield Label(Text(self._title), id="question-title")
            yield Label(Text(self._text), id="question-text")
            with Horizontal(id="answers"):
                for choice in self._choices:
                    label = Text.assemble(choice.label, (f" {choice.key}", "dim"))
                    yield Button(label, id=choice.id)

    def on_mount(self) -> None:
        self.query_one(f"#{self._choices[0].id}").focus()

    def on_key(self, event: Key) -> None:
        """Give the answer whose key this is."""
        for choice in self._choices:
            if event.key == choice.key:
                event.stop()
                self.dismiss(choice.id)

    @on(Button.Pressed)
    def press(self, event: Button.Pressed) -> None:
        self.dismiss(event.button.id)
