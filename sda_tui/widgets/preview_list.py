"""The list of previews that a run has rendered."""

from collections.abc import Sequence

from rich.text import Text
from textual.binding import Binding
from textual.message import Message
from textual.reactive import reactive
from textual.widgets import OptionList
from textual.widgets.option_list import Option

from core.events import PreviewKind, PreviewReady
from core.text import printable


class PreviewList(OptionList, inherit_bindings=False):
    """A line per preview below its epoch.  The chosen one stays chosen when new ones arrive.

    `playing` is the path, relative to the run, of what is playing.  The left and right arrows are bound by
    the screen, where they stop and play; a plain OptionList would scroll with them.
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
        """Another preview was chosen, or none."""

        def __init__(self, preview: PreviewReady | None) -> None:
            super().__init__()
            self.preview = preview

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id, compact=True)
        self._previews: list[PreviewReady] = []
        self._compared: PreviewReady | None = None  # the reconstruction that the original was chosen after

    @property
    def chosen(self) -> PreviewReady | None:
        option = self.highlighted_option
        return next((each for each in self._previews if option and each.path == option.id), None)

    def show(self, previews: Sequence[PreviewReady]) -> None:
        """Make these the list, unless they are already.  They come in the order in which they were made."""
        shown = list({preview.path: preview for preview in previews}.values())
        if shown == self._previews:
            return
        follows_newest = self.chosen is None or self.chosen == self._newest()
        self._previews = shown
        self._rebuild(None if follows_newest else self.chosen)

    def choose(self, preview: PreviewReady) -> None:
        """Put the cursor on a preview of the list."""
        before = self.chosen
        if before is not None and before.kind == PreviewKind.RECONSTRUCTION:
            self._compared = before
        self.highlighted = self.get_option_index(preview.path)

    def counterpart(self) -> PreviewReady | None:
        """The preview to compare the chosen one with, if there is one.

        A reconstruction with the original, and the original with the reconstruction that it was chosen
        after, else the newest; a sample with the reconstruction of its epoch.
        """
        chosen = self.chosen
        if chosen is None:
            return None
        match chosen.kind:
            case PreviewKind.ORIGINAL:
                if self._compared in self._previews and self._original_of(self._compared) == chosen:
                    return self._compared
                of_it = [each for each in self._reconstructions() if self._original_of(each) == chosen]
                return of_it[-1] if of_it else None
            case PreviewKind.SAMPLE:
                same_epoch = (each for each in self._reconstructions() if each.epoch == chosen.epoch)
                return next(same_epoch, None)
        return self._original_of(chosen)

    def original_of_chosen(self) -> PreviewReady | None:
        """The clip that the chosen preview was made from; None if it is that itself, or a sample."""
        chosen = self.chosen
        if chosen is None or chosen.kind in (PreviewKind.ORIGINAL, PreviewKind.SAMPLE):
            return None
        return self._original_of(chosen)

    def earlier(self) -> PreviewReady | None:
        """The same preview as the chosen one, of the newest earlier epoch that has it."""
        chosen = self.chosen
        if chosen is None:
            return None
        before = [
            each
            for each in self._previews
            if each.epoch < chosen.epoch and (each.kind, each.label) == (chosen.kind, chosen.label)
        ]
        return max(before, key=lambda each: each.epoch, default=None)

    def watch_newest_first(self) -> None:
        self._rebuild(self.chosen)

    def watch_playing(self, before: str | None, now: str | None) -> None:
        for path in (before, now):
            preview = next((each for each in self._previews if each.path == path), None)
            if preview is not None:
                self.replace_option_prompt(preview.path, self._line(preview))

    def on_option_list_option_highlighted(self) -> None:
        self.post_message(self.Chosen(self.chosen))

    def action_page_up(self) -> None:
        super().action_page_up()  # type: ignore[no-untyped-call]
        if self.highlighted is None:  # it reached the heading above the first preview
            self.action_first()

    def scroll_to_highlight(self, top: bool = False) -> None:
        """Scroll so that the heading above an epoch's first preview is visible too."""
        super().scroll_to_highlight(top)
        above = (self.highlighted or 0) - 1  # each option is one line
        if 0 <= above < self.scroll_offset.y and self.get_option_at_index(above).disabled:
            self.scroll_to(y=above, animate=False, immediate=True, force=True)

    def _reconstructions(self) -> list[PreviewReady]:
        """In the order in which they were made."""
        return [each for each in self._previews if each.kind == PreviewKind.RECONSTRUCTION]

    def _original_of(self, preview: PreviewReady | None) -> PreviewReady | None:
        """The clip that this preview was made from; there are two if the user's own clip was lost."""
        originals = [
            each
            for each in self._previews
            if preview is not None and each.kind == PreviewKind.ORIGINAL and each.epoch <= preview.epoch
        ]
        return max(originals, key=lambda each: each.epoch, default=None)

    def _newest(self) -> PreviewReady | None:
        """What to choose by default: the newest reconstruction, else the newest preview."""
        last_epoch = self._previews[-1].epoch if self._previews else 0
        newest = [each for each in self._previews if each.epoch == last_epoch]
        return next(
            (each for each in newest if each.kind == PreviewKind.RECONSTRUCTION),
            newest[-1] if newest else None,
        )

    def _rebuild(self, keep: PreviewReady | None) -> None:
        by_epoch: dict[int, list[Option]] = {}
        for each in self._previews:
            by_epoch.setdefault(each.epoch, []).append(Option(self._line(each), id=each.path))
        options: list[Option] = []
        for epoch in sorted(by_epoch, reverse=self.newest_first):
            options += [Option(_heading(epoch), disabled=True), *by_epoch[epoch]]
        self.set_options(options)
        choose = keep or self._newest()
        self.highlighted = self.get_option_index(choose.path) if choose else None
        if choose is None:  # OptionList posts nothing then
            self.post_message(self.Chosen(None))

    def _line(self, preview: PreviewReady) -> Text:
        is_playing = preview.path == self.playing
        mark = "▶" if is_playing else " "
        line = Text(f"{mark} {printable(preview.label)}", no_wrap=True, overflow="ellipsis")
        if is_playing:
            line.stylize("bold")
        return line


def _heading(epoch: int) -> Text:
    return Text(f"epoch {epoch}" if epoch else "epoch 0, untrained", no_wrap=True, overflow="ellipsis")
