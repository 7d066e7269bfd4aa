"""Playback: a keypress in the app, recorded from the monitor of a real sound server's sink."""

import os
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.runs import RunDirectory, summarise
from sda_tui.playback import PortAudioPlayer
from tests.conftest import MakeRun, need
from tests.sounds import wav_that_hangs_libsndfile, write_tone
from tests.terminal import Terminal

SINK = "sda_test"
SAMPLE_RATE = 48_000


@pytest.fixture
def sound_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """PulseAudio with a null sink as the default output; the environment in which it is found."""
    need(shutil.which("pulseaudio") is not None, "PulseAudio")
    need(shutil.which("parec") is not None, "pulseaudio-utils")
    home = tmp_path_factory.mktemp("home")
    runtime = home / "runtime"
    runtime.mkdir(mode=0o700)
    (home / ".asoundrc").write_text("pcm.!default pulse\nctl.!default pulse\n")
    environment = {"HOME": str(home), "XDG_RUNTIME_DIR": str(runtime)}
    server = subprocess.Popen(
        [
            "pulseaudio",
            "-n",
            "--daemonize=no",
            "--exit-idle-time=-1",
            "--load=module-native-protocol-unix",
            f"--load=module-null-sink sink_name={SINK} rate={SAMPLE_RATE}",
        ],
        env={**os.environ, **environment},
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline_s = time.monotonic() + 20
        while SINK not in _run(environment, "pactl", "list", "short", "sinks"):
            assert time.monotonic() < deadline_s, "PulseAudio did not start"
            time.sleep(0.1)
        yield environment
    finally:
        server.terminate()
        server.wait()


def _run(environment: dict[str, str], *command: str) -> str:
    done = subprocess.run(
        command, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    return done.stdout


class Recording:
    """The sound at the monitor of the sink."""

    def __init__(self, environment: dict[str, str], path: Path) -> None:
        self._path = path
        self._file = path.open("wb")
        self._process = subprocess.Popen(
            [
                "parec",
                f"--device={SINK}.monitor",
                "--format=float32le",
                "--channels=1",
                f"--rate={SAMPLE_RATE}",
                "--latency-msec=20",  # the sink too then works in short blocks, as a sound card does
            ],
            env={**os.environ, **environment},
            stdout=self._file,
        )

    def wait_for_start(self) -> None:
        while self._path.stat().st_size == 0:
            time.sleep(0.05)

    def stop(self) -> np.ndarray:
        self._process.terminate()
        self._process.wait()
        self._file.close()
        data = self._path.read_bytes()
        return np.frombuffer(data[: len(data) // 4 * 4], np.float32)


def correlation_after_alignment(recorded: np.ndarray, played: np.ndarray) -> float:
    """The highest normalised correlation of `played` with any equally long stretch of `recorded`."""
    size = 1 << (len(recorded) + len(played)).bit_length()
    spectrum = np.fft.rfft(recorded, size) * np.conj(np.fft.rfft(played, size))
    products = np.fft.irfft(spectrum, size)[: len(recorded) - len(played) + 1]
    power = np.cumsum(np.concatenate([[0.0], recorded.astype(float) ** 2]))
    norms = np.sqrt(np.maximum(power[len(played) :] - power[: -len(played)], 1e-12))
    return float(np.max(products / norms) / np.linalg.norm(played))


@pytest.fixture
def start(make_run: MakeRun, tmp_path: Path) -> Callable[..., AbstractContextManager[Terminal]]:
    """Opens the app on a run that keeps training, with the previews of the untrained model."""

    @contextmanager
    def opened(**environment: str) -> Iterator[Terminal]:
        make_run("tones", epochs=5000, preview_interval=5000)
        with Terminal(cwd=tmp_path, **environment) as terminal:
            terminal.wait_for("choose a folder of sounds")
            terminal.press("r")
            terminal.wait_for("tones", "Continue")
            terminal.press("n")
            terminal.wait_for("▶ training", "epoch-0000-reconstruction.wav")
            yield terminal
            terminal.press("q")
            terminal.wait_for("Stop and save")
            terminal.press("x")
            assert terminal.wait_for_exit() == 0

    return opened


def test_a_keypress_is_heard(
    start: Callable[..., AbstractContextManager[Terminal]], sound_server: dict[str, str], tmp_path: Path
) -> None:
    with start(**sound_server) as terminal:
        recording = Recording(sound_server, tmp_path / "recorded")
        recording.wait_for_start()
        terminal.press("up", "up")
        terminal.wait_for("original.wav")
        terminal.press("right")
        terminal.wait_for("▶ original")
        terminal.wait_until(lambda: "▶ original" not in terminal.text, "the mark goes when the sound is over")
        time.sleep(0.3)
        recorded = recording.stop()
    played, sample_rate = soundfile.read(tmp_path / "runs" / "tones" / "previews" / "original.wav")
    assert sample_rate == SAMPLE_RATE
    assert correlation_after_alignment(recorded, played) > 0.95


def last_step(folder: Path) -> int:
    return summarise(RunDirectory(folder / "runs" / "tones")).step


@pytest.fixture
def player(
    sound_server: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[PortAudioPlayer, list[str]]]:
    for name, value in sound_server.items():
        monkeypatch.setenv(name, value)
    import sounddevice

    with suppress(sounddevice.PortAudioError):
        sounddevice._terminate()
    sounddevice._initialize()
    problems: list[str] = []
    player = PortAudioPlayer(problems.append)
    yield player, problems
    player.stop()
    for thread in threading.enumerate():
        if thread.name == "playback":
            thread.join()


def wait_until_silent(player: PortAudioPlayer) -> None:
    deadline_s = time.monotonic() + 20
    while player.playing is not None:
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


@pytest.mark.parametrize(("sample_rate", "channels"), [(48_000, 1), (44_100, 2), (22_050, 1)])
def test_any_wav_is_played_to_its_end(
    player: tuple[PortAudioPlayer, list[str]], tmp_path: Path, sample_rate: int, channels: int
) -> None:
    plays, problems = player
    path = write_tone(tmp_path / "a.wav", 440.0, 0.3, samplerate=sample_rate, channels=channels)
    plays.play(path)
    positions = []
    while (now := plays.playing) is not None:
        positions.append(now.position_s)
        assert now.path == path
        time.sleep(0.02)
    assert positions == sorted(positions)
    assert positions[-1] > 0.1
    assert problems == []


def test_a_new_sound_replaces_the_one_that_plays(
    player: tuple[PortAudioPlayer, list[str]], tmp_path: Path
) -> None:
    plays, problems = player
    first, second = (write_tone(tmp_path / f"{name}.wav", 440.0, 30.0) for name in "ab")
    plays.play(first)
    plays.play(second)
    now = plays.playing
    assert now is not None
    assert now.path == second
    plays.stop()
    wait_until_silent(plays)
    assert problems == []


def test_a_file_that_is_gone_is_reported(player: tuple[PortAudioPlayer, list[str]], tmp_path: Path) -> None:
    plays, problems = player
    plays.play(tmp_path / "gone.wav")
    wait_until_silent(plays)
    assert "Cannot play" in problems[0]
    assert "gone.wav" in problems[0]


def test_a_path_that_is_not_utf_8_is_played(
    player: tuple[PortAudioPlayer, list[str]], tmp_path: Path
) -> None:
    plays, problems = player
    folder = tmp_path / os.fsdecode(b"caf\xe9")
    folder.mkdir()
    plays.play(write_tone(tmp_path / "a.wav", 440.0, 0.3).rename(folder / "a.wav"))
    wait_until_silent(plays)
    assert problems == []


@pytest.mark.parametrize(
    "content", [b"", b"no sound", wav_that_hangs_libsndfile()[:60], b"RIFF\xff\xff\xff\xffWAVE"]
)
def test_what_cannot_be_played_is_reported_not_silent(
    player: tuple[PortAudioPlayer, list[str]], tmp_path: Path, content: bytes
) -> None:
    plays, problems = player
    path = tmp_path / os.fsdecode(b"bad\xe9.wav")
    path.write_bytes(content)
    plays.play(path)
    wait_until_silent(plays)
    assert problems[0].startswith("Cannot play")
    assert "bad\ufffd.wav" in problems[0]


def test_a_pipe_is_not_waited_for(player: tuple[PortAudioPlayer, list[str]], tmp_path: Path) -> None:
    plays, problems = player
    os.mkfifo(tmp_path / "pipe.wav")
    plays.play(tmp_path / "pipe.wav")
    wait_until_silent(plays)
    assert "not a regular file" in problems[0]


def test_without_a_sound_card_one_toast_reports_it_and_all_else_works(
    start: Callable[..., AbstractContextManager[Terminal]], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with start(HOME=str(home), XDG_RUNTIME_DIR=str(home)) as terminal:
        terminal.press("right")
        terminal.wait_for("No sound", "with scp. The file is")
        assert b"ALSA lib" not in terminal.output
        terminal.press("right", "down")
        step = last_step(tmp_path)
        terminal.wait_until(lambda: last_step(tmp_path) > step, "training continues")


def test_without_portaudio_the_toast_names_the_package_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As sounddevice fails where the library is not installed."""
    import builtins

    real_import = builtins.__import__

    def without_portaudio(name: str, *rest: object) -> object:
        if name == "sounddevice":
            raise OSError("PortAudio library not found")
        return real_import(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without_portaudio)
    problems: list[str] = []
    player = PortAudioPlayer(problems.append)
    path = write_tone(tmp_path / "a.wav")
    player.play(path)
    wait_until_silent(player)
    assert "PortAudio is missing; install PortAudio with `sudo apt install libportaudio2`" in problems[0]
    assert str(path) in problems[0]
