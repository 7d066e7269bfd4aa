"""What a terminal of any size shows: the numbers that matter, every answer, and why a chart is empty."""

from dataclasses import replace
from pathlib import Path

import pytest
from textual.geometry import Region
from textual.pilot import Pilot
from textual.widget import Widget
from textual.widgets import Button, Sparkline

from core.events import RunState, StateChanged, Warned, WarningKind
from core.runs import RunDirectory
from sda_tui.app import Leave, SdaApp
from sda_tui.screens.choice import Choice, ChoiceScreen
from sda_tui.widgets.charts import LossChart
from sda_tui.widgets.pane_tabs import PANES, Pane
from tests.conftest import MakeRun
from tests.sda_tui.driving import a_step, an_epoch, open_dashboard, running, text, until, write_run

WARNINGS = (WarningKind.DISK, WarningKind.MEMORY, WarningKind.BLUR, WarningKind.SPACE)
SIZES = [(200, 60), (120, 36), (100, 30), (80, 24), (60, 18)]
TINY_SIZES = [(1, 1), (20, 5), (59, 17), (20, 5)]
ALWAYS = (
    "▶ training", "epoch 1/100", "ETA    0:", "Valid. 0.3750", "Loss ", "Memory ", "Best   0.2", "79/100",
    "Still improving", "more, w shows all", "1 Overview", "5 Messages",
)  # fmt: skip
sizes = pytest.mark.parametrize("size", SIZES, ids=lambda size: "x".join(map(str, size)))


def shown(widget: Widget) -> str:
    """What of a widget is within the screen, as text."""
    region = widget.region.intersection(Region(0, 0, *widget.app.size))
    return "\n".join(
        "".join(segment.text for segment in strip)[region.x : region.right]
        for strip in widget.screen._compositor.render_strips()[region.y : region.bottom]
    )


async def test_what_matters_is_visible_at_every_size_in_every_pane(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run("a-run-with-a-long-name-as-folders-have-them-001")
    write_run(run, StateChanged("training", 0, 0, 100, 100))
    write_run(run, *(a_step(number, 1.0 + number % 7) for number in range(1, 80)))
    write_run(run, replace(an_epoch(1, 1, 0.1), train_loss=0.125, validation_loss=0.375))
    write_run(run, *(Warned(kind, f"{kind}: {'a long message ' * 33}", 79) for kind in WARNINGS))
    elsewhere = RunDirectory(run.path)
    elsewhere.lock.acquire()
    async with running(tmp_path, size=SIZES[0]) as (app, pilot):
        screen = await open_dashboard(app, pilot, run)
        await until(pilot, lambda: screen.state is RunState.TRAINING and screen.history.step == 79)
        for size in SIZES:
            await pilot.resize_terminal(*size)
            for pane in PANES:
                screen.pane = pane
                await until(pilot, lambda: screen.has_drawn and "79/100" in shown(screen))
                whole = shown(screen)
                for part in ALWAYS:
                    assert part in whole, f"{part} is missing at {size} in {pane}:\n{whole}"
                bars = set(shown(screen.query_one(Sparkline))) & set("▁▂▃▄▅▆▇█")
                assert len(bars) > 2
        for size in TINY_SIZES:  # none of which may end the app
            await pilot.resize_terminal(*size)
            await pilot.pause(0.1)
        await until(pilot, lambda: "▶ train" in shown(screen))
    elsewhere.lock.release()


@pytest.mark.parametrize(
    ("state", "reason"),
    [("training", "The first point comes at the end of epoch 1."), ("cancelled", "The run ended before")],
)
async def test_an_empty_chart_shows_why_at_every_size(
    tmp_path: Path, make_run: MakeRun, state: str, reason: str
) -> None:
    run = make_run()
    write_run(run, StateChanged(state, 0, 0, 100, 100))
    elsewhere = RunDirectory(run.path)
    if state == "training":
        elsewhere.lock.acquire()
    async with running(tmp_path, size=SIZES[0]) as (app, pilot):
        screen = await open_dashboard(app, pilot, run)
        for size in SIZES:
            await pilot.resize_terminal(*size)
            screen.pane = Pane.CHARTS if size == SIZES[-1] else Pane.OVERVIEW  # no room for one
            chart = screen.query_one(LossChart)
            await until(pilot, lambda: reason in " ".join(shown(chart).split()), f"the reason at {size}")  # noqa: B023
    elsewhere.lock.release()


@sizes
async def test_every_answer_of_a_question_is_visible(tmp_path: Path, size: tuple[int, int]) -> None:
    async with running(tmp_path, size=size) as (app, pilot):
        await ask(app, pilot)
        for button in app.screen.query(Button):
            assert str(button.label) in shown(button), shown(app.screen)
        assert app.focused is app.screen.query(Button).first()


async def ask(app: SdaApp, pilot: Pilot[Leave]) -> None:
    app.push_screen(
        ChoiceScreen(
            "Leave, and keep training?",
            "In the background the run keeps writing previews and checkpoints.",
            (
                Choice("keep", "Keep training", "k"),
                Choice("stop", "Stop and save", "x"),
                Choice("stay", "Stay here", "n"),
            ),
        )
    )
    await until(pilot, lambda: isinstance(app.screen, ChoiceScreen) and app.focused is not None)


async def test_the_end_of_a_run_is_drawn_at_once(tmp_path: Path, make_run: MakeRun) -> None:
    """Not after the interval that spares a run in training: nothing is left to spare."""
    run = make_run()
    write_run(run, StateChanged("training", 0, 0, 100, 100), a_step(1, 1.0), an_epoch(1, 1, 0.1))
    elsewhere = RunDirectory(run.path)
    elsewhere.lock.acquire()
    async with running(tmp_path) as (app, pilot):
        screen = await open_dashboard(app, pilot, run)
        await until(pilot, lambda: "0.3" in shown(screen.query_one(LossChart)))
        write_run(
            run, replace(an_epoch(2, 2, 0.1), validation_loss=77.0), StateChanged("finished", 2, 2, 2, 2)
        )
        elsewhere.lock.release()
        await until(pilot, lambda: screen.state is RunState.FINISHED)
        await pilot.pause(1.5)
        assert "77.0" in shown(screen.query_one(LossChart))


async def test_an_interrupted_run_has_no_remaining_time(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run()
    write_run(run, StateChanged("training", 0, 0, 100, 100), a_step(1, 1.0), an_epoch(1, 1, 0.1))
    async with running(tmp_path) as (app, pilot):
        screen = await open_dashboard(app, pilot, run)
        await until(pilot, lambda: screen.state is RunState.INTERRUPTED)
        await until(pilot, lambda: "! interrupted" in text(app, "TitleBar"))
        assert "ETA    –" in shown(screen)
        assert "ETA" not in text(app, "TitleBar")
