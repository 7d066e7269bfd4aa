"""The sounds that a run has made so far."""

from collections.abc import Sequence

from rich.text import Text
from textual.binding import Binding
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from core.events import PreviewReady


class PreviewList(OptionList, inherit_bindings=False):
    """A line per preview, with its epoch.  The chosen one stays chosen when new ones arrive.

    `playing` is the path, relative to the run, of what is heard.  Arrows to the side are left to the screen,
    where they play and stop; an ordinary list would scroll with them.
    """

    BINDINGS = [
        Binding("up", "cursor_up", show=False),
        Binding("down", "cursor_down", show=False),
        Binding("home", "first", show=False),
        Binding("end", "last", show=False),
        Binding("pageup", "page_up", show=False),
        Binding("pagedown", "page_down", show=False),
    ]

    newest_first: reactive[bool] = reactive(True)
    playing: reactive[str | None] = reactive(None)

    class Chosen(Message):
        """Another preview is chosen, or none."""

        def __init__(self, preview: PreviewReady | None) -> None:
            super().__init__()
            self.preview = preview

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id, compact=True)
        self._previews: list[PreviewReady] = []

    @property
    def chosen(self) -> PreviewReady | None:
        option = self.highlighted_option
        return next((each for each in self._previews if option and each.path == option.id), None)

    def show(self, previews: Sequence[PreviewReady]) -> None:
        """Replace the list; `previews` are in the order in which they were made."""
        follows_newest = self.chosen is None or self.chosen == self._newest()
        self._previews = list({preview.path: preview for preview in previews}.values())
        self._rebuild(None if follows_newest else self.chosen)

    def watch_newest_first(self) -> None:
        self._rebuild(self.chosen)

    def watch_playing(self, before: str | None, now: str | None) -> None:
        for path in (before, now):
            preview = next((each for each in self._previews if each.path == path), None)
            if preview is not None:
                self.replace_option_prompt(preview.path, self._line(preview))

    def on_option_list_option_highlighted(self) -> None:
        self.post_message(self.Chosen(self.chosen))

    def _newest(self) -> PreviewReady | None:
        """What to choose by itself: the newest reconstruction, else the newest of all."""
        last_epoch = self._previews[-1].epoch if self._previews else 0
        newest = [each for each in self._previews if each.epoch == last_epoch]
        return next(
            (each for each in newest if each.kind == "reconstruction"), newest[-1] if newest else None
        )

    def _rebuild(self, keep: PreviewReady | None) -> None:
        epochs = sorted({preview.epoch for preview in self._previews}, reverse=self.newest_first)
        ordered = [each for epoch in epochs for each in self._previews if each.epoch == epoch]
        self.set_options(Option(self._line(preview), id=preview.path) for preview in ordered)
        choose = keep or self._newest()
        self.highlighted = ordered.index(choose) if choose in ordered else None

    def _line(self, preview: PreviewReady) -> Text:
        is_playing = preview.path == self.playing
        mark = "▶" if is_playing else " "
        line = Text(f"{mark} {preview.epoch:>4}  {preview.label}", no_wrap=True, overflow="ellipsis")
        if is_playing:
            line.stylize("bold")
        return line
