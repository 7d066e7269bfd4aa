"""Playing through a program of the system, which finds a sound server that PortAudio does not know."""

import contextlib
import os
import shutil
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from core.text import printable
from sda_tui.playback.player import Playing, Problem
from sda_tui.playback.wav import open_wav

ALSA_CARDS = Path("/proc/asound/pcm")  # a line for each device, empty where there is none


@dataclass(frozen=True)
class Program:
    """A program, the options before the file, and what it plays through."""

    name: str
    options: Sequence[str]
    needs: str


PROGRAMS = (
    Program("pw-play", (), "pipewire"),
    Program("paplay", (), "pulse"),
    Program("aplay", ("-q",), "alsa"),
    Program("afplay", (), "macos"),
    Program("ffplay", ("-nodisp", "-autoexit", "-loglevel", "error"), "any"),
)


class ProgramPlayer:
    """Starts the program for each sound, and ends it.

    `on_problem` is called on another thread.
    """

    def __init__(self, program: Program, on_problem: Callable[[Problem], object]) -> None:
        self._program = program
        self._on_problem = on_problem
        self._lock = threading.Lock()
        self._current: _Sounding | None = None

    @property
    def name(self) -> str:
        return self._program.name

    def probe(self) -> str:
        if shutil.which(self.name) is None:
            return "it is not installed"
        return "" if _is_reachable(self._program.needs) else "it finds no sound server and no sound card"

    def play(self, path: Path, is_switch: bool = False) -> None:
        """From its start: these programs cannot begin elsewhere."""
        self.stop()
        shown = printable(str(path))
        try:
            with open_wav(path) as sound:
                duration_s = sound.getnframes() / sound.getframerate()
            process = subprocess.Popen(
                [self.name, *self._program.options, path],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        except (EOFError, wave.Error) as error:
            reason = str(error) or "it is cut short"
            self._on_problem(Problem(self.name, f"Cannot play {shown} ({reason}).", is_of_player=False))
            return
        except OSError as error:
            is_of_file = error.filename == str(path)
            self._on_problem(Problem(self.name, f"Cannot play {shown} ({error.strerror}).", not is_of_file))
            return
        sounding = _Sounding(path, process, time.monotonic(), duration_s)
        with self._lock:
            self._current = sounding
        threading.Thread(target=self._wait, args=(sounding,), name="playback", daemon=True).start()

    def stop(self) -> None:
        with self._lock:
            current, self._current = self._current, None
        if current is not None:
            with contextlib.suppress(ProcessLookupError):
                current.process.terminate()

    @property
    def playing(self) -> Playing | None:
        with self._lock:
            current = self._current
        if current is None:
            return None
        position_s = min(time.monotonic() - current.started_s, current.duration_s)
        return Playing(current.path, position_s, current.duration_s)

    def _wait(self, sounding: "_Sounding") -> None:
        _, errors = sounding.process.communicate()
        with self._lock:
            was_stopped = self._current is not sounding
            if not was_stopped:
                self._current = None
        if not was_stopped and sounding.process.returncode:
            lines = errors.decode(errors="replace").strip().splitlines()
            reason = printable(lines[0]) if lines else f"status {sounding.process.returncode}"
            self._on_problem(Problem(self.name, f"{self.name} could not play ({reason[:200]})."))


@dataclass(frozen=True)
class _Sounding:
    """A program that plays a sound."""

    path: Path
    process: "subprocess.Popen[bytes]"
    started_s: float
    duration_s: float


def _is_reachable(needs: str) -> bool:
    """Whether there seems to be something to play through; only playing shows it for sure."""
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.getuid()}")
    has_pulse = bool(os.environ.get("PULSE_SERVER")) or _exists(runtime / "pulse" / "native")
    match needs:
        case "macos":
            return sys.platform == "darwin"
        case "pipewire":
            return bool(os.environ.get("PIPEWIRE_REMOTE")) or _exists(runtime / "pipewire-0")
        case "pulse":
            return has_pulse
        case "alsa":
            return _has_cards() or (has_pulse and _exists(Path(os.path.expanduser("~/.asoundrc"))))  # noqa: PTH111  (that of Path may raise)
    return sys.platform == "darwin" or has_pulse or _has_cards()


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # of another user, whose environment this one has
        return False


def _has_cards() -> bool:
    try:
        return "playback" in ALSA_CARDS.read_text()
    except OSError:
        return False
