"""What the dashboard shows of a run whose numbers are known, and what its keys do."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from rich.text import Text
from textual.app import App, ComposeResult
from textual.widgets import Sparkline
from textual_plotext import PlotextPlot

from core.events import PreviewReady, RunState, StateChanged
from sda_tui.look import Tone
from sda_tui.screens.dashboard import DashboardScreen
from sda_tui.screens.explain import ExplainScreen
from sda_tui.widgets.charts import LossChart
from sda_tui.widgets.line import Line
from sda_tui.widgets.waveform import Waveform
from tests.conftest import MakeRun
from tests.sda_tui.driving import (
    RecordingPlayer,
    a_step,
    an_epoch,
    figures_of,
    open_dashboard,
    running,
    shows,
    until,
    write_run,
)

BRAILLE, QUADRANTS = re.compile("[\u2801-\u28ff]"), re.compile("[▖▗▘▙▚▛▜▝▞▟▀▄▌▐█]")


async def test_numbers_of_the_dashboard_are_those_of_the_run(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run()
    steps = [replace(a_step(number, 2.0 - 0.01 * number), total_steps=400) for number in range(1, 101)]
    epoch = replace(an_epoch(10, best_epoch=7, gap=0.5), step=100, elapsed_s=3600.0, eta_s=60.0)
    epoch = replace(epoch, memory_used_bytes=10**9, memory_peak_bytes=2 * 10**9, memory_total_bytes=3 * 10**9)
    write_run(run, StateChanged("training", 0, 0, 400, 100, ""), *steps, epoch)
    run.lock.acquire()  # a process trains it
    try:
        async with running(tmp_path) as (app, pilot):
            screen = await open_dashboard(app, pilot, run)
            await until(pilot, lambda: screen.history.last_epoch is not None)
            await until(pilot, lambda: screen.state is RunState.TRAINING)
            newest = screen.query_one("#newest-losses Sparkline", Sparkline)
            await until(pilot, lambda: figures_of(screen).get("ETA", "–") != "–", "all is drawn")
            assert newest.data == pytest.approx([2.0 - 0.01 * number for number in range(1, 101)])
            metrics = figures_of(screen)
            assert (metrics["Step"], metrics["Epoch"]) == ("100/400", "10/100")
            assert (metrics["Loss"], metrics["Valid."]) == ("1.0000", "0.3000")
            assert metrics["Best"] == "0.2000 @7"
            assert (metrics["Elapsed"], metrics["ETA"]) == ("1:00:00", "1:00")
            assert [metrics[name].split()[0] for name in ("Memory", "Mem. peak", "Mem. of")] == [
                "1.0",
                "2.0",
                "3.0",
            ]
            assert screen.followed.progress == (100, 400)
    finally:
        run.lock.release()


async def test_validation_is_drawn_above_training_where_it_is_higher(
    tmp_path: Path, make_run: MakeRun
) -> None:
    run = make_run()
    epochs = [
        replace(an_epoch(number, best_epoch=1, gap=0.5), train_loss=0.1, validation_loss=5.0)
        for number in range(1, 31)
    ]
    write_run(run, a_step(1, 1.0), *(replace(each, best_validation_loss=None) for each in epochs))
    async with running(tmp_path) as (app, pilot):
        screen = await open_dashboard(app, pilot, run)
        plot = screen.query_one(LossChart).query_one(PlotextPlot)
        await until(pilot, lambda: bool(QUADRANTS.search(drawn(plot))), "curves")
        lines = drawn(plot).splitlines()
        of_training = [row for row, line in enumerate(lines) if BRAILLE.search(line)]
        of_validation = [row for row, line in enumerate(lines) if QUADRANTS.search(line)]
        assert max(of_validation) < min(of_training)


def drawn(plot: PlotextPlot) -> str:
    rendered = plot.render()
    assert isinstance(rendered, Text)
    return rendered.plain


async def test_keys_play_and_stop_what_is_chosen(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run()
    previews = []
    for epoch in (0, 2):
        for kind in ("reconstruction", "sample"):
            path = f"previews/epoch-{epoch:04}-{kind}.wav"
            soundfile.write(run.path / path, np.zeros(4800), 48_000)
            previews.append(PreviewReady(epoch, 0, kind, kind, path, 0.1, (0.5,) * 8))
    write_run(run, a_step(1, 1.0), *previews)
    player = RecordingPlayer()
    async with running(tmp_path) as (app, pilot):
        app.listening.outputs.players = [player]
        await app.push_screen(DashboardScreen(app.session, run, app.listening))
        await until(pilot, lambda: len(app.screen.history.previews) == 4)  # type: ignore[attr-defined]
        await pilot.pause(0.3)
        for keys, expected in (
            (["right"], ["play epoch-0002-reconstruction.wav"]),
            (["left"], ["stop"]),
            (["down", "enter"], ["play epoch-0002-sample.wav"]),
            (["left"], ["stop"]),
            (["up", "space"], ["play epoch-0002-reconstruction.wav"]),
            (["b"], ["play epoch-0000-reconstruction.wav"]),
            (["escape"], ["stop"]),
        ):
            player.calls.clear()
            await pilot.press(*keys)
            await pilot.pause()
            assert player.calls == expected, keys
            if isinstance(app.screen, DashboardScreen):
                position = 0.25 if player.playing else None
                assert app.screen.query_one(Waveform).position == position, keys
        assert not isinstance(app.screen, DashboardScreen)


class WaveformApp(App[None]):
    CSS = "Waveform { width: 10; height: 2; }"

    def compose(self) -> ComposeResult:
        yield Waveform()


@pytest.mark.parametrize("no_color", [False, True])
@pytest.mark.parametrize(("position", "column"), [(None, None), (0.0, 0), (0.3, 3), (1.0, 9)])
async def test_waveform_marks_the_position_in_one_column_and_hides_nothing_else(
    position: float | None, column: int | None, no_color: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_COLOR", "1") if no_color else monkeypatch.delenv("NO_COLOR", raising=False)
    app = WaveformApp()
    async with app.run_test() as pilot:
        waveform = app.query_one(Waveform)
        waveform.envelope = [0.0] * 5 + [1.0] * 5
        waveform.position = position
        await pilot.pause()
        expected = list(" " * 5 + "█" * 5)
        if column is not None:
            expected[column] = "│"
        assert waveform.render().plain.splitlines() == ["".join(expected)] * 2


async def test_the_judgement_has_the_colours_of_the_theme_and_is_explained_by_a_click(
    tmp_path: Path, make_run: MakeRun
) -> None:
    run = make_run()
    write_run(
        run, a_step(1, 1.0), an_epoch(4, best_epoch=4, gap=0.5), StateChanged("finished", 100, 4, 100, 4)
    )
    async with running(tmp_path) as (app, pilot):
        screen = await open_dashboard(app, pilot, run)
        line = screen.query_one("#judgement", Line)
        await until(pilot, lambda: "ended at its best" in str(line.render()), "the judgement")
        for theme in ("light", "dark"):
            before = colour(line)
            app.action_choose_theme(theme)
            await until(pilot, lambda before=before: colour(line) != before, theme)  # type: ignore[misc]
            assert colour(line) == app.theme_variables[Tone.GOOD]
        for clicked in ("#judgement", "#quality"):
            await pilot.click(clicked, offset=(5, 0))
            await until(pilot, lambda: isinstance(app.screen, ExplainScreen), "the explanation")
            await shows(pilot, "#explanation", "Quality")
            await pilot.press("escape")


def colour(line: Line) -> str:
    assert isinstance(line.content, Text)
    return str(line.content.style)
