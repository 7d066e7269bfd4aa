"""Playback: a keypress in the app, recorded from the monitor of a real sound server's sink."""

import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.runs import RunDirectory, summarise
from sda_tui.playback import PROGRAMS, PortAudioPlayer, Problem, ProgramPlayer
from sda_tui.playback.portaudio import resample
from sda_tui.playback.program import Program
from tests.conftest import MakeRun, need
from tests.sounds import wav_that_hangs_libsndfile, write_tone
from tests.terminal import Terminal

SINK = "sda_test"
SAMPLE_RATE = 48_000


class SoundServer(dict[str, str]):
    """The environment in which a sound server is found, and its process."""

    process: "subprocess.Popen[bytes]"


@pytest.fixture
def sound_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SoundServer]:
    """PulseAudio with a null sink as the default output."""
    need(shutil.which("pulseaudio") is not None, "PulseAudio")
    need(shutil.which("parec") is not None, "pulseaudio-utils")
    home = tmp_path_factory.mktemp("home")
    runtime = home / "runtime"
    runtime.mkdir(mode=0o700)
    (home / ".asoundrc").write_text("pcm.!default pulse\nctl.!default pulse\n")
    environment = SoundServer(HOME=str(home), XDG_RUNTIME_DIR=str(runtime))
    environment.process = server = subprocess.Popen(
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


PLAYS = "▶☆ original"  # the line of the list


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
        for _ in range(3):  # on a busy machine the sink drops a block now and then
            terminal.press("right")
            terminal.wait_until(lambda: PLAYS in terminal.text, "the mark of what plays")
            terminal.wait_until(lambda: PLAYS not in terminal.text, "the mark goes when the sound is over")
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
    player = PortAudioPlayer(lambda problem: problems.append(problem.message))
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


def test_an_output_that_goes_away_while_it_plays_is_reported(
    player: tuple[PortAudioPlayer, list[str]], sound_server: SoundServer, tmp_path: Path
) -> None:
    """As when a USB device is unplugged.  The next sound finds no output, and that is reported too."""
    plays, problems = player
    path = write_tone(tmp_path / "a.wav", 440.0, 8.0)
    plays.play(path)
    deadline_s = time.monotonic() + 20
    while (now := plays.playing) is None or now.position_s < 0.5:
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    sound_server.process.kill()
    sound_server.process.wait()
    wait_until_silent(plays)
    plays.play(path)
    wait_until_silent(plays)
    assert problems
    assert "no working sound output" in problems[-1]


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


def test_without_a_sound_card_the_page_is_offered_once_and_all_else_works(
    start: Callable[..., AbstractContextManager[Terminal]], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    with start(HOME=str(home), XDG_RUNTIME_DIR=str(home)) as terminal:
        terminal.press("right")
        terminal.wait_for("Listen on your own computer", "ssh -N -L", "?token=", "Waiting for the page")
        assert b"ALSA lib" not in terminal.output
        terminal.press("escape")
        terminal.wait_until(lambda: "ssh -N" not in terminal.text, "the offer is closed")
        terminal.press("right", "down")
        step = last_step(tmp_path)
        terminal.wait_until(lambda: last_step(tmp_path) > step, "training continues")
        assert "No page is open to play it; l shows how" in terminal.text
        assert "ssh -N" not in terminal.text


def test_a_b_continues_at_the_same_position(
    player: tuple[PortAudioPlayer, list[str]], tmp_path: Path
) -> None:
    plays, problems = player
    first, second = (write_tone(tmp_path / f"{name}.wav", 440.0, 30.0) for name in "ab")
    plays.play(first)
    deadline_s = time.monotonic() + 20
    while (now := plays.playing) is None or now.position_s < 0.5:
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    plays.play(second, is_switch=True)
    now = plays.playing
    assert now is not None
    assert now.path == second
    deadline_s = time.monotonic() + 20
    while (now := plays.playing) is None or now.duration_s == 0:
        assert time.monotonic() < deadline_s
        time.sleep(0.02)
    assert 0.4 < now.position_s < 5
    plays.stop()
    assert problems == []


def test_devices_are_listed_and_one_that_is_gone_is_named(
    player: tuple[PortAudioPlayer, list[str]], tmp_path: Path
) -> None:
    plays, problems = player
    names = [device.name for device in plays.devices()]
    assert any("pulse" in name for name in names)
    assert [device.is_default for device in plays.devices()].count(True) <= 1
    assert plays.probe() == ""
    path = write_tone(tmp_path / "a.wav", 440.0, 0.3)
    plays.device = next(name for name in names if "pulse" in name)
    plays.play(path)
    wait_until_silent(plays)
    assert problems == []
    plays.device = "Interface (ALSA)"
    plays.play(path)
    wait_until_silent(plays)
    assert problems == ["The output Interface (ALSA) does not work (it is not there)."]


class OneRateDevice:
    """sounddevice, of a machine whose output takes 44 100 Hz and two channels alone."""

    class PortAudioError(Exception):
        pass

    def __init__(self) -> None:
        self.written: list[np.ndarray] = []
        self.latency = 0.0

    def check_output_settings(self, device: object, channels: int, dtype: str, samplerate: int) -> None:
        if (channels, samplerate) != (2, 44_100):
            raise self.PortAudioError("Invalid sample rate")

    def query_devices(self, device: object, kind: str) -> dict[str, float]:
        return {"default_samplerate": 44_100.0, "max_output_channels": 2}

    def OutputStream(self, **settings: object) -> "OneRateDevice":
        assert (settings["samplerate"], settings["channels"]) == (44_100, 2)
        return self

    def __enter__(self) -> "OneRateDevice":
        return self

    def __exit__(self, *_: object) -> None: ...

    def write(self, block: np.ndarray) -> None:
        self.written.append(block)

    def stop(self) -> None: ...


def test_a_sound_is_converted_to_what_the_device_takes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    device = OneRateDevice()
    monkeypatch.setitem(sys.modules, "sounddevice", device)
    path = tmp_path / "a.wav"
    soundfile.write(
        path, 0.5 * np.sin(2 * np.pi * 440.0 * np.arange(4800) / 48_000), 48_000, subtype="PCM_16"
    )
    problems: list[Problem] = []
    player = PortAudioPlayer(problems.append)
    player.play(path)
    wait_until_silent(player)
    assert problems == []
    played = np.concatenate(device.written)
    assert played.shape == (4410, 2)
    assert (played[:, 0] == played[:, 1]).all()
    expected = np.sin(2 * np.pi * 440.0 * np.arange(4410) / 44_100)
    assert np.corrcoef(played[400:-400, 0], expected[400:-400])[0, 1] > 0.999


@pytest.mark.parametrize(
    ("rate", "new_rate"), [(48_000, 44_100), (44_100, 48_000), (48_000, 96_000), (48_000, 8000)]
)
def test_resampling_keeps_a_tone(rate: int, new_rate: int) -> None:
    samples = np.round(10_000 * np.sin(2 * np.pi * 1000 * np.arange(rate) / rate)).astype(np.int16)[:, None]
    again = resample(samples, rate, new_rate)
    assert again.shape == (new_rate, 1)
    expected = 10_000 * np.sin(2 * np.pi * 1000 * np.arange(new_rate) / new_rate)
    middle = slice(new_rate // 10, -new_rate // 10)
    assert np.abs(again[middle, 0] - expected[middle]).max() < 30


@pytest.mark.parametrize("name", ["paplay", "ffplay", "aplay"])
def test_a_program_of_the_system_plays(
    name: str, sound_server: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for variable, value in sound_server.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("SDL_AUDIODRIVER", "pulseaudio")
    need(shutil.which(name) is not None, name)
    problems: list[Problem] = []
    player = ProgramPlayer(next(each for each in PROGRAMS if each.name == name), problems.append)
    assert player.probe() == ""
    path = write_tone(tmp_path / "a.wav", 440.0, 1.0)
    recording = Recording(sound_server, tmp_path / "recorded")
    recording.wait_for_start()
    player.play(path)
    now = player.playing
    assert now is not None
    assert (now.path, now.duration_s) == (path, 1.0)
    deadline_s = time.monotonic() + 20
    while player.playing is not None:
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    time.sleep(0.3)
    recorded, played = recording.stop(), soundfile.read(path)[0]
    assert problems == []
    assert correlation_after_alignment(recorded, played) > 0.9


def test_a_program_that_finds_no_server_is_reported_and_one_that_is_missing_too(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    need(shutil.which("paplay") is not None, "pulseaudio-utils")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    problems: list[Problem] = []
    player = ProgramPlayer(Program("paplay", (), "pulse"), problems.append)
    assert player.probe() == "it finds no sound server and no sound card"
    player.play(write_tone(tmp_path / "a.wav"))
    deadline_s = time.monotonic() + 20
    while not problems:
        assert time.monotonic() < deadline_s
        time.sleep(0.05)
    assert problems[0].is_of_player
    assert problems[0].message.startswith("paplay could not play (")
    absent = ProgramPlayer(Program("no-such-player", (), "any"), problems.append)
    assert absent.probe() == "it is not installed"
    player.play(tmp_path / "gone.wav")
    assert not problems[-1].is_of_player
    assert "gone.wav" in problems[-1].message


def test_a_program_is_stopped(
    sound_server: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for variable, value in sound_server.items():
        monkeypatch.setenv(variable, value)
    problems: list[Problem] = []
    player = ProgramPlayer(Program("paplay", (), "pulse"), problems.append)
    player.play(write_tone(tmp_path / "a.wav", 440.0, 30.0))
    assert player.playing is not None
    player.stop()
    assert player.playing is None
    time.sleep(0.3)
    assert problems == []


def test_without_portaudio_the_package_to_install_is_named(
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
    problems: list[Problem] = []
    player = PortAudioPlayer(problems.append)
    player.play(write_tone(tmp_path / "a.wav"))
    wait_until_silent(player)
    assert problems[0].is_of_player
    for message in (problems[0].message, player.probe()):
        assert "PortAudio is missing; install PortAudio with `sudo apt install libportaudio2`" in message
