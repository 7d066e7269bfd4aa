"""The app driven by keys, on the real engine: from a folder to a run, and back to it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Button, Collapsible, Input, OptionList, Select, Static

from core.config import SETTINGS
from core.errors import RunError
from core.events import CheckpointSaved, PreviewReady, RunState, StepFinished, Warned
from core.run import EventLog, RunDirectory
from core.runs import summarise
from sda_tui.app import Leave, SdaApp
from sda_tui.keymap import KEYMAP
from sda_tui.screens.choice import ChoiceScreen
from sda_tui.screens.dashboard import DashboardScreen
from sda_tui.screens.datasets import DatasetScreen
from sda_tui.screens.help import HelpScreen
from sda_tui.screens.runs import RunsScreen
from sda_tui.screens.settings import SettingsScreen
from sda_tui.session import Session
from sda_tui.widgets.loss_plot import LossPlot, thin
from sda_tui.widgets.metric_table import MetricTable
from sda_tui.widgets.preset_chooser import PresetChooser
from sda_tui.widgets.preview_list import PreviewList
from sda_tui.widgets.quality_bar import QualityBar
from sda_tui.widgets.scan_table import ScanTable
from sda_tui.widgets.setting_row import SettingRow
from tests.conftest import TINY, MakeRun
from tests.sounds import write_tone

WIDE, NARROW = (120, 36), (80, 24)


@asynccontextmanager
async def running(
    tmp_path: Path, folder: Path | None = None, size: tuple[int, int] = WIDE, demo: bool = False
) -> AsyncIterator[tuple[SdaApp, Pilot[Leave]]]:
    """The app in a terminal of this size; the engine is stopped afterwards."""
    session = Session(tmp_path / "runs")
    app = SdaApp(session, folder, demo)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield app, pilot
        session.cancel()
        assert await asyncio.to_thread(session.wait, 60)


async def until(pilot: Pilot[Leave], condition: Callable[[], bool], what: str = "") -> None:
    for _ in range(1200):
        if condition():
            await pilot.pause()
            return
        await pilot.pause(0.05)
    pytest.fail(f"this did not happen: {what or condition}")


async def to_settings(app: SdaApp, pilot: Pilot[Leave]) -> SettingsScreen:
    await until(pilot, lambda: isinstance(app.screen, DatasetScreen) and app.screen.is_ready, "scan")
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(app.screen, SettingsScreen), "settings")
    assert isinstance(app.screen, SettingsScreen)
    return app.screen


async def to_dashboard(app: SdaApp, pilot: Pilot[Leave], **settings: object) -> DashboardScreen:
    screen = await to_settings(app, pilot)
    for name, value in {**TINY, "epochs": 5000, **settings}.items():
        row = screen.query_one(f"#setting-{name}", SettingRow)
        row.query_one(Input).value = SETTINGS[name].show(value)  # type: ignore[arg-type]
    await pilot.pause(0.3)
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(app.screen, DashboardScreen), "dashboard")
    assert isinstance(app.screen, DashboardScreen)
    return app.screen


def text(app: SdaApp, selector: str) -> str:
    return str(app.screen.query_one(selector, Static).render())


def toasts(app: SdaApp) -> list[str]:
    return [notification.message for notification in app._notifications]


# -- datasets ---------------------------------------------------------------------------------------------


async def test_without_a_folder_the_first_screen_says_what_to_do(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, _):
        assert "Choose a folder of sounds" in text(app, "#scan-status")
        assert not app.screen.query_one("#proceed").display


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_a_scan_shows_verdicts_totals_split_and_suggestion(
    tmp_path: Path, sounds: Path, size: tuple[int, int]
) -> None:
    write_tone(sounds / "short.wav", 300.0, 0.1)
    (sounds / "[red]notes.txt").write_text("x")
    async with running(tmp_path, sounds, size) as (app, pilot):
        await until(pilot, lambda: app.screen.is_ready)
        table = app.screen.query_one(ScanTable)
        rows = {
            str(table.get_row_at(row)[0]): str(table.get_row_at(row)[1]) for row in range(table.row_count)
        }
        assert rows["short.wav"] == "✓ padded"
        assert rows["[red]notes.txt"] == "✗ unsupported"
        assert len(rows) == 10
        totals = text(app, "#totals")
        assert "Usable: 9 files" in totals
        assert "held out for validation" in totals
        assert "Suggested preset: conservative" in totals
        assert app.focused is app.screen.query_one("#proceed")


async def test_the_table_is_sorted_by_key_and_by_head(tmp_path: Path, sounds: Path) -> None:
    write_tone(sounds / "zz-long.wav", 300.0, 3.0)
    async with running(tmp_path, sounds) as (app, pilot):
        await until(pilot, lambda: app.screen.is_ready)
        table = app.screen.query_one(ScanTable)
        assert str(table.get_row_at(0)[0]) == "tone-0.wav"
        await pilot.press("o", "o")
        assert str(table.get_row_at(0)[0]) == "zz-long.wav"
        assert [str(column.label) for column in table.columns.values()][2] == "Length ▲"
        await pilot.click(ScanTable, offset=(3, 0))
        assert str(table.get_row_at(0)[0]) == "tone-0.wav"
        await pilot.click(ScanTable, offset=(3, 0))
        assert str(table.get_row_at(0)[0]) == "zz-long.wav"


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda folder: folder / "gone", "There is no folder"),
        (lambda folder: folder, "holds no files"),
        (lambda folder: write_tone(folder / "a.wav"), "is a file"),
        (lambda folder: (folder / "a.txt").write_text("x") and folder, "None of them can be used"),
    ],
    ids=["missing", "empty", "file", "unusable"],
)
async def test_a_bad_folder_is_told_and_there_is_no_way_forward(
    tmp_path: Path, make: Callable[[Path], Path], told: str
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    async with running(tmp_path, make(folder)) as (app, pilot):
        await until(pilot, lambda: app.screen.query_one("#scan-status").has_class("-error"))
        assert told in text(app, "#scan-status")
        assert app.screen.query_one("#proceed", Button).disabled
        await pilot.press("n")
        assert isinstance(app.screen, DatasetScreen)
        assert "Choose a folder with sounds first." in toasts(app)


async def test_a_path_is_typed_with_completion(
    tmp_path: Path, sounds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with running(tmp_path) as (app, pilot):
        await pilot.press("slash", "s", "o")
        field = app.screen.query_one("#path", Input)
        await until(pilot, lambda: field._suggestion == "sounds/")
        await pilot.press("right", "enter")
        await until(pilot, lambda: app.screen.is_ready)
        assert "8 files" in text(app, "#scan-status")


async def test_a_folder_is_picked_in_the_tree(
    tmp_path: Path, sounds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with running(tmp_path) as (app, pilot):
        tree = app.screen.query_one("#tree")
        tree.focus()
        await until(pilot, lambda: any(str(node.label) == "sounds" for node in tree.root.children))  # type: ignore[attr-defined]
        await pilot.press("down")
        while str(tree.cursor_node.label) != "sounds":  # type: ignore[attr-defined]
            await pilot.press("down")
        await pilot.press("enter")
        await until(pilot, lambda: app.screen.is_ready)
        await pilot.press("backspace")
        await until(pilot, lambda: str(tree.path) == str(tmp_path.parent))  # type: ignore[attr-defined]


async def test_recent_folders_come_from_the_runs(tmp_path: Path, make_run: MakeRun, sounds: Path) -> None:
    make_run("before")
    async with running(tmp_path) as (app, pilot):
        recent = app.screen.query_one("#recent", OptionList)
        await until(pilot, lambda: recent.option_count == 2)
        await pilot.press("down", "enter")
        await until(pilot, lambda: app.screen.is_ready)
        assert "8 files" in text(app, "#scan-status")


async def test_the_demo_is_one_key_away(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot):
        await pilot.press("d")
        await until(pilot, lambda: app.screen.is_ready)
        assert "40 files" in text(app, "#scan-status")


# -- settings ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_the_suggested_preset_is_chosen_and_the_estimate_shown(
    tmp_path: Path, sounds: Path, size: tuple[int, int]
) -> None:
    async with running(tmp_path, sounds, size) as (app, pilot):
        screen = await to_settings(app, pilot)
        assert screen.query_one(PresetChooser).chosen == "conservative"
        assert app.focused is screen.query_one(PresetChooser)
        assert screen.query_one("#preset-conservative").border_title == "★ suggested"
        await until(pilot, lambda: "steps" in text(app, "#estimate"))
        assert "100 epochs of" in text(app, "#estimate")
        assert "MB on disk" in text(app, "#estimate")
        assert screen.query_one("#advanced", Collapsible).collapsed
        assert screen.query_one("#name", Input).value == "sounds-001"
        await until(pilot, lambda: bool(app.session.devices), "engine loaded")
        await until(pilot, lambda: screen.query_one("#device", Select).value == "cpu")


async def test_arrows_and_digits_choose_a_preset(tmp_path: Path, sounds: Path) -> None:
    async with running(tmp_path, sounds) as (app, pilot):
        screen = await to_settings(app, pilot)
        chooser = screen.query_one(PresetChooser)
        await pilot.press("right")
        assert chooser.chosen == "balanced"
        await until(pilot, lambda: "200 epochs" in text(app, "#estimate"))
        await pilot.press("right", "right")
        assert chooser.chosen == "aggressive"
        await pilot.press("1")
        assert chooser.chosen == "conservative"
        await pilot.press("tab")
        assert chooser.chosen == "conservative"


async def test_every_setting_has_a_row_with_unit_range_and_help(tmp_path: Path, sounds: Path) -> None:
    async with running(tmp_path, sounds) as (app, pilot):
        screen = await to_settings(app, pilot)
        await pilot.press("a")
        rows = {row.setting.name: row for row in screen.query(SettingRow)}
        assert set(rows) == set(SETTINGS)
        row = rows["chunk_duration_s"]
        assert "s  0.25 to 4" in str(row.query_one(".setting-range", Static).render())
        assert row.setting.help in str(row.query_one(".setting-help", Static).render())
        assert rows["dropout"].query_one(Input).value == "0.4"


async def test_a_bad_value_is_told_as_it_is_typed_and_stops_the_start(tmp_path: Path, sounds: Path) -> None:
    async with running(tmp_path, sounds) as (app, pilot):
        screen = await to_settings(app, pilot)
        await pilot.press("a")
        row = screen.query_one("#setting-epochs", SettingRow)
        await pilot.press("x")
        assert row.has_class("-invalid")
        assert "not 'x'" in str(row.query_one(".setting-help", Static).render())
        await until(pilot, lambda: screen.query_one("#start", Button).disabled)
        await pilot.press("ctrl+n")
        assert isinstance(app.screen, SettingsScreen)
        await pilot.press("backspace", "7")
        assert row.has_class("-differs")
        assert "preset: 100" in str(row.query_one(".setting-mark", Static).render())
        await until(pilot, lambda: "7 epochs" in text(app, "#estimate"))
        assert "1 changed" in str(screen.query_one("#advanced", Collapsible).title)
        await pilot.press("ctrl+r")
        assert row.query_one(Input).value == "100"
        assert not row.has_class("-differs")
        await until(pilot, lambda: "100 epochs" in text(app, "#estimate"))


async def test_changes_survive_another_preset_and_end_with_a_reset_of_all(
    tmp_path: Path, sounds: Path
) -> None:
    async with running(tmp_path, sounds) as (app, pilot):
        screen = await to_settings(app, pilot)
        field = screen.query_one("#setting-latent_dim Input", Input)
        field.value = "16"
        await pilot.pause()
        await pilot.press("2")
        assert field.value == "16"
        screen.query_one(PresetChooser).focus()
        await pilot.press("ctrl+r")
        assert field.value == "64"


@pytest.mark.parametrize(
    ("name", "told"), [("taken", "There is a run 'taken'"), ("a b", "cannot name a run")]
)
async def test_a_name_that_cannot_be_used_is_told(
    tmp_path: Path, sounds: Path, make_run: MakeRun, name: str, told: str
) -> None:
    make_run("taken")
    async with running(tmp_path, sounds) as (app, pilot):
        screen = await to_settings(app, pilot)
        screen.query_one("#name", Input).value = name
        await pilot.press("n")
        await until(pilot, lambda: any(told in toast for toast in toasts(app)))
        assert isinstance(app.screen, SettingsScreen)


# -- dashboard --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_from_a_folder_to_a_cancelled_run_and_on_by_keys(
    tmp_path: Path, sounds: Path, size: tuple[int, int]
) -> None:
    async with running(tmp_path, sounds, size) as (app, pilot):
        screen = await to_dashboard(app, pilot)
        run = screen.run
        await until(pilot, lambda: len(screen.history.epochs) >= 2, "two epochs")
        seen = screen.history.step
        await until(pilot, lambda: screen.history.step > seen, "steps tick")
        metrics = dict(screen.query_one(MetricTable).metrics)
        for label in ("Loss", "Recon.", "KL", "KL weight", "Rate", "Validation", "Best", "Memory", "Steps/s"):
            assert metrics[label] != "–", label
        assert metrics["Latents"].endswith("/4")
        assert screen.query_one(QualityBar).quality is not None
        assert "training" in str(screen.query_one("#legend", Static).render())
        assert screen.query_one(PreviewList).option_count >= 5

        await pilot.press("s")
        await until(pilot, lambda: any("Saved at step" in toast for toast in toasts(app)), "manual save")
        (saved,) = run.checkpoints.glob("*-saved.pt")

        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, ChoiceScreen))
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, DashboardScreen))
        assert screen.is_trained_here
        await pilot.press("c", "y")
        await until(pilot, lambda: screen.state is RunState.CANCELLED, "cancelled")
        step = screen.history.step
        assert (run.checkpoints / f"step-{step:09}.pt").exists()

        await pilot.press("escape", "r")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen.is_ready)
        assert f"step {step} of" in text(app, "#run-summary")
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, DashboardScreen), "continued")
        resumed = app.screen
        assert isinstance(resumed, DashboardScreen)
        await until(pilot, lambda: resumed.history.step > step, "steps after the resume")
        steps = resumed.history.steps.tolist()
        assert steps == list(range(1, len(steps) + 1))
        assert saved.exists()


async def test_a_run_that_ends_is_shown_as_finished(tmp_path: Path, sounds: Path) -> None:
    async with running(tmp_path, sounds) as (app, pilot):
        screen = await to_dashboard(app, pilot, epochs=2)
        await until(pilot, lambda: screen.state is RunState.FINISHED)
        await until(pilot, lambda: any("has finished its 2 epochs" in toast for toast in toasts(app)))
        await pilot.press("c")
        assert "This run is not being trained." in toasts(app)[-1]


async def test_previews_are_chosen_and_ordered_by_keys(tmp_path: Path, sounds: Path) -> None:
    async with running(tmp_path, sounds) as (app, pilot):
        screen = await to_dashboard(app, pilot, epochs=2)
        previews = screen.query_one(PreviewList)
        await until(pilot, lambda: screen.state is RunState.FINISHED and previews.option_count == 7)
        assert previews.chosen.path == "previews/epoch-0002-reconstruction.wav"
        await pilot.press("down")
        assert previews.chosen.path == "previews/epoch-0002-sample-1.wav"
        await until(pilot, lambda: "epoch-0002-sample-1.wav" in text(app, "#playback"))
        await pilot.press("o")
        assert previews.chosen.path == "previews/epoch-0002-sample-1.wav"
        assert previews.highlighted == 6
        await pilot.press("up", "up")
        assert previews.chosen.path == "previews/epoch-0001-sample-1.wav"


def write_run(run: RunDirectory, *events: object) -> None:
    log = EventLog(run.events)
    for event in events:
        log.append(event)  # type: ignore[arg-type]
    log.close()


async def open_dashboard(app: SdaApp, pilot: Pilot[Leave], run: RunDirectory) -> DashboardScreen:
    await pilot.press("r")
    await until(pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen.is_ready)
    await pilot.press("v")
    await until(pilot, lambda: isinstance(app.screen, DashboardScreen))
    assert isinstance(app.screen, DashboardScreen)
    assert app.screen.run.path == run.path
    return app.screen


def a_step(number: int, loss: float | None) -> StepFinished:
    return StepFinished(1, number, 100, loss, loss, loss, 1.0, 1e-3, loss, 0.1)


async def test_losses_that_are_not_finite_do_not_harm_the_screen(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run()
    losses = (1.0, None, float("nan"), float("inf"), -1.0, 1e30, 0.0)
    write_run(run, *(a_step(number, loss) for number, loss in enumerate(losses, 1)))
    write_run(run, Warned("non_finite", "3 steps skipped: the loss was not a finite number.", 4))
    async with running(tmp_path) as (app, pilot):
        screen = await open_dashboard(app, pilot, run)
        await until(pilot, lambda: screen.history.step == 7)
        assert "! 3 steps skipped" in text(app, "#banner")
        assert screen.state is RunState.INTERRUPTED
        assert "Its process is gone" in text(app, "#banner")
        screen.query_one(LossPlot).show([(1.0, 1e30), (2.0, -1e30)], [(1.0, 0.0)], (1.0, 0.0))
        await pilot.pause()


async def test_a_warning_stays_until_it_is_taken_back(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run()
    write_run(run, a_step(1, 1.0), Warned("disk", "The disk is full.", 1))
    async with running(tmp_path) as (app, pilot):
        screen = await open_dashboard(app, pilot, run)
        await until(pilot, lambda: "The disk is full." in text(app, "#banner"))
        write_run(run, Warned("disk", "", 2), CheckpointSaved(1, 2, "checkpoints/a.pt", "interval", 5))
        await until(pilot, lambda: "disk" not in text(app, "#banner"))
        assert dict(screen.query_one(MetricTable).metrics)["Saved"] == "2 interval"


async def test_a_long_history_is_thinned_without_losing_its_spikes() -> None:
    points = [(float(epoch), 1.0) for epoch in range(10_000)]
    points[1234] = (1234.0, 99.0)
    points[7777] = (7777.0, -99.0)
    thinned = thin(points, 60)
    assert len(thinned) <= 120
    assert points[1234] in thinned
    assert points[7777] in thinned
    assert list(thinned) == sorted(thinned)
    assert thin(points[:50], 60) == points[:50]


# -- runs, help, quit ------------------------------------------------------------------------------------


async def test_no_runs_say_what_to_do(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot):
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen))
        await until(pilot, lambda: "No runs here yet" in text(app, "#run-summary"))
        assert app.screen.query_one("#proceed", Button).disabled
        await pilot.press("escape")
        assert isinstance(app.screen, DatasetScreen)


async def test_a_run_tells_what_changed_and_takes_more_epochs(
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
        assert "! tone-7.wav is gone since the run began" in text(app, "#run-summary")
        field = app.screen.query_one("#epochs", Input)
        assert field.value == "2"  # it has finished: twice as many are offered
        field.value = "1"
        await pilot.press("n")
        await until(pilot, lambda: any("has finished its 1 epochs" in toast for toast in toasts(app)))
        field.value = "many"
        await pilot.press("n")
        await until(pilot, lambda: any("not 'many'" in toast for toast in toasts(app)))
        field.value = "3"
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, DashboardScreen))
        await until(pilot, lambda: summarise(run).state is RunState.FINISHED)
        assert summarise(run).epoch == 3


async def test_a_run_trained_elsewhere_is_watched_and_asked(tmp_path: Path, make_run: MakeRun) -> None:
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


async def test_help_shows_every_key_of_the_table(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot):
        await pilot.press("question_mark")
        assert isinstance(app.screen, HelpScreen)
        shown = app.export_screenshot()
        for command in KEYMAP["datasets"].commands[:3]:
            assert command.sentence.split()[0] in shown
        await pilot.press("escape")
        assert isinstance(app.screen, DatasetScreen)


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


async def test_quit_is_at_once_while_nothing_trains(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot):
        await pilot.press("q")
        await pilot.pause()
        assert app.return_value is Leave.STOP


async def test_quit_asks_while_a_run_trains(tmp_path: Path, sounds: Path) -> None:
    async with running(tmp_path, sounds) as (app, pilot):
        screen = await to_dashboard(app, pilot)
        await until(pilot, lambda: screen.history.step > 1)
        for key, leave in (("n", None), ("escape", None), ("k", Leave.KEEP_TRAINING)):
            await pilot.press("q")
            await until(pilot, lambda: isinstance(app.screen, ChoiceScreen))
            await pilot.press(key)
            await pilot.pause()
            assert app.return_value is leave
            assert app.session.is_training


async def test_a_preview_outside_of_the_run_is_not_played(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run()
    write_tone(tmp_path / "secret.wav")
    write_run(run, PreviewReady(0, 0, "sample", "sample 1", "../../secret.wav", 1.0, (1.0,)))
    async with running(tmp_path) as (app, pilot):
        screen = await open_dashboard(app, pilot, run)
        await until(pilot, lambda: bool(screen.history.previews))
        await pilot.press("right")
        await until(pilot, lambda: any("is not in the run's directory" in toast for toast in toasts(app)))
        assert app._player.playing is None


async def test_a_user_who_does_not_exist_is_told(tmp_path: Path) -> None:
    async with running(tmp_path) as (app, pilot):
        await pilot.press("slash", *"~nosuchuser/x", "enter")
        status = app.screen.query_one("#scan-status", Static)
        await until(pilot, lambda: "There is no user 'nosuchuser'" in str(status.content))


async def test_a_second_run_leaves_nothing_behind_while_one_trains(tmp_path: Path, make_run: MakeRun) -> None:
    session = Session(tmp_path / "runs")
    run, other = make_run("one", epochs=5000), make_run("other")
    session.resume(run)
    try:
        with pytest.raises(RunError, match="A run is going on"):
            session.start("two", run.read_manifest(), None)
        assert not (tmp_path / "runs" / "two").exists()
        before = other.run_file.read_bytes()
        changed = other.read_manifest().with_settings({"epochs": 9}, 0)
        with pytest.raises(RunError, match="A run is going on"):
            session.resume(other, changed=changed)
        assert other.run_file.read_bytes() == before
    finally:
        session.cancel()
        assert await asyncio.to_thread(session.wait, 60)


async def test_a_run_that_cannot_be_opened_is_told(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run("broken")
    run.events.unlink()
    run.events.mkdir()
    async with running(tmp_path) as (app, pilot):
        app.session.resume(run)
        await until(
            pilot,
            lambda: any(
                "cannot be opened" in each.message or "Cannot write" in each.message
                for each in app._notifications
            ),
        )
