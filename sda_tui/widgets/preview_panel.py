"""The previews of a run: which there are, what one looks like, and playing them."""

from collections.abc import Callable, Sequence
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical

from core.errors import RunError
from core.events import PreviewReady
from core.text import printable
from sda_tui.playback import Player
from sda_tui.widgets.line import Line
from sda_tui.widgets.preview_list import PreviewList
from sda_tui.widgets.waveform import Waveform

PLAYBACK_INTERVAL_S = 0.1


class PreviewPanel(Vertical):
    """The list of previews, the outline of the chosen one, and a line about what plays.

    Plays sounds of `folder`, the run's directory, and no others: those that `find` finds there, given a path
    relative to it.  It raises RunError.  Bound to no keys: the screen has them, so
    that they work wherever the focus is.
    """

    BORDER_TITLE = "Previews"

    def __init__(
        self, folder: Path, find: Callable[[str], Path], player: Player, id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self._folder = folder
        self._find = find
        self._player = player
        self._why_none = ""

    def compose(self) -> ComposeResult:
        yield PreviewList(id="preview-list")
        yield Waveform(id="waveform")
        yield Line(id="playback")

    def on_mount(self) -> None:
        self._playback_timer = self.set_interval(PLAYBACK_INTERVAL_S, self._show_playback, pause=True)
        self.call_after_refresh(self._player.prepare)

    def show(self, previews: Sequence[PreviewReady], why_none: str) -> None:
        """Make these the list, in the order in which they were made; `why_none` is shown if it is empty."""
        self._list.show(previews)
        if why_none != self._why_none:
            self._why_none = why_none
            self._show_playback()

    def focus_list(self) -> None:
        self._list.focus()

    def move(self, by: int) -> None:
        """Choose the next preview, or with -1 the one before."""
        if by > 0:
            self._list.action_cursor_down()
        else:
            self._list.action_cursor_up()

    @on(PreviewList.OptionSelected)
    def play(self) -> None:
        """Play the chosen preview, unless it is not in the run's directory."""
        chosen = self._list.chosen
        if chosen is None:
            return
        try:
            path = self._find(chosen.path)
        except RunError as error:  # the log of a run from elsewhere, or the file is gone
            self.notify(str(error), severity="warning")
            return
        self._player.play(path)
        self._playback_timer.resume()
        self._show_playback()

    def stop(self) -> None:
        self._player.stop()
        self._show_playback()

    def compare(self) -> None:
        """Play the reconstruction after the original, or after any other preview what to judge it by."""
        self._play_instead(self._list.counterpart(), "There is nothing to compare it with yet.")

    def play_earlier(self) -> None:
        """Play the same preview of the epoch before."""
        self._play_instead(self._list.earlier(), "There is no earlier one: this is the oldest.")

    def reverse_order(self) -> None:
        self._list.newest_first = not self._list.newest_first

    @property
    def _list(self) -> PreviewList:
        return self.query_one(PreviewList)

    def _play_instead(self, preview: PreviewReady | None, refusal: str) -> None:
        """Choose and play a preview, or show why there is none."""
        if preview is not None:
            self._list.choose(preview)
            self.play()
        elif self._list.option_count:
            self.notify(refusal)

    @on(PreviewList.Chosen)
    def _show_chosen(self, message: PreviewList.Chosen) -> None:
        message.stop()
        self.query_one(Waveform).envelope = message.preview.envelope if message.preview else ()
        self._show_playback()

    def _show_playback(self) -> None:
        """Mark what plays and how far it has come; the timer runs as long as something does."""
        playing, chosen = self._player.playing, self._list.chosen
        if playing is None:
            self._playback_timer.pause()
        is_ours = playing is not None and playing.path.is_relative_to(self._folder)
        path = playing.path.relative_to(self._folder).as_posix() if playing and is_ours else None
        self._list.playing = path
        waveform = self.query_one(Waveform)
        if playing is not None and chosen is not None and path == chosen.path and playing.duration_s:
            waveform.position = playing.position_s / playing.duration_s
        else:
            waveform.position = None
        line = self.query_one("#playback", Line)
        if playing is not None and is_ours:
            line.show(f"▶ {playing.position_s:.1f} / {playing.duration_s:.1f} s  ← stops")
        elif chosen is not None:
            line.show(f"■ {chosen.duration_s:.1f} s  {printable(Path(chosen.path).name)}")
        else:
            line.show(self._why_none)
