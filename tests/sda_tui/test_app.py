"""Runs in the app, by keys: trained, watched, continued, left."""

import asyncio
import shlex
import threading
from pathlib import Path
from typing import Any

import pytest
from textual.widgets import Button, Input, OptionList, Static

from core.engine import QueuedRun
from core.errors import RunError
from core.events import PreviewReady, RunState, StateChanged
from core.runs import RunDirectory, RunManifest, summarise
from sda_tui.app import Leave
from sda_tui.keymap import KEYMAP
from sda_tui.screens.choice import ChoiceScreen
from sda_tui.screens.dashboard import DashboardScreen
from sda_tui.screens.datasets import DatasetScreen
from sda_tui.screens.help import HelpScreen
from sda_tui.screens.runs import RunsScreen
from sda_tui.session import Session
from sda_tui.widgets.footer import MoreKeys
from tests.conftest import MakeRun
from tests.sda_tui.driving import (
    NARROW,
    a_step,
    open_dashboard,
    running,
    shows,
    text,
    to_dashboard,
    toasts,
    until,
    write_run,
)
from tests.sounds import write_tone


async def test_an_empty_list_of_runs_shows_what_to_do(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot):
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        await until(pilot, lambda: "No runs here yet" in text(app, "#run-summary"))
        assert app.screen.query_one("#proceed", Button).disabled
        await pilot.press("escape")
        assert isinstance(app.screen, DatasetScreen)


async def test_a_run_lists_what_changed_and_takes_more_epochs(
    tmp_path: Path, make_run: MakeRun, sounds: Path
) -> None:
    run = make_run(epochs=1)
    session = Session(tmp_path / "runs")
    session.resume(run, "cpu")
    assert session.wait(120)
    (sounds / "tone-7.wav").unlink()
    async with running(tmp_path) as (app, pilot):
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen.is_ready)
        await shows(pilot, "#run-summary", "! 1 sound moved, touched or gone")
        field = app.screen.query_one("#epochs", Input)
        assert field.value == "2"  # it has finished: twice as many are offered
        field.value = "1"
        await pilot.press("n")
        await until(pilot, lambda: any("has finished its only epoch" in toast for toast in toasts(app)))
        field.value = "many"
        await pilot.press("n")
        await until(pilot, lambda: any("not 'many'" in toast for toast in toasts(app)))
        field.value = "3"
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, DashboardScreen))
        await until(pilot, lambda: summarise(run).state is RunState.FINISHED)
        assert summarise(run).epoch == 3


async def test_a_run_of_another_process_is_shown_and_takes_requests(
    tmp_path: Path, make_run: MakeRun
) -> None:
    run = make_run()
    write_run(run, a_step(1, 1.0))
    elsewhere = RunDirectory(run.path)
    elsewhere.lock.acquire()
    async with running(tmp_path) as (app, pilot):
        await until(pilot, lambda: "training: run" in text(app, "TitleBar"))
        screen = await open_dashboard(app, pilot, run)
        await until(pilot, lambda: screen.history.step == 1)
        assert screen.state is not RunState.INTERRUPTED
        await pilot.press("s")
        assert elsewhere.requests.take("save")
        assert not elsewhere.requests.take("cancel")
        await pilot.press("c", "y")
        await until(pilot, lambda: elsewhere.requests.take("cancel"))
    elsewhere.lock.release()


async def test_a_run_of_another_process_that_ends_leaves_the_title(
    tmp_path: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sda_tui.screens.datasets.FOLLOW_INTERVAL_S", 0.2)
    run = make_run()
    elsewhere = RunDirectory(run.path)
    elsewhere.lock.acquire()
    async with running(tmp_path) as (app, pilot):
        await until(pilot, lambda: "training: run" in text(app, "TitleBar"), "the run in the title")
        recent = app.screen.query_one("#recent", OptionList)
        await pilot.press("down")
        chosen = recent.highlighted
        elsewhere.lock.release()
        await until(pilot, lambda: "training" not in text(app, "TitleBar"), "its end")
        assert recent.highlighted == chosen


async def test_help_shows_every_key_of_the_table(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot):
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        shown = app.export_screenshot()
        for command in KEYMAP["datasets"].commands[:3]:
            assert command.help.split()[0] in shown
        await pilot.press("escape")
        assert isinstance(app.screen, DatasetScreen)


async def test_keys_that_the_footer_leaves_out_are_reached_by_mouse(
    tmp_path: Path, make_run: MakeRun
) -> None:
    make_run("run")
    async with running(tmp_path, size=NARROW) as (app, pilot):
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen.is_ready, "runs")
        await pilot.click(MoreKeys)
        await until(pilot, lambda: isinstance(app.screen, HelpScreen), "help")
        keys = app.screen.query_one(OptionList)
        back = keys.get_option_index("runs.back")
        keys.highlighted = back  # in sight
        await pilot.pause()
        line = next(y for y in range(keys.size.height) if "Clear the filter" in keys.render_line(y).text)
        await pilot.click(keys, offset=(5, line))
        await until(pilot, lambda: isinstance(app.screen, DatasetScreen), "the screen before")


@pytest.mark.parametrize("key", ["ctrl+p", "question_mark"])
async def test_what_is_everywhere_is_done_from_the_palette_and_the_help(tmp_path: Path, key: str) -> None:
    async with running(tmp_path) as (app, pilot):
        await pilot.press(key)
        await pilot.pause(0.5)
        if isinstance(app.screen, HelpScreen):
            keys = app.screen.query_one(OptionList)
            keys.highlighted = keys.get_option_index("app.quit")
        else:
            await pilot.press(*"quit")
            await pilot.pause(0.5)
        await pilot.press("enter")
        await until(pilot, lambda: app.return_value is Leave.STOP, "the end")


async def test_the_palette_offers_the_commands_of_the_screen(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot):
        await pilot.press("ctrl+p")
        await pilot.pause(0.5)
        await pilot.press(*"runs")
        await pilot.pause(0.5)
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))


@pytest.mark.parametrize("scope", KEYMAP)
def test_no_key_means_two_things_on_one_screen(scope: str) -> None:
    commands = (*KEYMAP[scope].commands, *(KEYMAP["app"].commands if scope != "app" else ()))
    keys = [key for command in commands for key in command.keys.split(",")]
    assert len(keys) == len(set(keys))


async def test_quit_leaves_at_once_while_nothing_trains(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot):
        await pilot.press("q")
        await pilot.pause()
        assert app.return_value is Leave.STOP


async def test_quit_asks_while_a_run_trains(tmp_path: Path, sounds: Path) -> None:
    async with running(tmp_path, sounds) as (app, pilot):
        screen = await to_dashboard(app, pilot)
        await until(pilot, lambda: screen.history.step > 1)
        for key, leave in (("n", None), ("escape", None), ("s", None), ("enter", Leave.KEEP_TRAINING)):
            await pilot.press("q")
            await until(pilot, lambda: isinstance(app.screen, ChoiceScreen))
            await pilot.press(key)
            if key == "s":  # which saves on the dashboard, means nothing here
                assert isinstance(app.screen, ChoiceScreen)
                await pilot.press("escape")
            await pilot.pause()
            assert app.return_value is leave
            assert app.session.is_training


async def test_cancel_asks_and_enter_keeps_training(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run()
    write_run(run, a_step(1, 1.0))
    elsewhere = RunDirectory(run.path)
    elsewhere.lock.acquire()
    async with running(tmp_path) as (app, pilot):
        screen = await open_dashboard(app, pilot, run)
        await until(pilot, lambda: screen.history.step == 1)
        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, ChoiceScreen))
        await pilot.press("enter")
        await until(pilot, lambda: app.screen is screen)
        assert not elsewhere.requests.take("cancel")
    elsewhere.lock.release()


async def test_escape_from_a_run_leads_back_to_where_it_was_opened(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run()
    async with running(tmp_path) as (app, pilot):
        await open_dashboard(app, pilot, run)
        await pilot.press("escape")
        assert isinstance(app.screen, RunsScreen)
        await pilot.press("escape")
        assert isinstance(app.screen, DatasetScreen)


async def test_a_continued_run_is_loading_until_the_engine_begins(
    tmp_path: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not cancelled, as its log still says, and in the list of runs neither."""
    run = make_run()
    write_run(run, a_step(1, 1.0), StateChanged("cancelled", 1, 1, 100, 10))
    begin = threading.Event()
    execute = QueuedRun.execute
    monkeypatch.setattr(QueuedRun, "execute", lambda *given: (begin.wait(60), execute(*given)))
    async with running(tmp_path) as (app, pilot):
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen.is_ready)
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, DashboardScreen))
        await until(pilot, lambda: "◌ loading" in text(app, "TitleBar"))
        assert "ETA" not in text(app, "TitleBar")
        await pilot.press("escape")
        await until(pilot, lambda: "◌ loading" in text(app, "#run-summary"))
        begin.set()


async def test_a_preview_outside_of_the_run_is_not_played(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run()
    write_tone(tmp_path / "secret.wav")
    write_run(run, PreviewReady(0, 0, "sample", "sample 1", "../../secret.wav", 1.0, (1.0,)))
    async with running(tmp_path) as (app, pilot):
        screen = await open_dashboard(app, pilot, run)
        await until(pilot, lambda: bool(screen.history.previews))
        await pilot.press("right")
        await until(pilot, lambda: any("is not in the run's directory" in toast for toast in toasts(app)))
        assert app.listening.playing is None


async def test_a_user_who_does_not_exist_is_reported(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot):
        await pilot.press("slash", *"~nosuchuser/x", "enter")
        status = app.screen.query_one("#scan-status", Static)
        await until(pilot, lambda: "There is no user 'nosuchuser'" in str(status.content))


async def test_a_second_run_leaves_nothing_behind_while_one_trains(tmp_path: Path, make_run: MakeRun) -> None:
    session = Session(tmp_path / "runs")
    run, other = make_run("one", epochs=5000), make_run("other")
    session.resume(run)
    try:
        with pytest.raises(RunError, match="A run is being trained"):
            session.start("two", run.read_manifest(), None)
        assert not (tmp_path / "runs" / "two").exists()
        before = other.run_file.read_bytes()
        changed = other.read_manifest().with_settings({"epochs": 9}, 0)
        with pytest.raises(RunError, match="A run is being trained"):
            session.resume(other, changed=changed)
        assert other.run_file.read_bytes() == before
    finally:
        session.cancel()
        assert await asyncio.to_thread(session.wait, 60)


async def test_a_run_that_cannot_be_opened_is_reported(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run("broken")
    run.events.unlink()
    run.events.mkdir()
    async with running(tmp_path) as (app, pilot):
        app.session.resume(run)
        reasons = ("cannot be opened", "Cannot write", "events.jsonl")
        await until(pilot, lambda: any(reason in toast for toast in toasts(app) for reason in reasons))


async def test_a_run_whose_folder_is_gone_continues_where_its_sounds_are(
    tmp_path: Path, make_run: MakeRun, sounds: Path
) -> None:
    run = make_run(epochs=1)
    moved = sounds.rename(tmp_path / "on another disk")
    (tmp_path / "empty").mkdir()
    before = run.events.read_bytes()
    async with running(tmp_path) as (app, pilot):
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen.is_ready)
        await shows(pilot, "#run-summary", "The folder of its sounds is gone")
        field = app.screen.query_one("#folder", Input)
        field.value = str(tmp_path / "on another dsik")
        app.screen.query_one("#epochs", Input).value = "2"
        await pilot.press("n")
        await until(pilot, lambda: any("There is no file or folder" in toast for toast in toasts(app)))
        await until(pilot, lambda: field.has_focus, "the path to be corrected has the focus")
        assert field.value.endswith("dsik")
        assert app.screen.query_one("#epochs", Input).value == "2"
        field.value = str(tmp_path / "empty")
        await pilot.press("enter")
        await until(pilot, lambda: any("None of the 8 sounds of run is in" in toast for toast in toasts(app)))
        assert run.events.read_bytes() == before
        field.value = shlex.quote(str(moved))
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, DashboardScreen))
        await until(pilot, lambda: summarise(run).state is RunState.FINISHED)
    assert run.read_manifest().folder == str(moved)


async def test_a_refusal_that_comes_late_leaves_the_focus_where_it_is(
    tmp_path: Path, make_run: MakeRun, sounds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(epochs=1)
    sounds.rename(tmp_path / "on another disk")
    disk_answers = threading.Event()
    find_sounds = Session.find_sounds

    def find_late(*request: Any) -> RunManifest:
        assert disk_answers.wait(60)
        return find_sounds(*request)

    monkeypatch.setattr(Session, "find_sounds", find_late)
    async with running(tmp_path) as (app, pilot):
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen.is_ready, "runs")
        await pilot.press("n", "slash", *"ru")
        disk_answers.set()
        await until(pilot, lambda: any("There is no file or folder" in each for each in toasts(app)), "it")
        await pilot.press("n", "enter")
        written = app.screen.query_one("#filter", Input)
        assert written.value == "run"
        assert isinstance(app.screen, RunsScreen)
    assert summarise(run).state is RunState.INTERRUPTED
