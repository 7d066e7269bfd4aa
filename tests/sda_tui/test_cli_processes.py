"""The commands as processes: signals, closed streams, poor terminals."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from core.checkpoints.archive import read_checkpoint
from sda_tui.cli import main
from tests.conftest import Command
from tests.sounds import write_tone
from tests.training import log_lines

QUICK = [
    part
    for setting in ("chunk_duration_s=0.25", "latent_dim=4", "width=8", "augmentation_expansion=1")
    for part in ("--set", setting)
]


@pytest.fixture
def training(sounds: Path, tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A long run in a process of its own, a few steps on."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sda_tui", "train", sounds, "--set", "epochs=5000", *QUICK, "--name", "long"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "SDA_RUNS": "runs"},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        wait_for_step(tmp_path, 5)
        yield process
    finally:
        process.kill()
        process.wait()


def last_step(tmp_path: Path) -> int:
    log = tmp_path / "runs" / "long" / "events.jsonl"
    lines = log.read_text().splitlines() if log.exists() else []
    return max((event["step"] for event in map(parse, lines) if event.get("event") == "step"), default=0)


def parse(line: str) -> dict[str, int]:
    try:
        return json.loads(line)
    except ValueError:  # still being written
        return {}


def wait_for_step(tmp_path: Path, step: int) -> None:
    for _ in range(1200):
        if last_step(tmp_path) >= step:
            return
        time.sleep(0.05)
    pytest.fail(f"step {step} did not come")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_one_signal_saves_at_the_exact_step_and_stops(
    training: "subprocess.Popen[str]", tmp_path: Path, number: int
) -> None:
    training.send_signal(number)
    _, stderr = training.communicate(timeout=90)
    assert training.returncode == 130
    assert "Stopped and saved at step" in stderr
    step = last_step(tmp_path)
    run = tmp_path / "runs" / "long"
    assert read_checkpoint(run / "checkpoints" / f"step-{step:09}.pt")["step"] == step
    assert log_lines(run)[-1]["state"] == "cancelled"


def test_a_second_interrupt_stops_at_once(training: "subprocess.Popen[str]") -> None:
    training.send_signal(signal.SIGINT)
    training.send_signal(signal.SIGINT)
    assert training.wait(90) == 130


def test_under_nohup_the_output_continues(sounds: Path, tmp_path: Path) -> None:
    nohup = tmp_path / "nohup.out"
    with nohup.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "sda_tui", "train", sounds, "--set", "epochs=9", *QUICK, "--name", "long"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "SDA_RUNS": "runs"},
            stdout=output,
            stderr=output,
            preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN),
        )
        wait_for_step(tmp_path, 5)
        process.send_signal(signal.SIGHUP)
        assert process.wait(90) == 0
    assert "Finished after" in nohup.read_text()


def test_a_reader_that_closes_the_pipe_is_no_failure(sounds: Path, tmp_path: Path) -> None:
    command = f"'{sys.executable}' -m sda_tui scan '{sounds}' | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(
        ["bash", "-c", command],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (0, False)


def run_in_shell(line: str, *words: str | Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    """The program from a line of the shell, in which `"$@"` is the command."""
    return subprocess.run(
        ["bash", "-c", line, "bash", sys.executable, "-m", "sda_tui", *words],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&-", ">&- 2>&- <&-"])
@pytest.mark.parametrize("command", ["scan", "runs"])
def test_closed_streams_do_no_harm(sounds: Path, command: str, closed: str) -> None:
    done = run_in_shell(f'"$@" {closed}', *((command, sounds) if command == "scan" else (command,)))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout if ">" not in closed.replace("2>&-", "") else not done.stdout


def test_a_home_that_is_none_does_no_harm(sounds: Path) -> None:
    done = run_in_shell('"$@"', "scan", sounds, HOME="~nobody-here")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{sounds}: 8 files" in done.stdout


def test_too_little_memory_for_a_thread_is_said_in_one_line(
    sounds: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    assert main(["train", str(sounds)]) == 1
    assert capsys.readouterr().err.startswith("sda-tui: There is too little memory to begin")


def test_characters_that_the_terminal_lacks_do_no_harm(sounds: Path) -> None:
    write_tone(sounds / "Glöckchen 🔔.wav", 999.0)
    done = subprocess.run(
        [sys.executable, "-m", "sda_tui", "scan", sounds],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONIOENCODING": "latin-1"},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0
    assert "Glöckchen ?".encode("latin-1") in done.stdout


def test_training_survives_a_hang_up_and_keeps_its_lock(
    training: "subprocess.Popen[str]", sda_tui: Command, tmp_path: Path
) -> None:
    training.send_signal(signal.SIGHUP)
    wait_for_step(tmp_path, last_step(tmp_path) + 10)
    other = sda_tui("resume", "long")
    assert other.returncode == 1
    assert f"long is being trained by process {training.pid}" in other.stderr
    training.send_signal(signal.SIGTERM)
    assert training.wait(90) == 130
