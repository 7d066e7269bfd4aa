"""Which panes the dashboard has, and which of them is shown."""

from enum import StrEnum

from rich.text import Text
from textual.events import Click
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget


class Pane(StrEnum):
    """The panes of the dashboard; the value is the class of its stylesheet."""

    OVERVIEW = "overview"
    CHARTS = "charts"
    PREVIEWS = "previews"
    FIGURES = "figures"
    MESSAGES = "messages"


PANES = tuple(Pane)


class PaneTabs(Widget):
    """A line that names the panes with their keys; a click chooses one.  Posts `Chosen`."""

    COMPONENT_CLASSES = {"pane-tabs--chosen", "pane-tabs--other"}

    chosen: reactive[Pane] = reactive(Pane.OVERVIEW)
    unread: reactive[int] = reactive(0)  # active warnings, counted beside the last pane

    class Chosen(Message):
        def __init__(self, pane: Pane) -> None:
            super().__init__()
            self.pane = pane

    def render(self) -> Text:
        text = Text(no_wrap=True, overflow="ellipsis")
        for number, pane in enumerate(PANES, 1):
            component = "pane-tabs--chosen" if pane is self.chosen else "pane-tabs--other"
            text.append(self._label(number, pane), style=self.get_component_rich_style(component))
        return text

    def _label(self, number: int, pane: Pane) -> str:
        name = pane.value.capitalize()
        if pane is Pane.MESSAGES and self.unread:
            name += f" !{self.unread}"
        mark = "▸" if pane is self.chosen else " "
        return f"{mark}{number} {name} "

    def on_click(self, event: Click) -> None:
        end = 0
        for number, pane in enumerate(PANES, 1):
            end += len(self._label(number, pane))
            if event.x < end:
                self.post_message(self.Chosen(pane))
                return
