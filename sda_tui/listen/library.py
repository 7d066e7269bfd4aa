"""What the page shows and may have: a run and its sounds, each under a number.

No path from a browser reaches the disk: it asks for a number.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from core.errors import RunError
from core.events import PreviewReady, RunState
from core.runs import RunDirectory, read_sound, read_spectrogram
from core.text import printable

LEVELS = "0123456789abcdefghijklmnopqrstuvwxyz"  # of a waveform's outline, one a stretch

Message = Mapping[str, Any]


@dataclass(frozen=True)
class _Preview:
    """A sound of a run."""

    run: RunDirectory
    preview: PreviewReady

    @property
    def path(self) -> Path:
        return self.run.path / self.preview.path

    @property
    def label(self) -> str:
        return self.preview.label

    def read(self) -> bytes:
        return read_sound(self.run, self.preview.path)


@dataclass(frozen=True)
class _File:
    """A WAV file that this program wrote, to audition a sound of the dataset."""

    path: Path
    label: str

    def read(self) -> bytes:
        try:
            return self.path.read_bytes()
        except OSError as error:
            raise RunError(f"{printable(self.label)} cannot be read ({error.strerror}).") from error


class Library:
    """The sounds that pages may ask for, and the messages that describe them.  Owned by one thread.

    Numbers are never used twice, so that an old page cannot get another sound than it shows.  `has_terminal`:
    play keys elsewhere sound in the pages.
    """

    def __init__(self, has_terminal: bool = True) -> None:
        self._has_terminal = has_terminal
        self._sounds: list[_Preview | _File | None] = []  # None: of a run that was shown before
        self._numbers: dict[Path, int] = {}
        self._run: RunDirectory | None = None
        self._previews: list[PreviewReady] = []
        self._state: Message = {"state": "", "best": 0}
        self._instance = secrets.token_hex(8)  # numbers mean something else after another start

    def show_run(
        self, run: RunDirectory, state: RunState, best_epoch: int, previews: Sequence[PreviewReady]
    ) -> list[Message]:
        """Make this run the one that is shown; return what changed, for pages that show the library."""
        changed: list[Message] = []
        new_state = {"state": state.value, "best": best_epoch}
        listed = list({preview.path: preview for preview in previews}.values())
        known = len(self._previews)
        is_grown = self._run is not None and self._run.path == run.path and listed[:known] == self._previews
        if not is_grown:
            self._sounds = [None] * len(self._sounds)
        self._run, self._previews = run, listed
        for preview in listed[known if is_grown else 0 :]:
            self._number(_Preview(run, preview))
        is_new_state, self._state = new_state != self._state, new_state
        if not is_grown:
            return [self.description()]
        if len(listed) > known:
            changed.append(
                {"type": "previews", "previews": [self._describe(each) for each in listed[known:]]}
            )
        if is_new_state:
            changed.append({"type": "state", **new_state})
        return changed

    def add_file(self, path: Path, label: str) -> int:
        """Number a WAV file that this program wrote; those added before can be had no more."""
        self._sounds = [None if isinstance(each, _File) else each for each in self._sounds]
        return self._number(_File(path, label))

    def find(self, path: Path) -> int | None:
        """The number of a sound, if it is of the run that is shown or was added."""
        number = self._numbers.get(path)
        return number if number is not None and self._sounds[number] is not None else None

    def describe_sound(self, number: int) -> Message:
        """What a page shows of a sound.  Raises RunError if there is none."""
        sound = self._sound(number)
        if isinstance(sound, _Preview):
            return self._describe(sound.preview)
        return {"number": number, "label": printable(sound.label)}

    def description(self) -> Message:
        """All that a page needs which has just been opened."""
        return {
            "type": "run",
            "instance": self._instance,
            "terminal": self._has_terminal,
            "name": printable(self._run.name) if self._run else "",
            **self._state,
            "previews": [self._describe(each) for each in self._previews],
        }

    def read_sound(self, number: int) -> bytes:
        """A WAV file.  Raises RunError if there is none such, or it cannot be read."""
        return self._sound(number).read()

    def read_spectrogram(self, number: int) -> tuple[bytes, int, int]:
        """Bytes, a row for each of the mel bands from the lowest, and the numbers of bands and of frames.

        Raises RunError if there is none.
        """
        sound = self._sound(number)
        if not isinstance(sound, _Preview):
            raise RunError("There is no spectrogram of this sound.")
        levels = read_spectrogram(sound.run, sound.preview.path)
        mels, frames = levels.shape
        return levels.tobytes(), mels, frames

    def _sound(self, number: int) -> _Preview | _File:
        sound = self._sounds[number] if 0 <= number < len(self._sounds) else None
        if sound is None:
            raise RunError("There is no such sound.")
        return sound

    def _number(self, sound: _Preview | _File) -> int:
        self._numbers[sound.path] = number = len(self._sounds)
        self._sounds.append(sound)
        return number

    def _describe(self, preview: PreviewReady) -> Message:
        assert self._run is not None
        last = len(LEVELS) - 1
        return {
            "number": self._numbers[self._run.path / preview.path],
            "epoch": preview.epoch,
            "kind": preview.kind,
            "label": printable(preview.label),
            "file": printable(Path(preview.path).name),
            "duration": round(preview.duration_s, 3),
            "outline": "".join(LEVELS[round(min(1.0, max(0.0, peak)) * last)] for peak in preview.envelope),
        }
