"""What one preview looks like: its spectrogram, beside that of the original, its outline and its figures."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.events import Click
from textual.message import Message

from core.errors import RunError
from core.events import PreviewKind, PreviewReady
from core.runs import RunDirectory, SoundFigures, measure_sound, read_spectrogram
from core.text import printable
from sda_tui import format as fmt
from sda_tui.background import read_beside
from sda_tui.preview_layout import PreviewLayout
from sda_tui.until_left import UntilLeft
from sda_tui.widgets.line import Line
from sda_tui.widgets.spectrogram import Spectrogram
from sda_tui.widgets.waveform import Waveform

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

READING_DELAY_S = 0.15  # a cursor that only passes by reads nothing


@dataclass(frozen=True)
class _Picture:
    """What is drawn of a preview, and of the original beside it."""

    levels: "npt.NDArray[np.uint8] | None"
    original: "npt.NDArray[np.uint8] | None"
    figures: SoundFigures | None


NOTHING = _Picture(None, None, None)


class PreviewDetails(UntilLeft, Vertical):
    """Reads the files of a preview beside the screen, a moment after it is shown."""

    class PlayWanted(Message):
        """A picture was clicked."""

    def __init__(self, run: RunDirectory, id: str | None = None) -> None:
        super().__init__(id=id)
        self._run = run
        self._preview: PreviewReady | None = None
        self._find_original: Callable[[], PreviewReady | None] = lambda: None
        self._layout_plan: PreviewLayout | None = None

    def compose(self) -> ComposeResult:
        with Horizontal(id="pictures"):
            yield Spectrogram(id="spectrogram")
            yield Spectrogram(id="original-spectrogram")
        yield Waveform(id="waveform")
        yield Line(id="figures")

    def on_mount(self) -> None:
        self._reading_timer = self.set_interval(READING_DELAY_S, self._read, pause=True)

    @property
    def has_drawn(self) -> bool:
        """Whether the spectrogram of the preview is drawn."""
        return self.query_one("#pictures").has_class("-known")

    def show(self, preview: PreviewReady | None, find_original: Callable[[], PreviewReady | None]) -> None:
        """Show a preview; `find_original` gives the clip that it was made from, if it was made from one."""
        if preview is not None and preview == self._preview and self.has_drawn:
            return
        self._preview, self._find_original = preview, find_original
        self.query_one(Waveform).envelope = preview.envelope if preview else ()
        self._reading_timer.reset()
        self._reading_timer.resume()
        if preview is None:
            self._draw(None, NOTHING)

    def show_position(self, position: float | None) -> None:
        """Mark the part played, from 0 to 1."""
        self.query_one(Waveform).position = position
        self.query_one("#spectrogram", Spectrogram).position = position

    def share_rows(self, plan: PreviewLayout) -> None:
        """Take the rows of a layout."""
        if plan == self._layout_plan:
            return
        self._layout_plan = plan
        pictures, waveform = self.query_one("#pictures"), self.query_one(Waveform)
        pictures.styles.height, waveform.styles.height = plan.picture, plan.waveform
        pictures.set_class(not plan.picture, "-no-room")
        pictures.set_class(plan.has_original, "-titled")
        waveform.display = plan.waveform > 0
        self.query_one("#figures").set_class(not plan.figures, "-no-room")
        self.query_one("#original-spectrogram").set_class(plan.has_original, "-beside")

    def on_click(self, event: Click) -> None:
        if event.widget is not self.query_one("#figures"):
            self.post_message(self.PlayWanted())

    def _read(self) -> None:
        """Read the files on another thread: the disk may be slow."""
        self._reading_timer.pause()
        preview = self._preview
        if preview is not None:
            read = partial(_read, self._run, preview, self._find_original())
            read_beside(self, read, partial(self._draw, preview), lambda _: None)

    def _draw(self, preview: PreviewReady | None, picture: _Picture) -> None:
        if not self.is_attached or preview != self._preview:
            return
        ours = self.query_one("#spectrogram", Spectrogram)
        original = self.query_one("#original-spectrogram", Spectrogram)
        ours.levels, original.levels = picture.levels, picture.original
        # No markup: a label may look like some.
        ours.border_title = Text(printable(preview.label)) if preview else ""
        original.border_title = "original"
        original.set_class(picture.original is not None, "-known")
        self.query_one("#pictures").set_class(picture.levels is not None, "-known")
        figures = describe(picture.figures, preview) if preview is not None else ""
        self.query_one("#figures", Line).show(figures)


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


def describe(figures: SoundFigures | None, preview: PreviewReady) -> str:
    """Clipping, which sounds a sample is of, and levels."""
    parts = []
    if figures is not None and figures.clipped_samples:
        parts.append(f"! {fmt.count(figures.clipped_samples, 'sample')} clipped")
    if preview.kind == PreviewKind.SAMPLE:
        parts += describe_origin(preview.around, preview.near)
    if figures is not None:
        parts.append(f"peak {_level(figures.peak_db)}, RMS {_level(figures.rms_db)} dB")
    return " · ".join(parts)


def describe_origin(around: str, near: str) -> list[str]:
    """The training sound that a sample is drawn around, and the one that it is most like, each named once."""
    around, near = (printable(path.rpartition("/")[2]) for path in (around, near))
    if around and around == near:
        return [f"around and near {around}"]
    return [f"{word} {name}" for word, name in (("around", around), ("near", near)) if name]


def _level(level_db: float) -> str:
    if not math.isfinite(level_db):
        return f"{fmt.MINUS}∞"
    return f"{round(level_db, 1) + 0.0:.1f}".replace("-", fmt.MINUS)
