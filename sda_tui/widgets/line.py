"""Text that changes while a run goes on."""

from rich.text import Text
from textual.widgets import Static


class Line(Static):
    """Laid out and drawn anew only when it says something else: both cost time that training would have.

    Without words it takes no room.
    """

    def __init__(self, words: Text | str = "", id: str | None = None) -> None:
        self._shown = Text(words) if isinstance(words, str) else words
        super().__init__(self._shown, id=id)
        self.display = bool(self._shown)

    def show(self, words: Text | str) -> None:
        text = Text(words) if isinstance(words, str) else words
        if text != self._shown:
            self._shown = text
            self.display = bool(text)
            self.update(text, layout=self.styles.is_auto_height)
