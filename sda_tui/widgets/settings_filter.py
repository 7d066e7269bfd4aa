"""A field that filters what is below it."""

from textual.binding import Binding
from textual.message import Message
from textual.widgets import Input


class SettingsFilter(Input):
    """Escape clears it, or leaves it when it is empty; enter and down go to the first hit."""

    BINDINGS = [
        Binding("escape", "clear_or_leave", "Clear filter"),
        Binding("enter,down", "to_hits", "First hit", key_display="⏎"),
    ]

    class Left(Message):
        """What is below should have the focus."""

    def action_clear_or_leave(self) -> None:
        if self.value:
            self.value = ""
        else:
            self.post_message(self.Left())

    def action_to_hits(self) -> None:
        self.post_message(self.Left())
