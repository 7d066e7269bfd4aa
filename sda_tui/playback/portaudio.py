"""Playing through this machine's sound card with sounddevice (PortAudio)."""

import contextlib
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sda_tui.playback.player import Playing

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
            import soundfile  # noqa: F401

    def _play(self, playback: "_Playback") -> None:
        import soundfile  # not at the top: with numpy it takes a fifth of the time to the first paint

        try:
            import sounddevice
        except OSError:
            how = NO_PORTAUDIO.get(sys.platform, "install PortAudio")
            self._on_problem(f"No sound: PortAudio is missing; {how}. The file is {playback.path}")
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
                f"yours with scp. The file is {playback.path}"
            )
        except (OSError, soundfile.LibsndfileError) as error:
            self._on_problem(f"Cannot play {playback.path} ({error}).")


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
        """Write the sound to the default output in short blocks, until its end or `stop`."""
        import soundfile

        samples, sample_rate = soundfile.read(self.path, dtype="float32", always_2d=True)
        self._duration_s = len(samples) / sample_rate
        block = round(BLOCK_S * sample_rate)
        with sounddevice.OutputStream(
            samplerate=sample_rate, channels=samples.shape[1], dtype="float32", latency=LATENCY_S
        ) as stream:
            self._started_s = time.monotonic() + stream.latency
            for start in range(0, len(samples), block):
                if self.is_stopped:
                    stream.abort()
                    return
                stream.write(samples[start : start + block])
            self._wait_for_end(stream)

    def _wait_for_end(self, stream: Any) -> None:
        """Let the buffered rest play, unless it is stopped."""
        left_s = self._started_s + self._duration_s - time.monotonic()
        if self._stopped.wait(max(0.0, left_s)):
            stream.abort()
        else:
            stream.stop()
