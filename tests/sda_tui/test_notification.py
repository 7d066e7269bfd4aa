"""What the user is told when a run ends, and when a terminal is first used over SSH."""

import os
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from core.events import RunState, StateChanged
from core.runs import RunDirectory, summarise
from sda_tui.configuration.fields import WhenDone
from sda_tui.first_start import first_hint
from sda_tui.headless.going_back import GoingBack
from sda_tui.headless.train import resume_command
from sda_tui.notification import Notifier, RunEnd
from sda_tui.screens.dashboard import DashboardScreen
from sda_tui.session import Session
from tests.conftest import MakeRun
from tests.sda_tui.driving import running, toasts, until, write_run

REMOTE = {"SSH_CONNECTION": "1.2.3.4 5 6.7.8.9 22"}
HINT = "Training continues when this connection is lost: `sda-tui attach --runs /"
ALL = WhenDone(bell=True, terminal=True)
NOTE = "import os; print(*(os.environ[name] for name in ('SDA_RUN', 'SDA_STATE', 'SDA_MESSAGE')), sep='|')"


def note_to(path: Path) -> Notifier:
    """Appends what the command gets to a file."""
    command = f"{shlex.quote(sys.executable)} -c {shlex.quote(NOTE)} >> {shlex.quote(str(path))}"
    return Notifier(WhenDone(command=command))


def wait_until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def ending(message: str = "", state: RunState = RunState.FINISHED, path: Path = Path("/r/drums")) -> RunEnd:
    return RunEnd(RunDirectory(path), state, message)


def test_an_ending_is_told_in_one_line() -> None:
    assert ending().text == "drums has finished."
    stopped = "Stopped at epoch 61: no better epoch since 41."
    assert ending(stopped).text == f"drums has finished: {stopped}"
    assert ending("The disk\x1b[2J is\nfull.", RunState.FAILED).text == "drums failed: The disk�[2J is full."
    assert ending(state=RunState.CANCELLED).text == "drums was stopped."
    loading = StateChanged("loading", 0, 0, 10, 2)
    assert RunEnd.of(RunDirectory(Path("/r/drums")), loading) is None


def test_a_terminal_is_told_in_its_own_way() -> None:
    def told(options: WhenDone = ALL, message: str = "", **environment: str) -> str:
        return Notifier(options, environment).sequences(ending(message))

    both = "\x1b]9;drums has finished.\a\x1b]777;notify;sda-tui;drums has finished.\a"
    assert told() == f"\a{both}"
    assert told(WhenDone()) == ""
    assert told(WhenDone(bell=True), TMUX="x") == "\a"
    assert told(TERM="xterm-kitty") == "\a\x1b]777;notify;sda-tui;drums has finished.\a"
    assert told(TMUX="/tmp/tmux,1,0") == (
        "\a\x1bPtmux;\x1b\x1b]9;drums has finished.\a\x1b\\"
        "\x1bPtmux;\x1b\x1b]777;notify;sda-tui;drums has finished.\a\x1b\\"
    )
    assert told(STY="1.pts", TERM="xterm-kitty").startswith("\a\x1bP\x1b]777;")
    assert "a,b�" in told(message="a;b\x07"), "nothing in it ends the sequence"


@pytest.mark.slow
def test_the_users_command_gets_what_happened_and_its_failure_is_in_the_log(
    make_run: MakeRun, tmp_path: Path
) -> None:
    run, noted = make_run(), tmp_path / "noted"
    note_to(noted).run_command(ending("It is\nfull.", RunState.FAILED, run.path))
    wait_until(lambda: noted.exists() and noted.read_text() != "")
    assert noted.read_text() == f"{run.path}|failed|run failed: It is full.\n"
    Notifier(WhenDone(command="echo oops >&2; exit 3")).run_command(ending(path=run.path))
    wait_until(lambda: run.log.exists() and "status 3" in run.log.read_text())
    assert "oops\nThe command when done ended with status 3.\n" in run.log.read_text()
    started_s = time.monotonic()
    Notifier(WhenDone(command="exec sleep 30")).run_command(ending(path=run.path))
    assert time.monotonic() - started_s < 20, "it does not wait"
    Notifier(WhenDone(command="exit 0\0")).run_command(ending(path=run.path))
    assert "cannot be started" in run.log.read_text()
    note_to(noted).run_command(ending(path=Path("/nowhere/run")))  # whose log cannot be written
    wait_until(lambda: "/nowhere/run|finished" in noted.read_text())


@pytest.mark.slow
def test_a_run_that_the_user_stops_here_is_no_news(make_run: MakeRun, tmp_path: Path) -> None:
    noted = tmp_path / "noted"
    session = Session(tmp_path / "runs", notifier=note_to(noted))
    run = make_run(epochs=100)
    session.resume(run, "cpu")
    wait_until(lambda: session.last_state is not None and session.last_state.state == "training")
    session.cancel()
    assert session.wait(60)
    session.resume(run, "cpu")
    wait_until(lambda: session.last_state is not None and session.last_state.state == "training")
    run.requests.ask("cancel")  # as another process does
    assert session.wait(60)
    assert summarise(run).state is RunState.CANCELLED
    wait_until(lambda: noted.exists() and noted.read_text() != "")
    assert noted.read_text() == f"{run.path}|cancelled|run was stopped.\n"


@pytest.mark.slow
def test_training_without_a_screen_tells_unless_stopped_by_a_key(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    run, noted = make_run(epochs=100), tmp_path / "noted"
    monkeypatch.setattr("sda_tui.headless.train.notifier", lambda: note_to(noted))

    def send_once_it_trains(number: int, count: int) -> None:
        wait_until(lambda: run.events.read_text().count('"state":"training"') == count)
        os.kill(os.getpid(), number)

    for count, number in enumerate((signal.SIGINT, signal.SIGTERM), start=1):
        threading.Thread(target=send_once_it_trains, args=(number, count), daemon=True).start()
        assert resume_command(str(run.path), None, [], "cpu", None, GoingBack(None, False, None)) == 130
    wait_until(lambda: noted.exists() and noted.read_text() != "")
    assert noted.read_text() == f"{run.path}|cancelled|run was stopped.\n"
    assert capfd.readouterr().err.count("Stopped and saved") == 2


def test_the_hint_for_ssh_is_given_once() -> None:
    assert first_hint(Path("/r"), {}) == ""
    assert first_hint(Path("/r"), {**REMOTE, "TMUX": "x"}) == ""
    assert first_hint(Path("/r"), REMOTE).startswith(HINT)
    assert first_hint(Path("/r"), REMOTE) == ""


def test_a_hint_that_cannot_be_remembered_is_not_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "file"))
    assert first_hint(Path("/r"), REMOTE) == ""


@pytest.mark.slow
async def test_the_app_gives_the_hint_and_rings_when_a_run_ends(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSH_CONNECTION", REMOTE["SSH_CONNECTION"])
    monkeypatch.delenv("TMUX", raising=False)
    monkeypatch.delenv("STY", raising=False)
    run, written = make_run(), list[str]()
    async with running(tmp_path) as (app, pilot):
        await until(pilot, lambda: any(each.startswith(HINT) for each in toasts(app)))
        assert app._driver is not None
        monkeypatch.setattr(app._driver, "write", written.append)
        app.session.notifier = Notifier(WhenDone(bell=True))
        app.session.run = run
        app.post_message(app.EngineEventReceived(StateChanged("finished", 8, 1, 16, 2, "Stopped early.")))
        await until(pilot, lambda: "run has finished: Stopped early." in toasts(app))
        await until(pilot, lambda: "\a" in written)
        elsewhere, foreign = RunDirectory(make_run("foreign").path), make_run("foreign-2")
        for each, state in ((elsewhere, "finished"), (foreign, "cancelled")):  # by others, and by the user
            each.lock.acquire()
            write_run(each, StateChanged("training", 0, 0, 16, 2))
            written.clear()
            app.push_screen(DashboardScreen(app.session, RunDirectory(each.path), app.listening))
            await until(
                pilot, lambda: isinstance(app.screen, DashboardScreen) and app.screen.history.total_steps
            )
            if state == "cancelled":
                app.session.request(RunDirectory(each.path), "cancel")
            write_run(each, StateChanged(state, 16, 2, 16, 2))
            each.lock.release()
            await until(pilot, lambda: not app.screen.state.is_active)
            assert ("\a" in written) == (f"{each.name} has finished." in toasts(app)) == (state == "finished")
