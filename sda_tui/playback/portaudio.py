"""Playing through this machine's sound card with sounddevice (PortAudio)."""

import contextlib
import errno
import logging
import os
import stat
import sys
import threading
import time
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from core.text import printable
from sda_tui.playback.player import Playing

logger = logging.getLogger(__name__)

PCM_16_BYTES = 2
BLOCK_S = 0.02  # the longest delay of a stop; each block is one call, which releases the interpreter
LATENCY_S = 0.08  # of sound ahead, for when the interpreter is busy; also the delay after a keypress
NO_PORTAUDIO = {
    "linux": "install PortAudio with `sudo apt install libportaudio2` (Debian, Ubuntu), "
    "`sudo dnf install portaudio` (Fedora) or `sudo pacman -S portaudio` (Arch)",
    "darwin": "reinstall the Python package sounddevice, which brings PortAudio along",
}


class PortAudioPlayer:
    """Opens the default output for each sound, on a thread of its own.

    `on_problem` is called on that thread, with a message for the user, when a sound cannot be played.
    """

    def __init__(self, on_problem: Callable[[str], object]) -> None:
        self._on_problem = on_problem
        self._lock = threading.Lock()
        self._output = (
            threading.Lock()
        )  # PortAudio aborts the process if two threads start or stop it at once
        self._current: _Playback | None = None
        self._has_failed = False

    def prepare(self) -> None:
        """Start loading PortAudio, which then looks for devices.  `play` reports a missing one."""
        threading.Thread(target=self._prepare, name="playback", daemon=True).start()

    def play(self, path: Path) -> None:
        """Play a sound from its start, instead of the one that is playing."""
        playback = _Playback(path)
        self._replace(playback)
        threading.Thread(target=self._run, args=(playback,), name="playback", daemon=True).start()

    def stop(self) -> None:
        self._replace(None)

    @property
    def playing(self) -> Playing | None:
        with self._lock:
            playback = self._current
        return playback.now() if playback is not None else None

    def _replace(self, playback: "_Playback | None") -> None:
        with self._lock:
            before, self._current = self._current, playback
        if before is not None:
            before.stop()

    def _run(self, playback: "_Playback") -> None:
        try:
            with self._output:
                if not playback.is_stopped:  # by another one, while this one waited for the output
                    self._play(playback)
        finally:
            with self._lock:
                if self._current is playback:
                    self._current = None

    def _prepare(self) -> None:
        with self._output, contextlib.suppress(Exception):  # `play` meets the same error, and reports it
            import sounddevice  # noqa: F401

    def _play(self, playback: "_Playback") -> None:
        path = printable(str(playback.path))
        try:
            import sounddevice
        except OSError:
            how = NO_PORTAUDIO.get(sys.platform, "install PortAudio")
            self._on_problem(f"No sound: PortAudio is missing; {how}. The file is {path}")
            return
        try:
            if self._has_failed:  # PortAudio lists devices once: have it look again
                with contextlib.suppress(sounddevice.PortAudioError):  # it may not have been initialised
                    sounddevice._terminate()
                sounddevice._initialize()
            playback.run(sounddevice)
            self._has_failed = False
        except sounddevice.PortAudioError as error:
            self._has_failed = True
            reason = str(error.args[0]).split(" [")[0] if error.args else "unknown"
            self._on_problem(
                f"No sound: this machine has no working sound output ({reason}); over SSH, copy the file to "
                f"yours with scp. The file is {path}"
            )
        except (OSError, EOFError, wave.Error) as error:
            reason = getattr(error, "strerror", None) or str(error) or "it is cut short"
            self._on_problem(f"Cannot play {path} ({reason}).")
        except Exception as error:  # this thread's end would be silence without a word
            logger.exception("playing failed")
            self._on_problem(f"Cannot play {path} ({type(error).__name__}: {error}).")


class _Playback:
    """One sound from its start to its end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._stopped = threading.Event()
        self._started_s = 0.0
        self._duration_s = 0.0

    def stop(self) -> None:
        self._stopped.set()

    @property
    def is_stopped(self) -> bool:
        return self._stopped.is_set()

    def now(self) -> Playing:
        position_s = time.monotonic() - self._started_s if self._started_s else 0.0
        return Playing(self.path, min(max(0.0, position_s), self._duration_s), self._duration_s)

    def run(self, sounddevice: Any) -> None:
        """Write the sound to the default output in short blocks, until its end or `stop`.

        Previews are PCM-16 WAV.  Raises OSError, EOFError and wave.Error for any other file.
        """
        with _open_regular(self.path) as file, wave.open(file) as sound:
            sample_rate = sound.getframerate()
            if sound.getsampwidth() != PCM_16_BYTES:
                raise wave.Error("it is not a preview")
            self._duration_s = sound.getnframes() / sample_rate
            with sounddevice.RawOutputStream(
                samplerate=sample_rate, channels=sound.getnchannels(), dtype="int16", latency=LATENCY_S
            ) as stream:
                self._started_s = time.monotonic() + stream.latency
                frames = 0
                while block := sound.readframes(round(BLOCK_S * sample_rate)):
                    if self.is_stopped:
                        stream.abort()
                        return
                    stream.write(block)
                    frames += len(block) // (PCM_16_BYTES * sound.getnchannels())
                self._duration_s = frames / sample_rate  # whatever the header says
                self._wait_for_end(stream)

    def _wait_for_end(self, stream: Any) -> None:
        """Let the buffered rest play, unless it is stopped."""
        left_s = self._started_s + self._duration_s - time.monotonic()
        if self._stopped.wait(max(0.0, left_s)):
            stream.abort()
        else:
            stream.stop()


def _open_regular(path: Path) -> BinaryIO:
    """Open a file to read.  Raises OSError, also for a pipe or a device, which could block or never end."""
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb")
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "it is not a regular file")
    return file
