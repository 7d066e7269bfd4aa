"""The training sound that a sample is drawn around, decoded to be played beside the sample."""

import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

from textual.widget import Widget

from core.errors import Cancelled
from core.events import PreviewReady
from core.runs import RunDirectory
from core.text import printable
from sda_tui.background import read_beside
from sda_tui.session import Session

UNKNOWN = (
    "The log of this run does not say which sound this one is drawn around: it is of an older version, or "
    "the setting detail is 0."
)


class TrainingSound:
    """Decodes one sound at a time on another thread; `owner` shows what is wrong with one.

    `name` is that of the sound that was played last, empty when it is the turn of the sample.
    """

    def __init__(self, owner: Widget, session: Session, run: RunDirectory) -> None:
        self._owner = owner
        self._session = session
        self._run = run
        self._cancelled = threading.Event()
        self._wanted_for = ""  # the path of the sample that it was asked for
        self._sample = ""  # the path of the sample that the sound was played after
        self.name = ""

    def take_turn(self, sample: PreviewReady) -> bool:
        """Whether it is the sample's turn: its training sound was the last that was played."""
        return self._sample == sample.path

    def keep_for(self, preview: PreviewReady | None) -> None:
        """Forget the sound if it is of another sample than this one, which was chosen."""
        if self._wanted_for and (preview is None or preview.path != self._wanted_for):
            self.forget()

    def forget(self) -> None:
        """It is the training sound's turn again, and none is decoded any more."""
        self._cancelled.set()
        self._sample = self._wanted_for = self.name = ""

    def prepare(self, sample: PreviewReady, play: Callable[[Path, str], object]) -> None:
        """Find and decode the sound, then call `play` with a WAV file and a label."""
        self.forget()
        around = sample.around or sample.near
        if not around:
            self._owner.notify(UNKNOWN)
            return
        self._cancelled = cancelled = threading.Event()
        self._wanted_for = sample.path

        def decode() -> Path | None:
            try:
                return self._session.audition_of(self._run, around, cancelled.is_set)
            except Cancelled:
                return None

        def ready(path: Path | None) -> None:
            if path is not None and not cancelled.is_set():
                self._sample, self.name = sample.path, printable(Path(around).name)
                play(path, self.name)

        read_beside(self._owner, decode, ready, partial(self._owner.notify, severity="warning"))
