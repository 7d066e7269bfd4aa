"""The list of runs: filtered, sorted, named, queued, deleted and compared by keys."""

import asyncio
from pathlib import Path

import pytest
from textual.widgets import Button, Input

from core.events import RunState, StateChanged
from core.runs import RunDirectory, RunLabels, RunQueue, SummaryCache, summarise
from sda_tui.app import SdaApp
from sda_tui.screens.choice import ChoiceScreen
from sda_tui.screens.compare import CompareScreen
from sda_tui.screens.rename import RenameScreen
from sda_tui.screens.runs import RunsScreen
from sda_tui.screens.settings import SettingsScreen
from sda_tui.session import Session
from sda_tui.widgets.run_table import RunTable
from tests.conftest import Command, MakeRun
from tests.sda_tui.driving import (
    NARROW,
    RecordingPlayer,
    a_step,
    an_epoch,
    running,
    text,
    to_settings,
    toasts,
    until,
    write_run,
)
from tests.training import train


async def to_runs(app: SdaApp, pilot) -> RunTable:
    await pilot.press("r")
    await until(pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen.is_ready, "runs")
    return app.screen.query_one(RunTable)


def choose(table: RunTable, name: str) -> None:
    table.move_cursor(row=table.get_row_index(name))


def names(table: RunTable) -> list[str]:
    return [str(row.key.value) for row in table.ordered_rows]


async def test_the_cursor_stays_on_its_run_through_filter_and_order(
    make_run: MakeRun, tmp_path: Path
) -> None:
    for number in range(4):
        write_run(make_run(f"drums-{number}"), a_step(1, 0.5), an_epoch(3, 2, 0.1 * number))
    pads = make_run("pads").path.rename(tmp_path / "runs" / "[b]pads")
    RunLabels(note="the [red] one").write(RunDirectory(pads))
    async with running(tmp_path) as (app, pilot):
        table = await to_runs(app, pilot)
        choose(table, "drums-2")
        await pilot.press("slash", *"drums")
        await until(pilot, lambda: table.row_count == 4, "filtered")
        assert table.chosen.name == "drums-2"
        await pilot.press("enter")
        heads = {table.sorted_by}
        for _ in range(12):
            await pilot.press("o")
            assert table.chosen.name == "drums-2"
            heads.add(table.sorted_by)
        assert {"Run", "RMSE", "State"} <= heads
        table.sorted_by = "RMSE"
        await pilot.pause()
        assert names(table) == [f"drums-{number}" for number in range(4)]
        await pilot.press("O")
        assert names(table) == [f"drums-{number}" for number in (3, 2, 1, 0)]
        await pilot.press("escape")
        await until(pilot, lambda: table.row_count == 5, "all again")
        choose(table, "[b]pads")
        await until(pilot, lambda: "Note: the [red] one" in text(app, "#run-summary"), "note")
        await pilot.press("slash", *"nothing")
        await until(pilot, lambda: "No run has these words" in text(app, "#run-summary"), "none")


async def test_runs_are_named_noted_starred_and_deleted_by_keys(make_run: MakeRun, tmp_path: Path) -> None:
    for name in ("drums", "pads", "kept"):
        make_run(name)
    async with running(tmp_path, size=NARROW) as (app, pilot):
        table = await to_runs(app, pilot)
        choose(table, "drums")
        await pilot.press("s")
        await until(pilot, lambda: table.chosen.labels.is_starred, "star")
        await pilot.press("w")
        await until(pilot, lambda: isinstance(app.screen, RenameScreen), "note")
        await pilot.press(*"best", "enter")
        await until(pilot, lambda: RunLabels.read(table.chosen.run) == RunLabels(True, "best"), "noted")
        await pilot.press("R")
        await until(pilot, lambda: isinstance(app.screen, RenameScreen), "name")
        app.screen.query_one(Input).value = "kick"
        await pilot.press("enter")
        await until(pilot, lambda: "kick" in names(table), "renamed")
        choose(table, "kick")
        await pilot.press("space")
        choose(table, "pads")
        await pilot.press("space", "delete")
        await until(pilot, lambda: isinstance(app.screen, ChoiceScreen), "question")
        assert app.focused.id == "keep"
        assert "1 of them has a star" in str(app.screen.query_one("#question-text").render())
        await pilot.press("y")
        await until(pilot, lambda: names(table) == ["kept"], "deleted")
    assert [path.name for path in (tmp_path / "runs").iterdir() if path.is_dir()] == ["kept"]


async def test_a_run_in_training_elsewhere_is_not_deleted(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run("live")
    run.lock.acquire()
    async with running(tmp_path) as (app, pilot):
        await to_runs(app, pilot)
        await pilot.press("delete")
        await until(pilot, lambda: any("is being trained" in each for each in toasts(app)), "refusal")
        assert isinstance(app.screen, RunsScreen)
        run.lock.release()


async def test_a_new_run_gets_the_settings_of_another_on_the_same_sounds(
    make_run: MakeRun, tmp_path: Path
) -> None:
    make_run("like-this", kl_weight=0.5)
    async with running(tmp_path) as (app, pilot):
        await to_runs(app, pilot)
        await pilot.press("d")
        screen = await to_settings(app, pilot)
        assert isinstance(screen, SettingsScreen)
        await pilot.pause(0.3)
        manifest = screen.manifest()
        like = summarise(RunDirectory(tmp_path / "runs" / "like-this")).manifest
        assert manifest.config == like.config
        assert manifest.preset == like.preset


async def test_compared_runs_play_the_same_preview_where_the_other_is(
    uninterrupted: RunDirectory, make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import shutil

    for name in ("a", "b"):
        shutil.copytree(uninterrupted.path, tmp_path / "runs" / name)
    async with running(tmp_path, size=NARROW) as (app, pilot):
        player = RecordingPlayer()
        monkeypatch.setattr(app.listening, "play", player.play)
        monkeypatch.setattr(app.listening, "stop", player.stop)
        monkeypatch.setattr(type(app.listening), "playing", property(lambda _: player.playing))
        await to_runs(app, pilot)
        await pilot.press("x")
        await until(
            pilot, lambda: isinstance(app.screen, CompareScreen) and app.screen.is_ready, "comparison"
        )
        await pilot.press("space", "right", "c", "t")
        name = next(call.split()[-1] for call in player.calls)
        assert player.calls == [f"play {name}", f"switch to {name}"]
        assert "reconstruction" in name
        assert player.playing.path.parent.parent.name in "ab"
        assert "All settings and sounds are the same" in str(app.screen.query_one("#differences").render())
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen), "runs again")
        assert player.calls[-1] == "stop"


async def test_the_chosen_run_waits_in_the_queue_and_not_any_more(make_run: MakeRun, tmp_path: Path) -> None:
    for name in ("first", "second"):
        make_run(name)
    queue = RunQueue(tmp_path / "runs")
    queue.add("first")
    async with running(tmp_path, size=NARROW) as (app, pilot):
        table = await to_runs(app, pilot)
        choose(table, "second")
        await pilot.press("a")
        await until(pilot, lambda: table.chosen.queue_place == 2, "queued")
        assert "◷ queued 2" in str(table.get_row("second"))
        assert "2 queued" in str(app.screen.query_one("#run-count").render())
        button = app.screen.query_one("#queue", Button)
        await until(pilot, lambda: str(button.label).startswith("Unqueue"), "label")
        await pilot.click("#queue")
        await until(pilot, lambda: [each.name for each in queue.waiting()] == ["first"], "not any more")


def test_queued_runs_follow_the_one_that_trains_here(make_run: MakeRun, tmp_path: Path) -> None:
    first, gone, second = (make_run(name, epochs=1) for name in ("first", "gone", "second"))
    session = Session(tmp_path / "runs")
    for run in (gone, second):
        session.queue.add(run.name)
    gone.run_file.unlink()
    session.resume(first)
    assert session.tend_queue() is None  # one at a time
    session.wait_through_queue()
    assert summarise(first).state is summarise(second).state is RunState.FINISHED
    (left,) = session.queue.entries()
    assert (left.name, left.problem) == ("gone", "There is no such run any more.")
    assert session.queue.worker() is None


def test_work_on_a_queue_that_cannot_be_read_ends_and_says_why(tmp_path: Path) -> None:
    session = Session(tmp_path)
    session.work_queue()
    session.queue.add("run")
    (tmp_path / "queue.json").write_text("[")
    assert session.tend_queue() is None
    assert not session.works_queue
    assert "is damaged" in session.queue_problem


def test_a_run_that_was_stopped_with_the_program_stays_in_the_queue(
    make_run: MakeRun, tmp_path: Path
) -> None:
    run, last = make_run("run", epochs=500), make_run("last")
    session = Session(tmp_path / "runs")
    for each in (run, last):
        session.queue.add(each.name)
    session.work_queue()
    assert session.tend_queue().path == run.path
    session.stop()
    session.wait_through_queue()
    assert summarise(run).state is RunState.CANCELLED
    assert [each.name for each in session.queue.waiting()] == ["run", "last"]


def test_the_queue_is_trained_by_a_command(make_run: MakeRun, tmp_path: Path, sda_tui: Command) -> None:
    done, broken, last = (make_run(name) for name in ("done", "broken", "last"))
    train(done)
    root = tmp_path / "runs"
    for run in (done, broken):
        RunQueue(root).add(run.name)
    broken.run_file.write_text("{")
    queued = sda_tui("resume", "last", "--queue", "--set", "epochs=1")
    assert "last waits for its turn: number 3 in the queue." in queued.stdout
    listed = sda_tui("queue")
    assert " 3  last: not begun" in listed.stdout
    assert "`sda-tui queue run" in listed.stdout
    ended = sda_tui("queue", "run")
    assert ended.returncode == 0, ended.stderr
    assert "The queue is done: 1 run trained." in ended.stderr
    assert summarise(last).state is RunState.FINISHED
    listed = sda_tui("queue")
    assert "✗  broken: " in listed.stdout
    assert "cannot be used" in listed.stdout
    assert sda_tui("queue", "remove", "broken").returncode == 0
    assert sda_tui("queue", "remove", "broken").returncode == 1


def test_labels_are_set_by_a_command(
    make_run: MakeRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from sda_tui.cli import main

    make_run("drums")
    make_run("pads")
    root = ["--runs", str(tmp_path / "runs")]
    assert main(["runs", "drums", "--star", "--note", "good [kick]", "--rename", "kick", *root]) == 0
    shown = capsys.readouterr().out
    assert "★" in shown
    assert "good [kick]" in shown
    assert "pads" not in shown
    assert main(["runs", "--note", "x", *root]) == 2
    assert main(["runs", "kick", "pads", "--rename", "y", *root]) == 2
    assert "Only one run at a time" in capsys.readouterr().err
    (kick,) = [each for each in SummaryCache(tmp_path / "runs").read() if each.name == "kick"]
    assert kick.labels == RunLabels(True, "good [kick]")


async def test_a_damaged_log_and_a_deleted_run_do_not_end_the_list(make_run: MakeRun, tmp_path: Path) -> None:
    damaged, deleted = make_run("damaged"), make_run("deleted")
    write_run(deleted, StateChanged("finished", 1, 1, 1, 1))
    async with running(tmp_path) as (app, pilot):
        table = await to_runs(app, pilot)
        damaged.events.write_bytes(b"\xff\x00" * 999)
        choose(table, "deleted")
        await asyncio.to_thread(deleted.run_file.unlink)
        await pilot.press("s", "u")
        await until(pilot, lambda: names(table) == ["damaged"], "one is left")
        await pilot.press("x")
        assert any("no other run on these sounds" in each for each in toasts(app))


async def test_a_run_that_trains_elsewhere_is_followed(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its row and its text, not the field that somebody types into."""
    monkeypatch.setattr("sda_tui.screens.run_list.FOLLOW_INTERVAL_S", 0.2)
    run = make_run("run", epochs=10)
    write_run(run, StateChanged("training", 0, 0, 40, 10), a_step(1, 1.0))
    run.lock.acquire()
    async with running(tmp_path) as (app, pilot):
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen.is_ready, "runs")
        app.screen.query_one("#epochs", Input).value = "77"
        write_run(run, an_epoch(4, best_epoch=4, gap=0.5), StateChanged("finished", 40, 10, 40, 10))
        run.lock.release()
        await until(pilot, lambda: "✓ finished" in text(app, "#run-summary"), "the end")
        assert not app.screen.query_one("#proceed", Button).disabled
        assert app.screen.query_one("#epochs", Input).value == "77"
