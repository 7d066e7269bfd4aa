"""The top line of a screen."""

from rich.text import Text

from sda_tui.widgets.line import Line


class TitleBar(Line):
    """The program's name and what the screen shows, as in "sda-tui │ settings │ ~/drums"."""

    def __init__(self, *parts: str) -> None:
        super().__init__(_title(parts))

    def show_parts(self, *parts: str) -> None:
        """Replace what follows the name; empty parts are left out."""
        self.show(_title(parts))


def _title(parts: tuple[str, ...]) -> Text:
    text = Text("sda-tui", style="bold", no_wrap=True, overflow="ellipsis")
    for part in parts:
        if part:
            text.append("  │  ", style="dim").append(part, style="not bold")
    return text
