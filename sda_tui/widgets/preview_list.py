"""The list of previews that a run has rendered."""

from collections.abc import Collection, Sequence

from rich.segment import Segment
from rich.style import Style
from textual.binding import Binding
from textual.events import Click
from textual.geometry import Region, Size
from textual.message import Message
from textual.reactive import reactive
from textual.scroll_view import ScrollView
from textual.strip import Strip

from core.events import PreviewKind, PreviewReady
from core.text import printable
from sda_tui.keymap import key_of
from sda_tui.look import NO_STAR, STAR
from sda_tui.preview_catalogue import PreviewCatalogue, PreviewFilter, Row

CURSOR, PLAYING, BEST = "›", "▶", "◆"
STAR_COLUMN = 2  # after those of cursor and playing


class PreviewList(ScrollView, inherit_bindings=False):
    """A line per preview below its epoch, of which only those in sight are drawn.

    The chosen preview stays chosen, and in its row of the screen, when new ones arrive.  It gives way to the
    newest only where it was the newest itself, does not play, and the mouse is not over the list.

    `playing` is the path of what is playing, `stars` are the paths of the starred, both relative to the run.
    The left and right arrows are bound by the screen, where they stop and play.
    """

    BINDINGS = [
        Binding("up", "cursor_up", show=False),
        Binding("down", "cursor_down", show=False),
        Binding("home", "first", show=False),
        Binding("end", "last", show=False),
        Binding("pageup", "page_up", show=False),
        Binding("pagedown", "page_down", show=False),
    ]
    COMPONENT_CLASSES = {
        "preview-list--heading",
        "preview-list--best",
        "preview-list--cursor",
        "preview-list--playing",
        "preview-list--near",
        "preview-list--empty",
    }
    can_focus = True

    newest_first: reactive[bool] = reactive(True)
    playing: reactive[str | None] = reactive(None, repaint=False)
    best_epoch: reactive[int] = reactive(0)
    shown: reactive[PreviewFilter] = reactive(PreviewFilter.ALL)
    stars: reactive[Collection[str]] = reactive(frozenset[str]())

    class Chosen(Message):
        """Another preview was chosen, or none."""

        def __init__(self, preview: PreviewReady | None) -> None:
            super().__init__()
            self.preview = preview

    class Opened(Message):
        """The chosen preview is to be played: it was clicked twice."""

    class StarClicked(Message):
        """The chosen preview is to be starred, or not: the mark before it was clicked."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self.catalogue = PreviewCatalogue()
        self._listed = PreviewCatalogue()  # what the filter lets pass
        self._seen: tuple[int, PreviewReady | None] = (0, None)
        self._rows: list[Row] = []
        self._row_of: dict[str, int] = {}
        self._path: str | None = None  # of the chosen preview
        self._compared: PreviewReady | None = None  # the reconstruction that the original was chosen after

    # -- what is listed ---------------------------------------------------------------------------------

    def show(self, previews: Sequence[PreviewReady]) -> None:
        """Make these the list, unless they are already.  They come in the order in which they were made."""
        seen = (len(previews), previews[-1] if previews else None)
        if seen[0] == self._seen[0] and seen[1] is self._seen[1]:
            return
        self._seen = seen
        newest, chosen = self._listed.newest(), self.chosen
        is_held = self.mouse_hover or (chosen is not None and chosen.path == self.playing)
        follows_newest = chosen is None or (chosen == newest and not is_held)
        self.catalogue = PreviewCatalogue(previews)
        self._relist(follows_newest)

    @property
    def chosen(self) -> PreviewReady | None:
        return self._listed.find(self._path)

    @property
    def row_count(self) -> int:
        """Previews and headings."""
        return len(self._rows)

    @property
    def cursor_row(self) -> int | None:
        return self._row_of.get(self._path) if self._path is not None else None

    def line(self, row: int) -> str:
        """The text of a row."""
        return "".join(text for text, _ in self._parts(row)).rstrip()

    @property
    def counts(self) -> tuple[int, int]:
        """How many previews the filter lets pass, and of how many."""
        return len(self._listed), len(self.catalogue)

    # -- choosing ---------------------------------------------------------------------------------------

    def choose(self, preview: PreviewReady) -> bool:
        """Put the cursor on a preview, unless the filter hides it; whether it is there."""
        if preview.path not in self._row_of:
            return False
        before = self.chosen
        if before is not None and before.kind == PreviewKind.RECONSTRUCTION:
            self._compared = before
        self._move_to(self._row_of[preview.path])
        return True

    def counterpart(self) -> PreviewReady | None:
        """The preview to compare the chosen one with, if there is one; see `PreviewCatalogue.counterpart`."""
        chosen = self.chosen
        return self.catalogue.counterpart(chosen, self._compared) if chosen is not None else None

    def original_of_chosen(self) -> PreviewReady | None:
        """The clip that the chosen preview was made from; None if it is that itself, or a sample."""
        chosen = self.chosen
        if chosen is None or chosen.kind in (PreviewKind.ORIGINAL, PreviewKind.SAMPLE):
            return None
        return self.catalogue.original_of(chosen)

    def earlier(self) -> PreviewReady | None:
        """The same preview as the chosen one, of the newest earlier epoch that has it."""
        chosen = self.chosen
        return self._listed.earlier(chosen) if chosen is not None else None

    def through_epochs(self) -> list[PreviewReady]:
        """The same preview as the chosen one in all epochs, the first one first."""
        chosen = self.chosen
        return self._listed.through_epochs(chosen) if chosen is not None else []

    def nearest(self, epoch: int) -> PreviewReady | None:
        """The preview like the chosen one in the nearest epoch that has any."""
        return self._listed.nearest(epoch, self.chosen)

    def action_cursor_up(self) -> None:
        self._step(-1, 1)

    def action_cursor_down(self) -> None:
        self._step(1, 1)

    def action_page_up(self) -> None:
        self._step(-1, max(1, self.size.height - 1))

    def action_page_down(self) -> None:
        self._step(1, max(1, self.size.height - 1))

    def action_first(self) -> None:
        self._step(-1, len(self._rows))

    def action_last(self) -> None:
        self._step(1, len(self._rows))

    def on_click(self, event: Click) -> None:
        row = self.scroll_offset.y + event.y
        if row < len(self._rows) and not isinstance(self._rows[row], int):
            is_star = event.x == STAR_COLUMN and row == self.cursor_row
            self._move_to(row)
            if event.chain == 1 and is_star:
                self.post_message(self.StarClicked())
            elif event.chain == 2:
                self.post_message(self.Opened())

    def _step(self, direction: int, rows: int) -> None:
        """Move so many rows, as far as there are any, to a preview: past a heading, or back from one."""
        if not self._rows:
            return
        at = self.cursor_row or 0
        target = min(len(self._rows) - 1, max(0, at + direction * rows))
        while 0 <= target < len(self._rows) and isinstance(self._rows[target], int):
            target += direction
        if target < 0:  # the heading above the first preview was reached
            target = 1
        self._move_to(target)

    def _move_to(self, row: int) -> None:
        before, preview = self.cursor_row, self._rows[row]
        assert not isinstance(preview, int)
        self._path = preview.path
        self._scroll_to_cursor()
        if before != row:
            self._refresh_row(before)
            self._refresh_row(row)
            self.post_message(self.Chosen(preview))

    def _scroll_to_cursor(self) -> None:
        """Scroll so that the chosen preview is seen, with the heading right above it."""
        row, height, top = self.cursor_row, self.size.height, self.scroll_offset.y
        if row is None or not height:
            return
        first = row - 1 if isinstance(self._rows[row - 1], int) and height > 1 else row
        if first < top:
            self._scroll(first)
        elif row >= top + height:
            self._scroll(row - height + 1)

    def _scroll(self, row: int) -> None:
        self.scroll_to(y=max(0, row), animate=False, immediate=True, force=True)

    # -- changes ----------------------------------------------------------------------------------------

    def watch_newest_first(self) -> None:
        self._relist(False, keeps_row=False)

    def watch_shown(self) -> None:
        self._relist(False, keeps_row=False)

    def watch_stars(self) -> None:
        if self.shown is PreviewFilter.STARRED:
            self._relist(False)

    def watch_playing(self, before: str | None, now: str | None) -> None:
        for path in (before, now):
            self._refresh_row(self._row_of.get(path) if path is not None else None)

    def on_resize(self) -> None:
        self.virtual_size = Size(self.size.width, len(self._rows))
        self._scroll_to_cursor()

    def _relist(self, follows_newest: bool, keeps_row: bool = True) -> None:
        """List what the filter lets pass now, with the same line at the same row of the screen."""
        top, height = self.scroll_offset.y, self.size.height
        former, cursor, chosen = self._rows, self.cursor_row, self.chosen
        anchor = cursor if cursor is not None and top <= cursor < top + height else top
        kept = [row for row in former[anchor:] if not isinstance(row, int)] if not follows_newest else []
        self._listed = self.catalogue.only(self.shown, self.stars)
        self._rows = self._listed.rows(self.newest_first)
        self._row_of = {row.path: at for at, row in enumerate(self._rows) if not isinstance(row, int)}
        self.virtual_size = Size(self.size.width, len(self._rows))
        if follows_newest or self.chosen is None:
            near = self._listed.nearest(chosen.epoch, chosen) if chosen and not follows_newest else None
            choose = near or self._listed.newest()
            self._path = choose.path if choose is not None else None
        still_there = next((row for row in kept if row.path in self._row_of), None)
        if keeps_row and still_there is not None:
            self._scroll(top + self._row_of[still_there.path] - former.index(still_there, anchor))
        if not keeps_row or follows_newest or still_there is None:
            self._scroll_to_cursor()
        self.refresh()
        self.post_message(self.Chosen(self.chosen))

    # -- drawing ----------------------------------------------------------------------------------------

    def render_line(self, y: int) -> Strip:
        width, row = self.scrollable_content_region.width, self.scroll_offset.y + y
        plain = self.rich_style
        if row >= len(self._rows):
            text = self._why_empty() if y == 0 and not self._rows else ""
            style = plain + self.get_component_rich_style("preview-list--empty", partial=True)
            return Strip([Segment(text, style)]).adjust_cell_length(width, style)
        parts = [(text, self._style(name)) for text, name in self._parts(row)]
        is_cursor = row == self.cursor_row
        over = self._style("cursor") if is_cursor else Style()
        strip = Strip([Segment(text, plain + style + over) for text, style in parts])
        if strip.cell_length > width > 1:
            strip = Strip([*strip.crop(0, width - 1), Segment("…", plain + over)])
        return strip.adjust_cell_length(width, plain + over)

    def _parts(self, row: int) -> list[tuple[str, str]]:
        """The text of a row, each part with the name of its style."""
        what = self._rows[row]
        if isinstance(what, int):
            heading = [(f"epoch {what}" if what else "epoch 0, untrained", "heading")]
            return [*heading, (f" {BEST} best", "best")] if what and what == self.best_epoch else heading
        is_cursor = row == self.cursor_row
        marks = (
            CURSOR if is_cursor else " ",
            PLAYING if what.path == self.playing else " ",
            STAR if what.path in self.stars else NO_STAR if is_cursor else " ",
        )
        name = "".join(marks) + f" {printable(what.label)}"
        parts = [(name, "playing" if what.path == self.playing else "")]
        if what.near:
            parts.append((f"  near {printable(what.near.rpartition('/')[2])}", "near"))
        return parts

    def _style(self, name: str) -> Style:
        return self.get_component_rich_style(f"preview-list--{name}", partial=True) if name else Style()

    def _why_empty(self) -> str:
        others = key_of("dashboard.filter")
        if not len(self.catalogue):
            return ""
        if self.shown is PreviewFilter.STARRED:
            return f"None is starred: {others} shows all, {key_of('dashboard.star')} stars one."
        return f"There are none of these: {others} shows others."

    def _refresh_row(self, row: int | None) -> None:
        if row is not None:
            self.refresh(Region(0, row - self.scroll_offset.y, self.size.width, 1))
