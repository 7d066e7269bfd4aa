"""The top line of a screen."""

from rich.text import Text
from textual.widgets import Static


class TitleBar(Static):
    """The program's name, and where in it one is."""

    def __init__(self, *parts: str) -> None:
        super().__init__()
        self.show(*parts)

    def show(self, *parts: str) -> None:
        """Replace what stands after the name; empty parts are left out."""
        text = Text("sda-tui", style="bold", no_wrap=True, overflow="ellipsis")
        for part in parts:
            if part:
                text.append("  │  ", style="dim").append(part, style="not bold")
        self.update(text)
