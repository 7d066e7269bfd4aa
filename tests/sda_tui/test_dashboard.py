"""The dashboard of a run, driven by keys: previews, banner, charts."""

from dataclasses import replace
from pathlib import Path

from textual.widgets import OptionList, Static

from core.events import CheckpointSaved, PreviewReady, RunState, StepFinished, Warned, WarningKind
from core.runs import FILE_ERRORS, EventFollower, EventLog, RunDirectory
from sda_tui.chart.view import DEFAULT_SMOOTHING
from sda_tui.screens.choice import ChoiceScreen
from sda_tui.screens.dashboard import DRAW_INTERVAL_S, POLL_INTERVAL_S, DashboardScreen
from sda_tui.screens.runs import RunsScreen
from sda_tui.widgets.chart import Chart
from sda_tui.widgets.charts import LossChart
from sda_tui.widgets.pane_tabs import Pane
from sda_tui.widgets.preview_list import PreviewList
from sda_tui.widgets.quality_bar import QualityBar
from sda_tui.widgets.run_charts import RunCharts
from sda_tui.widgets.waveform import Waveform
from tests.conftest import MakeRun
from tests.sda_tui.driving import (
    NARROW,
    a_step,
    an_epoch,
    figures_of,
    open_dashboard,
    running,
    shows,
    text,
    to_dashboard,
    toasts,
    until,
    write_run,
)


async def test_from_a_folder_to_a_cancelled_run_and_on_by_keys(tmp_path: Path, sounds: Path) -> None:
    async with running(tmp_path, sounds) as (app, pilot):
        screen = await to_dashboard(app, pilot)
        run = screen.run
        await until(pilot, lambda: screen.history.training_losses.points(9)[1:] != [], "two epochs")
        seen = screen.history.step
        await until(pilot, lambda: screen.history.step > seen, "steps tick")
        labels = ("Loss", "Recon.", "KL", "KL weight", "Rate", "Valid.", "Best", "Memory", "Steps/s")
        await until(pilot, lambda: all(figures_of(screen)[label] != "–" for label in labels), "numbers")
        assert figures_of(screen)["Latents"].endswith("/4")
        assert screen.query_one(QualityBar).reading is not None
        assert "train" in str(screen.query_one(LossChart).query_one(".legend", Static).render())
        assert screen.query_one(PreviewList).row_count >= 5

        await pilot.press("s")
        await until(pilot, lambda: any("Saved at step" in toast for toast in toasts(app)), "manual save")
        (saved,) = run.checkpoints.glob("*-saved.pt")

        await pilot.press("c")
        await until(pilot, lambda: isinstance(app.screen, ChoiceScreen))
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, DashboardScreen))
        assert screen.followed.is_trained_here
        await pilot.press("c", "y")
        await until(pilot, lambda: screen.state is RunState.CANCELLED, "cancelled")
        step = screen.history.step
        assert (run.checkpoints / f"step-{step:09}.pt").exists()

        await pilot.press("escape", "r")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen.is_ready)
        await shows(pilot, "#run-summary", f"step {step} of")
        await pilot.press("n")
        await until(pilot, lambda: isinstance(app.screen, DashboardScreen), "continued")
        resumed = app.screen
        assert isinstance(resumed, DashboardScreen)
        await until(pilot, lambda: resumed.history.step > step, "steps after the resume")
        log = EventFollower(run.events).poll(60.0)
        steps = [event.step for event, _ in log if isinstance(event, StepFinished)]
        assert steps == list(range(1, len(steps) + 1))
        assert saved.exists()


async def test_a_run_that_ends_is_shown_as_finished(tmp_path: Path, sounds: Path) -> None:
    async with running(tmp_path, sounds) as (app, pilot):
        screen = await to_dashboard(app, pilot, epochs=2)
        await until(pilot, lambda: screen.state is RunState.FINISHED)
        await until(
            pilot, lambda: any("has finished: epoch 2 was the last" in toast for toast in toasts(app))
        )
        await pilot.press("c")
        assert "This run is not being trained." in toasts(app)[-1]
        await pilot.press("question_mark")
        keys = app.screen.query_one(OptionList)
        assert keys.get_option("dashboard.cancel").disabled
        assert not keys.get_option("dashboard.export").disabled


async def test_previews_are_chosen_and_ordered_by_keys(tmp_path: Path, sounds: Path) -> None:
    async with running(tmp_path, sounds) as (app, pilot):
        screen = await to_dashboard(app, pilot, epochs=2)
        previews = screen.query_one(PreviewList)
        await until(pilot, lambda: screen.state is RunState.FINISHED and previews.row_count == 11)
        assert previews.chosen.path == "previews/epoch-0002-reconstruction.wav"
        await pilot.press("down")
        assert previews.chosen.path == "previews/epoch-0002-sample-1.wav"
        await until(pilot, lambda: "epoch-0002-sample-1.wav" in text(app, "#playback"))
        await pilot.press("o")
        assert previews.chosen.path == "previews/epoch-0002-sample-1.wav"
        assert previews.cursor_row == 10
        await pilot.press("up", "up")
        assert previews.chosen.path == "previews/epoch-0001-sample-1.wav"
        await pilot.press("home")
        assert previews.chosen.path == "previews/original.wav"
        assert previews.line(0) == "epoch 0, untrained"


def preview(epoch: int, kind: str, number: str = "") -> PreviewReady:
    name = kind if kind in ("original", "resynthesis") and epoch == 0 else f"epoch-{epoch:04}-{kind}{number}"
    return PreviewReady(epoch, epoch, kind, f"{kind}{number}", f"previews/{name}.wav", 1.0, (1.0,))


def previews_of(*epochs: int) -> list[PreviewReady]:
    """What a run without resynthesis, as older ones are, renders at these epochs."""
    kinds = (("reconstruction", ""), ("sample", "-1"), ("sample", "-2"))
    return [preview(0, "original"), *(preview(epoch, *kind) for epoch in epochs for kind in kinds)]


async def test_one_key_compares_and_one_goes_back_in_epochs(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run()
    write_run(run, *previews_of(0, 5, 15))
    async with running(tmp_path, size=NARROW) as (app, pilot):
        screen = await open_dashboard(app, pilot, run)
        previews = screen.query_one(PreviewList)
        await until(pilot, lambda: previews.row_count == 13)

        async def press(key: str) -> str:
            await pilot.press(key)
            assert previews.chosen is not None
            return Path(previews.chosen.path).stem

        assert [await press("a") for _ in range(3)] == ["original", "epoch-0015-reconstruction", "original"]
        await pilot.press("a")
        assert [await press("b") for _ in range(3)] == [
            "epoch-0005-reconstruction", "epoch-0000-reconstruction", "epoch-0000-reconstruction"
        ]  # fmt: skip
        await until(pilot, lambda: any("this is the oldest" in toast for toast in toasts(app)))
        await pilot.press("home", "down", "down")
        assert await press("b") == "epoch-0005-sample-2"
        write_run(run, *previews_of(20)[1:])
        await until(pilot, lambda: previews.row_count == 17)
        assert await press("a") == "epoch-0005-sample-2"
        await until(pilot, lambda: any("does not say which sound" in toast for toast in toasts(app)))
        sequence = [await press(key) for key in ("up", "up", "a", "a")][1:]
        assert sequence == ["epoch-0005-reconstruction", "original", "epoch-0005-reconstruction"]


async def test_a_reconstruction_is_compared_with_the_clip_that_it_is_of(
    tmp_path: Path, make_run: MakeRun
) -> None:
    """When the user's own clip is lost, a held-out one replaces it."""
    run = make_run()
    write_run(
        run, *previews_of(0, 5), preview(10, "original"), preview(10, "resynthesis"), *previews_of(10)[1:]
    )
    async with running(tmp_path) as (app, pilot):
        screen = await open_dashboard(app, pilot, run)
        previews = screen.query_one(PreviewList)
        await until(pilot, lambda: previews.row_count == 15)
        await pilot.press("a")
        assert previews.chosen.path == "previews/epoch-0010-original.wav"
        await pilot.press("a", "b", "a")
        assert previews.chosen.path == "previews/original.wav"


async def test_the_first_epoch_of_the_list_is_named_after_scrolling_back(
    tmp_path: Path, make_run: MakeRun
) -> None:
    run = make_run()
    write_run(run, *previews_of(*range(12)))
    async with running(tmp_path, size=NARROW) as (app, pilot):
        screen = await open_dashboard(app, pilot, run)
        previews = screen.query_one(PreviewList)
        await until(pilot, lambda: previews.row_count == 49)
        await pilot.press("3")
        await until(pilot, lambda: previews.has_focus and previews.size.height > 0)
        await pilot.press("end")
        await until(pilot, lambda: previews.scroll_offset.y > 0)
        await pilot.press(*["pageup"] * 6)
        assert previews.cursor_row == 1
        await until(pilot, lambda: previews.scroll_offset.y == 0)


async def test_nothing_stays_chosen_when_a_resume_drops_every_preview(
    tmp_path: Path, make_run: MakeRun
) -> None:
    run = make_run()
    write_run(run, a_step(1, 1.0), *previews_of(0, 5))
    async with running(tmp_path) as (app, pilot):
        screen = await open_dashboard(app, pilot, run)
        previews = screen.query_one(PreviewList)
        await until(pilot, lambda: "epoch-0005-reconstruction.wav" in text(app, "#playback"))
        log = EventLog(run.events)
        log.keep(lambda event: not isinstance(event, PreviewReady | StepFinished))
        log.close()
        await until(pilot, lambda: previews.row_count == 0)
        await until(pilot, lambda: text(app, "#playback") == "This run has none.")
        assert not screen.query_one(Waveform).envelope


async def test_losses_that_are_not_finite_do_not_harm_the_screen(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run()
    losses = (1.0, None, float("nan"), float("inf"), -1.0, 1e30, 0.0)
    write_run(run, *(a_step(number, loss) for number, loss in enumerate(losses, 1)))
    write_run(run, Warned(WarningKind.NON_FINITE, "3 steps skipped: the loss was not a finite number.", 4))
    async with running(tmp_path) as (app, pilot):
        screen = await open_dashboard(app, pilot, run)
        await until(pilot, lambda: screen.history.step == 7 and screen.has_drawn)
        await shows(pilot, "#banner", "! 3 steps skipped")
        assert screen.state is RunState.INTERRUPTED
        await shows(pilot, "#banner", "Its process is gone")
        write_run(run, replace(an_epoch(1, 1, 0.1), train_loss=1e30, validation_loss=-1e30))
        await until(pilot, lambda: screen.history.last_epoch is not None)
        await pilot.pause(2 * POLL_INTERVAL_S)


async def test_warnings_of_harm_come_before_advice(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run()
    warned = [("blur", "Blurred."), ("latent", "Unused."), ("overfitting", "Overfitting."), ("disk", "Full.")]
    write_run(run, a_step(1, 1.0), *(Warned(WarningKind(kind), message, 1) for kind, message in warned))
    async with running(tmp_path) as (app, pilot):
        await open_dashboard(app, pilot, run)
        await until(pilot, lambda: "+2 more, w shows all" in text(app, "#banner"))
        assert "! Full." in text(app, "#banner").splitlines()[1]
        await pilot.press("w")
        await until(pilot, lambda: "Blurred." in text(app, "#active-messages"))
        assert text(app, "#active-messages").splitlines()[-4:] == [
            "! Full.", "! Overfitting.", "! Unused.", "! Blurred."
        ]  # fmt: skip


async def test_a_warning_stays_until_it_is_cleared(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run()
    write_run(run, a_step(1, 1.0), Warned(WarningKind.DISK, "The disk is full.", 1))
    async with running(tmp_path) as (app, pilot):
        screen = await open_dashboard(app, pilot, run)
        await until(pilot, lambda: "The disk is full." in text(app, "#banner"))
        write_run(
            run, Warned(WarningKind.DISK, "", 2), CheckpointSaved(1, 2, "checkpoints/a.pt", "interval", 5)
        )
        await until(pilot, lambda: "disk" not in text(app, "#banner"))
        await until(pilot, lambda: figures_of(screen)["Saved"] == "2 interval", "the checkpoint")


async def test_only_the_detector_reports_overfitting_and_the_best_epoch_has_an_age(
    tmp_path: Path, make_run: MakeRun, sounds: Path
) -> None:
    for index in range(4, 8):
        (sounds / f"tone-{index}.wav").unlink()
    run = make_run()  # four files: the end of each is held out, if it is long enough
    write_run(run, a_step(1, 1.0), an_epoch(46, best_epoch=34, gap=0.9))
    elsewhere = RunDirectory(run.path)
    elsewhere.lock.acquire()  # of a run that has ended the end card says it
    async with running(tmp_path) as (app, pilot):
        screen = await open_dashboard(app, pilot, run)
        bar = screen.query_one(QualityBar)
        await until(pilot, lambda: "75% steady · gap 90%" in str(bar.render()))
        assert text(app, "#best") == "Best was epoch 34, 12 epochs ago. g goes back there."
        write_run(run, Warned(WarningKind.OVERFITTING, "Overfitting: held-out sounds get worse.", 1))
        await until(pilot, lambda: bar.reading.is_overfitting)
        assert "75% overfitting · gap 90%" in str(bar.render())
    elsewhere.lock.release()


async def test_few_held_out_files_are_noted_beside_the_best_epoch(
    tmp_path: Path, make_run: MakeRun, sounds: Path
) -> None:
    for index in range(5, 8):
        (sounds / f"tone-{index}.wav").unlink()
    run = make_run()
    assert run.read_manifest().split.validation_files == 2
    write_run(run, a_step(1, 1.0), an_epoch(7, best_epoch=7, gap=0.05))
    elsewhere = RunDirectory(run.path)
    elsewhere.lock.acquire()
    async with running(tmp_path, size=NARROW) as (app, pilot):
        screen = await open_dashboard(app, pilot, run)
        await until(pilot, lambda: "75% improving" in str(screen.query_one(QualityBar).render()))
        await pilot.press("4")
        best = screen.query_one("#best", Static)
        assert str(best.render()) == (
            "Best is epoch 7, the newest. Only 2 files held out: take validation as a hint."
        )
        await until(pilot, lambda: 0 < best.size.height <= 3)
    elsewhere.lock.release()


async def test_held_out_files_with_the_largest_error_are_named(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run()
    hardest = run.read_manifest().split.validation_paths[1]
    epoch = an_epoch(1, 1, 0.1)
    write_run(
        run, a_step(1, 1.0), replace(epoch, metrics={**epoch.metrics, FILE_ERRORS: (1.0, 4.6, 2.0, 2.0)})
    )
    async with running(tmp_path) as (app, pilot):
        screen = await open_dashboard(app, pilot, run)
        await until(pilot, lambda: screen.history.last_epoch is not None)
        line = screen.query_one("#hardest", Static)
        await until(pilot, lambda: line.size.height == 1)
        assert text(app, "#hardest") == f"Hardest held-out (× median): {hardest} 2.3"


async def test_charts_are_drawn_where_there_is_room_and_seldom(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run()
    write_run(run, *(a_step(number, 1.0) for number in range(1, 1001)), an_epoch(1, 1, 0.1))
    elsewhere = RunDirectory(run.path)
    elsewhere.lock.acquire()  # a run that has ended is drawn at once
    async with running(tmp_path) as (app, pilot):
        screen = await open_dashboard(app, pilot, run)
        await until(pilot, lambda: screen.history.step == 1000)

        def visible() -> list[Chart]:
            return [chart for chart in screen.query(Chart) if chart.display]

        def drawn() -> int:
            return sum(chart.draw_count for chart in screen.query(Chart))

        await until(pilot, lambda: len(visible()) == 3 and all(chart.draw_count for chart in visible()))
        assert all(chart.region.width > 30 and chart.region.height > 5 for chart in visible())
        await pilot.pause(2 * DRAW_INTERVAL_S)
        before = drawn()
        write_run(run, a_step(1001, 1.0))
        await until(pilot, lambda: figures_of(screen)["Step"].startswith("1001"))
        assert drawn() == before
        write_run(run, *(a_step(number, 1.0) for number in range(1002, 1101)))
        await until(pilot, lambda: drawn() >= before + 3)
        await pilot.resize_terminal(*NARROW)
        await until(pilot, lambda: len(visible()) == 1)
        assert screen.query_one(LossChart).region.height > 5
        await pilot.press("2")
        await until(pilot, lambda: screen.pane is Pane.CHARTS and screen.query_one(RunCharts).has_focus)
        await pilot.press("down", "left", "left", "plus", "right_square_bracket")
        await until(pilot, lambda: [chart.panel.id for chart in visible()] == ["loss"])
        view = visible()[0].view
        assert view.is_cursor_kept
        assert view.span == 1100 / 2
        assert view.smoothing == DEFAULT_SMOOTHING + 1
    elsewhere.lock.release()
