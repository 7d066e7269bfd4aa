"""Signals that `train` and `resume` get, at once and later."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from core.events import RunState
from core.runs import RunDirectory, summarise
from sda_tui.headless.signals import STOP_SIGNALS
from tests.conftest import MakeRun
from tests.training import newest_state

PATIENCE_S = 120.0
ROOT = Path(__file__).parents[2]

# Installs handlers as the program does, says so, and then loads for ever.
LOADING = """
import sys, time
from unittest import mock
from sda_tui import cli
def load(_):
    print("loading", flush=True)
    while True:
        time.sleep(0.02)
with mock.patch.object(cli, "_train", load):
    raise SystemExit(cli.main(["train", "."]))
"""

# The program, which says when its handlers are there.
ANNOUNCING = """
import sys
from sda_tui import cli
from sda_tui.headless.signals import StopOnSignal
enter = StopOnSignal.__enter__
def announce(self):
    entered = enter(self)
    print("ready", flush=True)
    return entered
StopOnSignal.__enter__ = announce
raise SystemExit(cli.main(sys.argv[1:]))
"""


Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts Python in an empty folder; what still runs at the end of a test that failed is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(*command: str | Path) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, *map(str, command)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "SDA_RUNS": str(tmp_path / "runs")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def test_lost_terminal_while_everything_loads_ends_nothing(start: Start) -> None:
    process = start("-c", LOADING)
    assert process.stdout is not None
    assert process.stdout.readline() == "loading\n"
    process.send_signal(signal.SIGHUP)
    process.send_signal(signal.SIGHUP)
    time.sleep(0.2)
    assert process.poll() is None
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 130
    assert process.communicate()[1] == ""


@pytest.mark.parametrize("command", ["train", "resume"])
def test_lost_terminal_in_the_first_moments_lets_the_run_train(
    make_run: MakeRun, start: Start, sounds: Path, tmp_path: Path, command: str
) -> None:
    """SIGHUP again and again, from the moment on that the program is there until the run trains."""
    run = make_run("run") if command == "resume" else RunDirectory(tmp_path / "runs" / "run")
    settings = ("--set", "epochs=1", "--set", "chunk_duration_s=0.25", "--set", "width=8", "--device", "cpu")
    arguments = ("resume", "run") if command == "resume" else ("train", sounds, "--name", "run", *settings)
    process = start("-c", ANNOUNCING, *arguments)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    while process.poll() is None and not (run.events.exists() and '"training"' in run.events.read_text()):
        process.send_signal(signal.SIGHUP)
        time.sleep(0.05)
    assert process.wait(PATIENCE_S) == 0
    assert summarise(run).state is RunState.FINISHED


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGXCPU])
def test_signal_whose_default_is_to_end_the_process_saves_first(
    make_run: MakeRun, start: Start, number: int
) -> None:
    run = make_run("run", epochs=10_000)
    process = start("-m", "sda_tui", "resume", run.path)
    wait_until(lambda: '"event":"step"' in run.events.read_text())
    process.send_signal(number)
    assert process.wait(PATIENCE_S) == 130
    summary = summarise(run)
    assert summary.state is RunState.CANCELLED
    assert newest_state(run)["step"] == summary.step > 0


def test_every_signal_that_would_end_the_process_is_handled() -> None:
    left_alone = {
        *"KILL STOP CHLD CONT TSTP TTIN TTOU URG WINCH".split(),  # cannot be handled, or end nothing
        *"ABRT BUS FPE ILL SEGV SYS TRAP".split(),  # errors in the process
        *"PIPE XFSZ HUP".split(),  # ignored by Python; the last is handled in its own way
    }
    names = {number.name.removeprefix("SIG") for number in signal.Signals if number not in STOP_SIGNALS}
    assert names - {"EMT", "INFO"} <= left_alone  # which macOS has
