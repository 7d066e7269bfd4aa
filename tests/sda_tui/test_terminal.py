"""The app in a real terminal: the whole path, and the ways in which a terminal is left."""

import json
import os
import re
import signal
import time
from pathlib import Path

import psutil
import pytest

from core.checkpoints.archive import read_checkpoint
from core.runs import RunDirectory, summarise
from tests.conftest import MakeRun
from tests.sounds import write_tone
from tests.terminal import PATIENCE_S, Terminal

RUN = Path("runs") / "sounds-001"
LEAVES_ALTERNATE_SCREEN = b"\x1b[?1049l"
STOPS_MOUSE = b"\x1b[?1000l"


def steps(run: Path) -> list[int]:
    """Steps in the log, its last line perhaps still being written."""
    lines = (run / "events.jsonl").read_text().splitlines() if (run / "events.jsonl").exists() else []
    found = []
    for line in lines:
        try:
            event = json.loads(line)
        except ValueError:
            continue
        if event["event"] == "step":
            found.append(event["step"])
    return found


def begin_training(terminal: Terminal) -> None:
    """Accept the folder and the suggested preset."""
    terminal.wait_for("Continue with these sounds", "Suggested preset")
    terminal.press("enter")
    terminal.wait_for("Start training")
    terminal.press("enter")
    terminal.wait_for("▶ training")


def start_training(terminal: Terminal) -> None:
    """The same, until the first epoch is over."""
    begin_training(terminal)
    terminal.wait_until(lambda: re.search(r"Best +\S+ @\d", terminal.text) is not None, "an epoch")


def test_the_whole_path_by_keys(sounds: Path, tmp_path: Path) -> None:
    run = tmp_path / RUN
    with Terminal(sounds, cwd=tmp_path, size=(80, 24)) as terminal:
        start_training(terminal)
        terminal.wait_for("Quality")
        terminal.press("3")
        terminal.wait_for("reconstruction")
        plot = terminal.text
        terminal.wait_until(lambda: terminal.text != plot, "movement on the screen")
        terminal.press("s")
        terminal.wait_for("Saved at step")
        (saved,) = (run / "checkpoints").glob("*-saved.pt")
        terminal.press("down")
        terminal.press("c")
        terminal.wait_for("Stop training?")
        terminal.press("y")
        terminal.wait_for("■ cancelled")
        terminal.press("q")
        assert terminal.wait_for_exit() == 0
        assert re.search(rb"\x1b\[0m\x1b\[[\d;]+m", terminal.output) is None, "styles are sent whole"
    done = steps(run)
    assert done == list(range(1, len(done) + 1))
    assert read_checkpoint(run / "checkpoints" / f"step-{done[-1]:09}.pt")["step"] == done[-1]
    with Terminal(cwd=tmp_path) as terminal:
        terminal.wait_for("Choose a folder of sounds")
        terminal.press("r")
        terminal.wait_for("sounds-001", "■ cancelled", f"step {done[-1]} of")
        terminal.press("n")
        terminal.wait_for("▶ training")
        terminal.wait_until(lambda: len(steps(run)) > len(done) + 5, "steps after the resume")
        terminal.press("q")
        terminal.wait_for("Stop and save")
        terminal.press("x")
        assert terminal.wait_for_exit() == 0
        terminal.wait_for("stopped and saved")
    done = steps(run)
    assert done == list(range(1, len(done) + 1))
    assert saved.exists()


@pytest.mark.parametrize(
    "environment",
    [{"NO_COLOR": "1"}, {"TERM": "screen-256color"}, {"TERM": "linux"}],
    ids=lambda each: "=".join(next(iter(each.items()))),
)
def test_plain_terminals_show_everything(sounds: Path, tmp_path: Path, environment: dict[str, str]) -> None:
    with Terminal(sounds, cwd=tmp_path, size=(80, 24), **environment) as terminal:
        terminal.wait_for("✓ used", "Suggested preset: conservative", "Continue with these sounds")
        terminal.press("enter")
        terminal.wait_for("★ suggested", "◉ Conservative", "Start training")
        terminal.press("ctrl+q")
        assert terminal.wait_for_exit() == 0
        assert ("38;2;" in terminal.output.decode(errors="replace")) is False


def test_what_decoders_write_does_not_reach_the_screen(sounds: Path, tmp_path: Path) -> None:
    path = write_tone(sounds / "cut.mp3", 440.0, 2.0)
    path.write_bytes(path.read_bytes()[:5000])
    with Terminal(sounds, cwd=tmp_path) as terminal:
        terminal.wait_for("Continue with these sounds", "cut.mp3")
        assert b"mpg123" not in terminal.output
        assert b"Illegal Audio" not in terminal.output
    logs = list((tmp_path / "xdg_state_home").rglob("app.log"))
    assert logs, "stray output has a place to go"


def test_sigterm_saves_and_gives_the_terminal_back(two_sounds: Path, tmp_path: Path) -> None:
    with Terminal(two_sounds, cwd=tmp_path) as terminal:
        start_training(terminal)
        terminal.process.send_signal(signal.SIGTERM)
        assert terminal.wait_for_exit() == 0
        terminal.wait_until(lambda: b"stopped and saved" in terminal.output, "the last words")
        assert terminal.output.rfind(LEAVES_ALTERNATE_SCREEN) > terminal.output.rfind(b"\x1b[?1049h")
        assert terminal.output.rfind(STOPS_MOUSE) > terminal.output.rfind(b"\x1b[?1000h")
    run = tmp_path / RUN
    assert read_checkpoint(run / "checkpoints" / f"step-{steps(run)[-1]:09}.pt")["step"] == steps(run)[-1]


def stop_what_trains(run: RunDirectory) -> None:
    """End a run that continued without its terminal."""
    holder = run.lock.holder()
    assert holder is not None
    process = psutil.Process(holder.pid)
    os.kill(holder.pid, signal.SIGTERM)
    psutil.wait_procs([process], timeout=PATIENCE_S)
    assert summarise(run).state == "cancelled"


def main_thread_s(process: psutil.Process) -> float:
    """CPU time of the thread that had the terminal."""
    (thread,) = (thread for thread in process.threads() if thread.id == process.pid)
    return float(thread.user_time + thread.system_time)


def is_idle(process: psutil.Process) -> bool:
    """Whether the thread that has the terminal does nothing at all; a dashboard does, twice a second."""
    before = main_thread_s(process)
    time.sleep(2)
    return main_thread_s(process) == before


def test_a_lost_connection_does_not_lose_the_run(sounds: Path, tmp_path: Path) -> None:
    """The run continues without spinning on the terminal that is gone, and two new ones attach to it."""
    run = RunDirectory(tmp_path / RUN)
    with Terminal(sounds, cwd=tmp_path) as terminal:
        start_training(terminal)
        terminal.hang_up()
        before = len(steps(run.path))
        terminal.wait_until(lambda: len(steps(run.path)) > before + 5, "steps without a terminal")
        holder = run.lock.holder()
        assert holder is not None
        trainer, before = psutil.Process(holder.pid), len(steps(run.path))
        terminal.wait_until(lambda: is_idle(trainer), "that nothing spins on the terminal")
        assert len(steps(run.path)) > before
        with (
            Terminal("attach", RUN.name, cwd=tmp_path) as attached,
            Terminal("attach", run.path, cwd=tmp_path, size=(80, 24)) as other,
        ):
            for each in (attached, other):
                each.wait_for("sounds-001", "▶ training")
                each.press("3")
                each.wait_for("reconstruction")
            attached.press("s")
            for each in (attached, other):
                each.wait_for("Saved at step")
            other.press("q")
            assert other.wait_for_exit() == 0
            attached.press("c")
            attached.wait_for("Stop training?")
            attached.press("y")
            attached.wait_for("■ cancelled")
            attached.press("q")
            assert attached.wait_for_exit() == 0
        assert psutil.wait_procs([trainer], timeout=PATIENCE_S)[0]
    assert list(run.checkpoints.glob("*-saved.pt"))
    assert summarise(run).state == "cancelled"
    done = steps(run.path)
    assert done == list(range(1, len(done) + 1))


def test_a_lost_terminal_is_noticed_without_sighup(sounds: Path, tmp_path: Path) -> None:
    """As below make: the leader of the session gets SIGHUP and waits for its child."""
    silent = ("/bin/sh", "-c", 'trap : HUP; "$@"; exit $?', "sh")
    with Terminal(sounds, cwd=tmp_path, leader=silent) as terminal:
        terminal.wait_for("Continue with these sounds")
        terminal.hang_up()
        assert terminal.wait_for_exit() == 0


def test_a_connection_that_stalls_and_ends_does_not_lose_the_run(two_sounds: Path, tmp_path: Path) -> None:
    """As when a laptop is closed: for minutes the terminal is not read, and then it goes away."""
    run = RunDirectory(tmp_path / RUN)
    with Terminal(two_sounds, cwd=tmp_path) as terminal:
        start_training(terminal)
        terminal.stall()
        holder = run.lock.holder()
        assert holder is not None
        trainer = psutil.Process(holder.pid)
        terminal.press(*["?", "escape"] * 10)  # fills the terminal's buffer sooner
        terminal.wait_until(lambda: is_idle(trainer), "a screen that waits for the terminal")
        before = len(steps(run.path))
        terminal.wait_until(lambda: len(steps(run.path)) > before + 5, "steps with nobody at the terminal")
        terminal.hang_up()
        stop_what_trains(run)


def test_training_continues_in_the_background_when_asked(two_sounds: Path, tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / RUN)
    with Terminal(two_sounds, cwd=tmp_path) as terminal:
        start_training(terminal)
        terminal.press("q")
        terminal.wait_for("Leave, and keep training?")
        terminal.press("enter")
        assert terminal.wait_for_exit() == 0
        terminal.wait_for("continues training as process")
        named = re.search(r"as process (\d+)", terminal.text)
        holder = run.lock.holder()
        assert named is not None
        assert holder is not None
        assert holder.pid == int(named[1])
        terminal.hang_up()
        before = len(steps(run.path))
        terminal.wait_until(lambda: len(steps(run.path)) > before + 5, "steps in the background")
        stop_what_trains(run)


def test_resume_asks_about_a_sound_that_is_gone(make_run: MakeRun, sounds: Path, tmp_path: Path) -> None:
    run = make_run()
    (sounds / "tone-3.wav").unlink()
    with Terminal("resume", run.path, cwd=tmp_path) as terminal:
        terminal.wait_for(
            "tone-3.wav", "gone or changed since the run began", "Continue with the sounds that are there?"
        )
        terminal.press("n", "enter")
        assert terminal.wait_for_exit() == 130
    assert not list(run.checkpoints.iterdir())
