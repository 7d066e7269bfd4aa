"""The terminal is given back and training continues, whatever ends the screen or the process."""

import os
import re
import signal
import sys
import time
from pathlib import Path

import psutil
import pytest

from core.runs import RunDirectory
from tests.sda_tui.test_terminal import RUN, begin_training, steps, stop_what_trains
from tests.terminal import Terminal

# What a user's shell would find: the exit status, the terminal's modes, and what would be typed into it.
SHELL = (
    "/bin/bash",
    "-c",
    '"$@"; echo "status $?"; stty -a; IFS= read -r -t 1 -n 99 rest; echo "typed <${rest@Q}>"; exit 0',
    "bash",
)
# As a person's shell, which does not end when the program was killed.
LASTING_SHELL = ("/bin/bash", "-c", '"$@"; echo "status $?"; exec sleep 600', "bash")
MOUSE_MOVES = b"\x1b[<35;12;7M" * 3
REPORTING = (1000, 1002, 1003, 1006, 1015, 1016, 1004, 2004, 2048)


def check_given_back(terminal: Terminal) -> None:
    """Main screen, cursor, no reports, line editing and echo; and nothing was typed into the shell."""
    terminal.wait_for("typed <''>")
    written = terminal.output
    for mode in REPORTING:
        assert written.rfind(b"\x1b[?%dl" % mode) >= written.rfind(b"\x1b[?%dh" % mode)
    assert written.rfind(b"\x1b[?1049l") > written.rfind(b"\x1b[?1049h")
    assert written.rfind(b"\x1b[?25h") > written.rfind(b"\x1b[?25l")
    assert written.rfind(b"\x1b[<u") > written.rfind(b"\x1b[>")
    shown = terminal.text
    for mode in ("icanon", "echo", "isig", "icrnl", "ixon"):
        assert re.search(rf"(?<![-\w]){mode}\b", shown), f"{mode} is off:\n{shown}"


def app_process(terminal: Terminal) -> psutil.Process:
    """The process that shows and trains: the child of the one that the shell waits for."""
    (program,) = psutil.Process(terminal.process.pid).children()
    (app,) = program.children()
    return app


def test_noise_on_the_line_is_ignored(tmp_path: Path) -> None:
    """Bytes that are no text, half a letter, broken sequences; and a key among them still counts."""
    with Terminal(cwd=tmp_path, leader=SHELL) as terminal:
        terminal.wait_for("Choose a folder of sounds")
        for noise in (b"\x84", b"\xff\xfe\x00", b"\xc3", b"\xe9t\xe9"):
            terminal.send(noise)
        for sequence in (b"\x1b[:u", b"\x1b[201:~", b"\x1b[99999920199999999999999P", b"\x1b[1999999u"):
            terminal.send(sequence)
            time.sleep(0.3)
        for _ in range(5):  # what a slow machine reads together with a broken sequence is lost with it
            terminal.send(b"\x84r\x84")
            if terminal.shows("No runs here yet", within_s=5):
                break
        else:
            pytest.fail(f"a key among noise did not count:\n{terminal.text}")
        terminal.press("escape")
        terminal.wait_for("Choose a folder of sounds")
        terminal.press("q")
        terminal.wait_for("status 0")
        check_given_back(terminal)


# Faults planted in the real program, which the key ? then meets.
FAULTS = {
    "message handler": """
SdaApp.action_help = lambda self: 1 / 0
""",
    "timer": """
SdaApp.action_help = lambda self: self.set_timer(0.01, lambda: 1 / 0)
""",
    "worker": """
SdaApp.action_help = lambda self: self.run_worker(lambda: 1 / 0, thread=True)
""",
    "compose": """
from sda_tui.screens.help import HelpScreen
HelpScreen.compose = lambda self: 1 / 0
""",
    "rendering": """
from sda_tui.screens.help import HelpScreen
HelpScreen.render = lambda self: 1 / 0
""",
    "input thread": """
from sda_tui.driver import TerminalDriver
original = TerminalDriver.process_message
def process(self, message):
    if getattr(message, "character", "") == "?": 1 / 0
    original(self, message)
TerminalDriver.process_message = process
""",
    "leaving": """
from sda_tui.driver import TerminalDriver
TerminalDriver.stop_application_mode = lambda self: 1 / 0
SdaApp.action_help = lambda self: self.panic()
""",
}


def planted(fault: str) -> tuple[str, ...]:
    """The program with a fault in it, below a shell."""
    main = "import sys; from sda_tui.cli import main; sys.exit(main(sys.argv[4:]))"
    return (*SHELL, sys.executable, "-c", f"from sda_tui.app import SdaApp{FAULTS[fault]}{main}")


def traceback_in_log(shown: str) -> str:
    log = re.search(r"the traceback is in (\S+)\.", shown)
    assert log is not None
    return Path(log[1]).read_text()


@pytest.mark.parametrize("fault", FAULTS)
def test_an_error_of_the_screen_gives_the_terminal_back(tmp_path: Path, fault: str) -> None:
    with Terminal(cwd=tmp_path, size=(200, 50), leader=planted(fault)) as terminal:
        terminal.wait_for("Choose a folder of sounds")
        terminal.press("?")
        terminal.wait_for("status 1")
        check_given_back(terminal)
        shown = terminal.unwrapped
        assert "Traceback" not in shown
        assert shown.count("The screen failed") == 1
        assert "ZeroDivisionError" in traceback_in_log(shown)


def test_an_error_of_the_screen_leaves_training_running(two_sounds: Path, tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / RUN)
    with Terminal(two_sounds, cwd=tmp_path, size=(200, 50), leader=planted("input thread")) as terminal:
        begin_training(terminal)
        terminal.press("?")
        terminal.wait_for("status 1")
        check_given_back(terminal)
        shown = terminal.unwrapped
        assert "Traceback" not in shown
        assert f"sounds-001 continues training as process {run.lock.holder().pid}" in shown  # type: ignore[union-attr]
        assert f"`sda-tui attach {run.path}` shows it again" in shown
        assert "ZeroDivisionError" in traceback_in_log(shown)
        terminal.hang_up()
        before = len(steps(run.path))
        terminal.wait_until(lambda: len(steps(run.path)) > before + 3, "steps in the background")
        stop_what_trains(run)


def test_a_killed_process_gives_the_terminal_back(two_sounds: Path, tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / RUN)
    with Terminal(two_sounds, cwd=tmp_path, size=(200, 50), leader=SHELL, sent_late=MOUSE_MOVES) as terminal:
        begin_training(terminal)
        app_process(terminal).send_signal(signal.SIGKILL)
        terminal.wait_for(f"status {128 + signal.SIGKILL}")
        check_given_back(terminal)
        shown = terminal.unwrapped
        assert "ended by SIGKILL" in shown
        assert f"while sounds-001 trained. Continue with `sda-tui resume {run.path}`." in shown


def test_a_process_killed_while_nothing_trains_names_no_run(tmp_path: Path) -> None:
    with Terminal(cwd=tmp_path, size=(200, 50), leader=SHELL) as terminal:
        terminal.wait_for("Choose a folder of sounds")
        app_process(terminal).kill()
        terminal.wait_for("status 137")
        check_given_back(terminal)
        assert "ended by SIGKILL" in terminal.text
        assert "resume" not in terminal.text


def test_training_survives_the_process_that_the_shell_waits_for(two_sounds: Path, tmp_path: Path) -> None:
    """The parent is killed: the shell has the terminal again, and the app does not fight for it."""
    run = RunDirectory(tmp_path / RUN)
    with Terminal(two_sounds, cwd=tmp_path, size=(200, 50), leader=LASTING_SHELL) as terminal:
        begin_training(terminal)
        app_process(terminal).parent().kill()  # type: ignore[union-attr]
        terminal.wait_for("continues training as process")
        before = len(steps(run.path))
        terminal.wait_until(lambda: len(steps(run.path)) > before + 3, "steps in the background")
        stop_what_trains(run)


@pytest.mark.parametrize("latency_s", [0.0, 0.2])
def test_mouse_reports_that_arrive_while_leaving_are_not_typed(tmp_path: Path, latency_s: float) -> None:
    with Terminal(cwd=tmp_path, leader=SHELL, latency_s=latency_s, sent_late=MOUSE_MOVES) as terminal:
        terminal.wait_for("Choose a folder of sounds")
        terminal.press("q")
        terminal.send(MOUSE_MOVES)
        terminal.wait_for("status 0")
        check_given_back(terminal)


def test_the_app_does_not_stop_with_its_job(tmp_path: Path) -> None:
    """Training would stop too; and after a stop that cannot be refused, each key still counts, once."""
    with Terminal(cwd=tmp_path) as terminal:
        terminal.wait_for("Choose a folder of sounds")
        for number in (signal.SIGTSTP, signal.SIGSTOP, signal.SIGCONT):
            os.killpg(terminal.process.pid, number)
        terminal.press("/")
        terminal.wait_for("^n Next")  # the field has the focus
        terminal.press("a", "b")
        terminal.wait_for("ab")
        terminal.press("c")
        terminal.wait_for("abc")
        terminal.press("ctrl+q")
        assert terminal.wait_for_exit() == 0
