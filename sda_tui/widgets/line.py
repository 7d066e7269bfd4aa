"""Text that changes while a run trains."""

from rich.text import Text
from textual.widgets import Static


class Line(Static):
    """Laid out and drawn again only when its text changes: both take time from the training.

    An empty one takes no room.
    """

    DEFAULT_CSS = """
    Line.-empty {
        display: none;
    }
    """

    def __init__(self, content: Text | str = "", id: str | None = None) -> None:
        self._shown = Text(content) if isinstance(content, str) else content
        super().__init__(self._shown, id=id)
        self.set_class(not self._shown, "-empty")

    def show(self, content: Text | str) -> None:
        text = Text(content) if isinstance(content, str) else content
        if text != self._shown or text.style != self._shown.style:
            self._shown = text
            self.set_class(not text, "-empty")
            self.update(text, layout=self.styles.is_auto_height)
