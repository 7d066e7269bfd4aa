"""Playing through this machine's sound card with sounddevice (PortAudio)."""

import contextlib
import logging
import sys
import threading
import time
import wave
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.text import printable
from sda_tui.playback.player import Playing, Problem
from sda_tui.playback.wav import open_wav

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

logger = logging.getLogger(__name__)

NAME = "sound card"
BLOCK_S = 0.02  # the longest delay of a stop; each block is one call, which releases the interpreter
LATENCY_S = 0.08  # of sound ahead, for when the interpreter is busy; also the delay after a keypress
LEAST_PAUSE_S = 0.5  # silence around a sound that is resampled, so that its end does not run into its start
NO_PORTAUDIO = {
    "linux": "install PortAudio with `sudo apt install libportaudio2` (Debian, Ubuntu), "
    "`sudo dnf install portaudio` (Fedora) or `sudo pacman -S portaudio` (Arch)",
    "darwin": "reinstall the Python package sounddevice, which brings PortAudio along",
}


@dataclass(frozen=True)
class Device:
    """An output that PortAudio lists; `name` is its own with that of the system behind it."""

    name: str
    is_default: bool


class PortAudioPlayer:
    """Opens an output for each sound, on a thread of its own: `device`, or the default one if that is empty.

    `on_problem` is called on that thread when a sound cannot be played.
    """

    def __init__(self, on_problem: Callable[[Problem], object], device: str = "") -> None:
        self.device = device
        self._on_problem = on_problem
        self._lock = threading.Lock()
        self._output = (
            threading.Lock()
        )  # PortAudio aborts the process if two threads start or stop it at once
        self._current: _Playback | None = None
        self._has_failed = False

    @property
    def name(self) -> str:
        return NAME

    def probe(self) -> str:
        try:
            return "" if self.devices() else "this machine has no sound output"
        except OSError:
            return f"PortAudio is missing; {NO_PORTAUDIO.get(sys.platform, 'install PortAudio')}"
        except Exception as error:  # whatever a driver does
            return printable(f"PortAudio fails ({error})")

    def devices(self) -> list[Device]:
        """The outputs there are now; blocks.  Raises OSError without PortAudio, and PortAudioError."""
        with self._output:
            import sounddevice

            if self.playing is None:  # PortAudio lists devices once: have it look again
                _restart(sounddevice)
            default = sounddevice.default.device[1]
            return [
                Device(_name_of(sounddevice, device), device["index"] == default)
                for device in sounddevice.query_devices()
                if device["max_output_channels"] > 0
            ]

    def play(self, path: Path, is_switch: bool = False) -> None:
        before = self.playing
        playback = _Playback(path, before.position_s if before and is_switch else 0.0)
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

    def _play(self, playback: "_Playback") -> None:
        path = printable(str(playback.path))
        try:
            import sounddevice
        except OSError:
            how = NO_PORTAUDIO.get(sys.platform, "install PortAudio")
            self._report(f"PortAudio is missing; {how}.")
            return
        try:
            if self._has_failed:
                _restart(sounddevice)
            playback.run(sounddevice, _find(sounddevice, self.device))
            self._has_failed = False
        except sounddevice.PortAudioError as error:
            self._has_failed = True
            reason = str(error.args[0]).split(" [")[0] if error.args else "unknown"
            what = f"the output {printable(self.device)}" if self.device else "this machine"
            lacks = "does not work" if self.device else "has no working sound output"
            self._report(f"{what[0].upper()}{what[1:]} {lacks} ({printable(reason)}).")
        except (OSError, EOFError, wave.Error) as error:
            reason = getattr(error, "strerror", None) or str(error) or "it is cut short"
            self._report(f"Cannot play {path} ({reason}).", is_of_player=False)
        except Exception as error:  # this thread's end would be silence without a word
            logger.exception("playing failed")
            self._report(f"Cannot play {path} ({type(error).__name__}: {error}).", is_of_player=False)

    def _report(self, message: str, is_of_player: bool = True) -> None:
        self._on_problem(Problem(NAME, message, is_of_player))


class _Playback:
    """One sound from a position in it to its end."""

    def __init__(self, path: Path, begin_s: float) -> None:
        self.path = path
        self._begin_s = begin_s
        self._stopped = threading.Event()
        self._started_s = 0.0  # when its first sample is sounded, or would have been
        self._duration_s = 0.0

    def stop(self) -> None:
        self._stopped.set()

    @property
    def is_stopped(self) -> bool:
        return self._stopped.is_set()

    def now(self) -> Playing:
        position_s = time.monotonic() - self._started_s if self._started_s else self._begin_s
        return Playing(self.path, min(max(0.0, position_s), self._duration_s), self._duration_s)

    def run(self, sounddevice: Any, device: int | None) -> None:
        """Write the sound to an output in short blocks, until its end or `stop`.

        Raises OSError, EOFError and wave.Error for what is no preview, PortAudioError.
        """
        with open_wav(self.path) as sound:
            rate = sound.getframerate()
            data = _samples(sound)
        self._duration_s = len(data) / rate
        begin_s = self._begin_s if self._begin_s < self._duration_s else 0.0
        data, rate = _fit(sounddevice, device, data, rate)
        with sounddevice.OutputStream(
            samplerate=rate, device=device, channels=data.shape[1], dtype="int16", latency=LATENCY_S
        ) as stream:
            self._started_s = time.monotonic() + stream.latency - begin_s
            block = round(BLOCK_S * rate)
            for at in range(round(begin_s * rate), len(data), block):
                if self.is_stopped:
                    stream.abort()
                    return
                stream.write(data[at : at + block])
            self._wait_for_end(stream)

    def _wait_for_end(self, stream: Any) -> None:
        """Let the buffered rest play, unless it is stopped."""
        left_s = self._started_s + self._duration_s - time.monotonic()
        if self._stopped.wait(max(0.0, left_s)):
            stream.abort()
        else:
            stream.stop()


def _samples(sound: wave.Wave_read) -> "npt.NDArray[np.int16]":
    """All samples [frames, channels]; of a file that is cut short, those that there are."""
    import numpy as np

    channels = sound.getnchannels()
    data = sound.readframes(sound.getnframes())
    frames = len(data) // (2 * channels)
    return np.frombuffer(data, "<i2", frames * channels).reshape(frames, channels).astype(np.int16)


def _fit(
    sounddevice: Any, device: int | None, data: "npt.NDArray[np.int16]", rate: int
) -> "tuple[npt.NDArray[np.int16], int]":
    """The samples as the device takes them: many take one rate and two channels alone."""
    try:
        sounddevice.check_output_settings(device, data.shape[1], "int16", samplerate=rate)
    except sounddevice.PortAudioError:
        described = sounddevice.query_devices(device, "output")
        device_rate = round(described["default_samplerate"])
        channels = min(2, described["max_output_channels"]) if data.shape[1] <= 2 else data.shape[1]
        return resample(spread(data, channels), rate, device_rate), device_rate
    return data, rate


def spread(data: "npt.NDArray[np.int16]", channels: int) -> "npt.NDArray[np.int16]":
    """Mono to so many channels, or stereo to one; other samples [frames, channels] stay as they are."""
    import numpy as np

    if data.shape[1] == 2 and channels == 1:
        mixed: npt.NDArray[np.int16] = np.rint(data.mean(1, keepdims=True)).astype(np.int16)
        return mixed
    return np.repeat(data, channels, axis=1) if data.shape[1] == 1 else data


def resample(data: "npt.NDArray[np.int16]", rate: int, new_rate: int) -> "npt.NDArray[np.int16]":
    """Samples [frames, channels] at another rate, exact below the lower Nyquist frequency (by FFT)."""
    import numpy as np

    if rate == new_rate or not len(data):
        return data
    pause = round(LEAST_PAUSE_S * rate)
    seconds = -(-(len(data) + pause) // rate)  # whole seconds, so that both lengths are whole samples
    spectrum = np.fft.rfft(data.astype(np.float64), seconds * rate, axis=0)
    kept = min(len(spectrum), seconds * new_rate // 2 + 1)
    long = np.fft.irfft(spectrum[:kept], seconds * new_rate, axis=0) * (new_rate / rate)
    frames = round(len(data) * new_rate / rate)
    limits = np.iinfo(np.int16)
    return np.rint(long[:frames]).clip(limits.min, limits.max).astype(np.int16)


def _restart(sounddevice: Any) -> None:
    """Have PortAudio look for devices again.  sounddevice has no public way."""
    with contextlib.suppress(sounddevice.PortAudioError):  # it may not have been initialised
        sounddevice._terminate()
    sounddevice._initialize()


def _name_of(sounddevice: Any, device: Any) -> str:
    system = sounddevice.query_hostapis(device["hostapi"])["name"]
    return printable(f"{device['name']} ({system})")


def _find(sounddevice: Any, name: str) -> int | None:
    """The number of an output by its name; None for the default one.  Raises PortAudioError if it is gone."""
    if not name:
        return None
    for device in sounddevice.query_devices():
        if device["max_output_channels"] > 0 and _name_of(sounddevice, device) == name:
            return int(device["index"])
    raise sounddevice.PortAudioError("it is not there")
