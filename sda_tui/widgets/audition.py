"""Playing a file of the dataset, and the line that shows it."""

import threading
from functools import partial
from pathlib import Path

from core.errors import Cancelled
from core.text import printable
from sda_tui.background import read_beside
from sda_tui.listening import Listening
from sda_tui.session import Session
from sda_tui.until_left import UntilLeft
from sda_tui.widgets.line import Line

PLAYBACK_INTERVAL_S = 0.1


class Audition(UntilLeft, Line):
    """Decodes one file at a time, and plays it; empty while nothing plays."""

    def __init__(self, session: Session, listening: Listening, id: str | None = None) -> None:
        super().__init__(id=id)
        self._session = session
        self._listening = listening
        self._file: Path | None = None  # that is being decoded, or was played last
        self._sound: Path | None = None  # what it became
        self._cancelled = threading.Event()

    def on_mount(self) -> None:
        self._timer = self.set_interval(PLAYBACK_INTERVAL_S, self._show_playing, pause=True)

    def toggle(self, path: Path, label: str) -> None:
        """Play a file instead of what plays; if that is this very file, stop it."""
        is_same = path == self._file and (self._sound is None or self._is_playing)
        self.stop()
        if is_same:
            return
        self._listening.prepare()
        self._file, self._cancelled = path, threading.Event()
        cancelled = self._cancelled.is_set

        def decode() -> Path | None:
            try:
                return self._session.audition(path, cancelled)
            except Cancelled:
                return None

        read_beside(self, decode, partial(self._play, path, label), partial(self._fail, path))

    def stop(self) -> None:
        """Play nothing, and decode nothing any more."""
        self._cancelled.set()
        if self._is_playing:
            self._listening.stop()
        self._file = self._sound = None
        self._show_playing()

    @property
    def _is_playing(self) -> bool:
        playing = self._listening.playing
        return playing is not None and playing.path == self._sound

    def _play(self, path: Path, label: str, sound: Path | None) -> None:
        if sound is None or path != self._file:  # another one was asked for meanwhile
            return
        self._sound = sound
        self._listening.play_file(sound, label)
        self._timer.resume()
        self._show_playing()

    def _fail(self, path: Path, why: str) -> None:
        if path == self._file:
            self._file = None
            self.notify(why, severity="warning")

    def _show_playing(self) -> None:
        playing = self._listening.playing
        if playing is None or self._file is None or not self._is_playing:
            self._timer.pause()
            self.show("")
            return
        times = f"{playing.position_s:.1f} / {playing.duration_s:.1f} s"
        name = printable(self._file.name)
        self.show(f"▶ {name}  {times}  space stops  ♪ {self._listening.describe()}")
