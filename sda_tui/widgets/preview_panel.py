"""The previews of a run: which there are, what one looks like, and playing them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical

from core.errors import RunError
from core.events import PreviewKind, PreviewReady
from core.runs import RunDirectory, SoundFigures, measure_sound, read_spectrogram
from core.text import printable
from sda_tui import format as fmt
from sda_tui.background import read_beside
from sda_tui.listening import Listening
from sda_tui.widgets.line import Line
from sda_tui.widgets.preview_list import PreviewList
from sda_tui.widgets.spectrogram import Spectrogram
from sda_tui.widgets.waveform import Waveform

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

PLAYBACK_INTERVAL_S = 0.1
LEAST_HEIGHT = 15  # for a spectrogram too: the list comes first
READING_DELAY_S = 0.15  # a cursor that only passes by reads nothing


@dataclass(frozen=True)
class _Picture:
    """What is drawn of a preview, and of the original beside it."""

    levels: "npt.NDArray[np.uint8] | None"
    original: "npt.NDArray[np.uint8] | None"
    figures: SoundFigures | None


class PreviewPanel(Vertical):
    """The list of previews, the spectrogram and outline of the chosen one, and how it is played.

    Plays and shows files of the run's directory, and no others.  Bound to no keys: the screen has them, so
    that they work wherever the focus is.
    """

    BORDER_TITLE = "Previews"

    def __init__(self, run: RunDirectory, listening: Listening, id: str | None = None) -> None:
        super().__init__(id=id)
        self._run = run
        self._listening = listening
        self._why_none = ""

    def compose(self) -> ComposeResult:
        yield PreviewList(id="preview-list")
        with Horizontal(id="pictures"):
            yield Spectrogram(id="spectrogram")
            yield Spectrogram(id="original-spectrogram")
        yield Waveform(id="waveform")
        yield Line(id="figures")
        yield Line(id="playback")
        yield Line(id="way")

    def on_mount(self) -> None:
        self._playback_timer = self.set_interval(PLAYBACK_INTERVAL_S, self._show_playback, pause=True)
        self._reading_timer = self.set_interval(READING_DELAY_S, self._read_chosen, pause=True)
        self.call_after_refresh(self._listening.prepare)
        self.show_way()

    def on_resize(self) -> None:
        self.set_class(self.size.height < LEAST_HEIGHT, "-low")

    def show(self, previews: Sequence[PreviewReady], why_none: str) -> None:
        """Make these the list, in the order in which they were made; `why_none` is shown if it is empty."""
        self._list.show(previews)
        if why_none != self._why_none:
            self._why_none = why_none
            self._show_playback()

    def show_way(self) -> None:
        """Show the way that sounds take; it changed."""
        self.query_one("#way", Line).show(f"♪ {self._listening.describe()}")

    def focus_list(self) -> None:
        self._list.focus()

    def move(self, by: int) -> None:
        """Choose the next preview, or with -1 the one before."""
        if by > 0:
            self._list.action_cursor_down()
        else:
            self._list.action_cursor_up()

    @property
    def chosen_path(self) -> Path | None:
        """The file of the chosen preview.  None if there is none, or it is not in the run's directory."""
        chosen = self._list.chosen
        if chosen is None:
            return None
        try:
            return self._run.find_preview(chosen.path)
        except RunError as error:  # the log of a run from elsewhere, or the file is gone
            self.notify(str(error), severity="warning")
            return None

    @property
    def has_drawn(self) -> bool:
        """Whether the chosen preview's spectrogram is drawn."""
        return self.query_one("#pictures").has_class("-known")

    @on(PreviewList.OptionSelected)
    def play(self) -> None:
        """Play the chosen preview."""
        self._play()

    def stop(self) -> None:
        self._listening.stop()
        self._show_playback()

    def compare(self) -> None:
        """Play the reconstruction after the original, or after any other preview what to judge it by.

        While a sound plays, the other one continues where it is.
        """
        is_switch = self._listening.playing is not None
        self._play_instead(self._list.counterpart(), "There is nothing to compare it with yet.", is_switch)

    def play_earlier(self) -> None:
        """Play the same preview of the epoch before."""
        self._play_instead(self._list.earlier(), "There is no earlier one: this is the oldest.")

    def reverse_order(self) -> None:
        self._list.newest_first = not self._list.newest_first

    @property
    def _list(self) -> PreviewList:
        return self.query_one(PreviewList)

    def _play(self, is_switch: bool = False) -> None:
        path = self.chosen_path
        if path is not None:
            self._listening.play(path, is_switch)
            self._playback_timer.resume()
            self._show_playback()

    def _play_instead(self, preview: PreviewReady | None, refusal: str, is_switch: bool = False) -> None:
        """Choose and play a preview, or show why there is none."""
        if preview is not None:
            self._list.choose(preview)
            self._play(is_switch)
        elif self._list.option_count:
            self.notify(refusal)

    # -- what is drawn ----------------------------------------------------------------------------------

    @on(PreviewList.Chosen)
    def _show_chosen(self, message: PreviewList.Chosen) -> None:
        message.stop()
        self.query_one(Waveform).envelope = message.preview.envelope if message.preview else ()
        self._show_playback()
        self._reading_timer.reset()
        self._reading_timer.resume()
        if message.preview is None:
            self._draw(None, _Picture(None, None, None))
        else:
            self._listening.page.choose(self._run.path / message.preview.path)

    def _read_chosen(self) -> None:
        """Read the files of the chosen preview on another thread: the disk may be slow."""
        self._reading_timer.pause()
        chosen = self._list.chosen
        if chosen is not None:
            original = self._list.original_of_chosen()
            read_beside(
                self, partial(_read, self._run, chosen, original), partial(self._draw, chosen), lambda _: None
            )

    def _draw(self, preview: PreviewReady | None, picture: _Picture) -> None:
        if not self.is_attached or preview != self._list.chosen:
            return
        ours = self.query_one("#spectrogram", Spectrogram)
        original = self.query_one("#original-spectrogram", Spectrogram)
        ours.levels, original.levels = picture.levels, picture.original
        ours.border_title = (
            Text(printable(preview.label)) if preview else ""
        )  # no markup: it may look like some
        original.border_title = "original"
        original.set_class(picture.original is not None, "-known")
        self.query_one("#pictures").set_class(picture.levels is not None, "-known")
        figures = _describe(picture.figures, preview) if preview is not None and picture.figures else ""
        self.query_one("#figures", Line).show(figures)

    def _show_playback(self) -> None:
        """Mark what plays and how far it has come; the timer runs as long as something does."""
        playing, chosen = self._listening.playing, self._list.chosen
        if playing is None:
            self._playback_timer.pause()
        is_ours = playing is not None and playing.path.is_relative_to(self._run.path)
        path = playing.path.relative_to(self._run.path).as_posix() if playing and is_ours else None
        self._list.playing = path
        is_chosen = playing is not None and chosen is not None and path == chosen.path and playing.duration_s
        position = playing.position_s / playing.duration_s if playing and is_chosen else None
        self.query_one(Waveform).position = position
        self.query_one("#spectrogram", Spectrogram).position = position
        line = self.query_one("#playback", Line)
        if playing is not None and is_ours:
            line.show(f"▶ {playing.position_s:.1f} / {playing.duration_s:.1f} s  ← stops")
        elif chosen is not None:
            line.show(f"■ {chosen.duration_s:.1f} s  {printable(Path(chosen.path).name)}")
        else:
            line.show(self._why_none)


def _read(run: RunDirectory, preview: PreviewReady, original: PreviewReady | None) -> _Picture:
    """What can be read of a preview; what cannot is not drawn."""

    def levels(of: PreviewReady | None) -> "npt.NDArray[np.uint8] | None":
        try:
            return read_spectrogram(run, of.path) if of is not None else None
        except RunError:
            return None

    try:
        figures = measure_sound(run, preview.path)
    except RunError:
        figures = None
    return _Picture(levels(preview), levels(original), figures)


def _describe(figures: SoundFigures, preview: PreviewReady) -> str:
    parts = [f"peak {_level(figures.peak_db)}, RMS {_level(figures.rms_db)} dB"]
    if preview.kind == PreviewKind.SAMPLE and preview.near:
        parts.insert(0, f"near {printable(Path(preview.near).name)}")
    if figures.clipped_samples:
        parts.insert(0, f"! {fmt.count(figures.clipped_samples, 'sample')} clipped")
    return " · ".join(parts)


def _level(level_db: float) -> str:
    if not math.isfinite(level_db):
        return f"{fmt.MINUS}∞"
    return f"{round(level_db, 1) + 0.0:.1f}".replace("-", fmt.MINUS)
