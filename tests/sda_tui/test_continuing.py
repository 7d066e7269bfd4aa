"""Continuing a run from the app: what is said before, and what happens."""

import shutil
from pathlib import Path

from textual.widgets import Button, Input

from core.events import RunState, StateChanged
from core.runs import RunDirectory, summarise
from sda_tui.app import SdaApp
from sda_tui.continuing import Continuation
from sda_tui.run_detail import describe_run
from sda_tui.screens.resume import ResumeScreen
from sda_tui.session import Session
from tests.conftest import MakeRun
from tests.sda_tui.driving import running, shows, text, until, write_run


def state(kind: RunState, step: int, message: str = "") -> StateChanged:
    return StateChanged(kind.value, step, -(-step // 8), 16, 2, message)


def test_a_run_says_where_it_would_continue(make_run: MakeRun, tmp_path: Path) -> None:
    session = Session(tmp_path / "runs")
    run = make_run("drums-001")
    fresh = Continuation.of(run)
    assert fresh.label() == "Start again"
    assert "starts again" in fresh.describe()
    write_run(run, state(RunState.CANCELLED, 12))
    (run.checkpoints / "step-000000012.pt").touch()
    stopped = Continuation.of(run)
    assert stopped.label() == "Continue from step 12 (epoch 1)"
    assert stopped.describe() == "■ cancelled; saved at step 12 of 16, epoch 1 of 2"
    assert (stopped.suggested_epochs, stopped.why_not(session)) == (2, "")
    assert stopped.estimate("3") == "12 more steps."
    assert stopped.estimate("1").startswith("✗ epochs must be at least 2")
    assert stopped.estimate("x").startswith("✗ epochs must be")


def test_a_finished_run_is_trained_longer(make_run: MakeRun) -> None:
    run = make_run("drums-001")
    write_run(run, state(RunState.FINISHED, 16))
    (run.checkpoints / "step-000000016.pt").touch()
    finished = Continuation.of(run)
    assert finished.label() == "Train longer"
    assert finished.describe() == "✓ finished: all 2 epochs are done, 16 steps"
    assert finished.suggested_epochs == 4
    assert finished.estimate("4") == "16 more steps."
    assert finished.estimate("2") == "✗ drums-001 has finished its 2 epochs. Write more than 2."


def test_a_run_that_stopped_early_is_not_said_to_be_done(make_run: MakeRun) -> None:
    run = make_run("drums-001")
    write_run(run, state(RunState.FINISHED, 8, "Stopped at epoch 1: no better epoch since 1."))
    (run.checkpoints / "step-000000008.pt").touch()
    stopped = Continuation.of(run)
    assert stopped.describe() == "✓ finished early, at epoch 1 of 2"
    assert "✓ Stopped at epoch 1" in describe_run(stopped.summary)


def test_a_run_that_is_trained_elsewhere_cannot_continue(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run("drums-001")
    write_run(run, state(RunState.TRAINING, 3))
    run.lock.acquire()
    try:
        taken = Continuation.of(RunDirectory(run.path))
        message = taken.why_not(Session(tmp_path / "runs"))
    finally:
        run.lock.release()
    assert message.startswith(f"Process {taken.summary.holder_pid} on {taken.host} trains it now")
    assert taken.host


async def open_screen(app: SdaApp, pilot: object, run: RunDirectory, results: list[object]) -> ResumeScreen:
    screen = ResumeScreen(app.session, run)
    app.push_screen(screen, results.append)
    await until(pilot, lambda: screen.is_ready and screen.is_current, "resume")  # type: ignore[arg-type]
    return screen


async def test_a_run_continues_where_its_sounds_are_now(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run("drums-001", preview_samples=0, epochs=1)
    write_run(run, state(RunState.FAILED, 0, "No space left on device."))
    moved = tmp_path / "moved"
    shutil.move(run.read_manifest().folder, moved)
    results: list[object] = []
    async with running(tmp_path, size=(60, 18)) as (app, pilot):
        screen = await open_screen(app, pilot, run, results)
        await shows(pilot, "#resume-note", "folder of its sounds is gone")
        assert str(screen.query_one("#resume-start", Button).label) == "Start again n"
        assert screen.query_one("#resume-folder", Input).has_focus
        await pilot.press(*"nowhere", "enter")
        await until(pilot, lambda: "✗" in text(app, "#resume-note"), "refusal")
        assert not results
        screen.query_one("#resume-folder", Input).value = str(moved)
        assert screen.query_one("#resume-folder", Input).has_focus
        await pilot.press("enter")
        await until(pilot, lambda: bool(results), "start")
        await until(pilot, lambda: summarise(run).state is RunState.FINISHED, "end")
    assert results == [run]
    assert run.read_manifest().folder == str(moved)


async def test_a_finished_run_is_trained_longer_by_one_key(
    tmp_path: Path, make_run: MakeRun, uninterrupted: RunDirectory
) -> None:
    run = RunDirectory(Path(shutil.copytree(uninterrupted.path, tmp_path / "runs" / "drums-001")))
    other = make_run("drums-002")
    results: list[object] = []
    async with running(tmp_path) as (app, pilot):
        screen = await open_screen(app, pilot, run, results)
        assert screen.query_one("#resume-epochs", Input).value == "4"
        await shows(pilot, "#resume-estimate", "16 more steps, about")
        screen.query_one("#resume-epochs", Input).value = "5000"
        await pilot.press("n")
        await until(pilot, lambda: bool(results) and app.session.is_training, "start")
        await open_screen(app, pilot, other, results)
        await shows(pilot, "#resume-note", "drums-001 is being trained here")
        await pilot.press("n", "escape")
        await until(pilot, lambda: results == [run, None], "left")
    assert run.read_manifest().config.epochs == 5000
    assert other.read_manifest().config.epochs == 2
