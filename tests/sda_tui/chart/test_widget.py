"""The chart widgets in an app: what draws them again, the mouse, and what they say when they are empty."""

import pytest
from rich.text import Text
from textual import events
from textual.app import App, ComposeResult
from textual.pilot import Pilot
from textual_plotext import PlotextPlot

from core.events import RunState
from core.runs import RunHistory
from sda_tui.chart.view import ChartView, XAxis
from sda_tui.widgets.chart import Chart
from sda_tui.widgets.charts import LossChart
from sda_tui.widgets.run_charts import SHOWN_PANELS, RunCharts
from tests.sda_tui.chart.histories import noisy, run_of

SIZE = (100, 40)


class Charts(App[None]):
    CSS = "RunCharts { grid-size: 2 2; grid-gutter: 0 1; }"

    def compose(self) -> ComposeResult:
        yield RunCharts()

    def show(self, history: RunHistory, state: RunState = RunState.FINISHED) -> None:
        self.query_one(RunCharts).show(history, state)

    @property
    def chart(self) -> Chart:
        return self.query(Chart).first()


def text_of(chart: Chart) -> str:
    return "\n".join(chart.render_line(row).text for row in range(chart.size.height))


def add_steps(history: RunHistory, count: int) -> None:
    for _ in range(count):
        history.step += 1
        for series in history.step_metrics.values():
            series.append(history.step, 0.5)


def text_of_overview(app: Charts) -> str:
    rendered = app.query_one(LossChart).query_one(PlotextPlot).render()
    return rendered.plain if isinstance(rendered, Text) else str(rendered)


async def all_texts(app: Charts, pilot: Pilot[None]) -> list[str]:
    await pilot.pause()
    return [text_of_overview(app), *map(text_of, app.query(Chart))]


async def test_enlarged_charts_of_a_finished_run_look_as_if_opened_so() -> None:
    """Points that were chosen for fewer columns zigzag between extremes in more of them."""
    history = run_of(noisy(4000))
    opened: dict[tuple[int, int], list[str]] = {}
    sizes = ((60, 16), (150, 45), (40, 10))
    for size in sizes:
        app = Charts()
        async with app.run_test(size=size) as pilot:
            app.show(history)
            opened[size] = await all_texts(app, pilot)
    app = Charts()
    async with app.run_test(size=sizes[-1]) as pilot:
        app.show(history)
        for size in (*sizes, (1, 1), (20, 5), *reversed(sizes)):
            await pilot.resize_terminal(*size)
            texts = await all_texts(app, pilot)
            if size in opened:
                assert texts == opened[size], size


async def test_charts_are_drawn_when_something_visible_changed() -> None:
    history = run_of(noisy(1000))
    app = Charts()
    async with app.run_test(size=SIZE) as pilot:
        app.show(history, RunState.TRAINING)
        await pilot.pause()
        charts = list(app.query(Chart))
        assert [chart.panel.id for chart in charts] == list(SHOWN_PANELS)
        drawn = [chart.draw_count for chart in charts]
        app.show(history, RunState.TRAINING)
        add_steps(history, 1)
        app.show(history, RunState.TRAINING)
        await pilot.pause()
        assert [chart.draw_count for chart in charts] == drawn
        add_steps(history, 20)  # a column of dots, though the window has grown as well
        app.show(history, RunState.TRAINING)
        await pilot.pause()
        drawn = [count + 1 for count in drawn]
        assert [chart.draw_count for chart in charts] == drawn
        add_steps(history, 1)
        app.show(history, RunState.FINISHED)  # its end is shown to the step
        await pilot.pause()
        assert [chart.draw_count for chart in charts] == [count + 1 for count in drawn]
        for chart in charts:
            chart.view = ChartView(span=100)
        await pilot.pause()
        assert [chart.draw_count for chart in charts] == [count + 2 for count in drawn]


async def test_only_the_cells_that_changed_are_sent_to_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    app = Charts()
    async with app.run_test(size=SIZE) as pilot:
        app.show(run_of(noisy(1000)))
        await pilot.pause()
        chart, regions = app.chart, []
        refresh = chart.refresh
        monkeypatch.setattr(
            chart, "refresh", lambda *each, **named: (regions.extend(each), refresh(*each, **named))[1]
        )
        chart.move_crosshair(0)
        regions.clear()
        chart.move_crosshair(-3)
        assert 0 < sum(region.area for region in regions) < chart.size.area / 3
        await pilot.pause()
        assert text_of(chart).count("│") > 5


def wheel(chart: Chart, kind: type[events.MouseEvent], column: int, shift: bool = False) -> None:
    x, y = chart.region.x + column, chart.region.y + 5
    chart.post_message(kind(chart, column, 5, 0, 0, 0, shift, False, False, x, y))


async def test_wheel_drag_and_pointer_change_all_charts_alike() -> None:
    app = Charts()
    async with app.run_test(size=SIZE) as pilot:
        app.show(run_of(noisy(1000)))
        await pilot.pause()
        chart, other = app.chart, app.query(Chart).last()
        middle = 8 + (chart.size.width - 8) // 2

        wheel(chart, events.MouseScrollUp, middle)
        await pilot.pause()
        window = chart.view.window(1000)
        assert window.span == pytest.approx(800)
        assert (window.first + window.last) / 2 == pytest.approx(500, abs=15)
        assert other.view == chart.view

        wheel(chart, events.MouseScrollUp, middle, shift=True)
        await pilot.pause()
        assert chart.view.window(1000).first < window.first
        wheel(chart, events.MouseScrollRight, middle)
        await pilot.pause()
        assert chart.view.window(1000) == pytest.approx(window)

        await pilot.hover(chart, (middle, 5))
        assert chart.view.cursor == pytest.approx(500, abs=15)
        assert other.view.cursor == chart.view.cursor
        await pilot.hover(LossChart, (3, 3))
        assert chart.view.cursor is None
        await pilot.click(chart, (middle, 5))
        await pilot.hover(LossChart, (3, 3))
        assert other.view.cursor == pytest.approx(500, abs=15), "it is kept"

        await pilot.mouse_down(chart, (middle, 5))
        await pilot.hover(chart, (middle + 5, 5))
        await pilot.mouse_up(chart, (middle + 5, 5))
        assert other.view.window(1000).first < window.first, "what was left of the window is dragged into it"
        assert other.view.is_cursor_kept


async def test_methods_for_keys_change_the_view_of_all_charts() -> None:
    app = Charts()
    async with app.run_test(size=SIZE) as pilot:
        app.show(run_of(noisy(1000)))
        await pilot.pause()
        chart, other = app.chart, app.query(Chart).last()
        chart.zoom(4)
        chart.pan(-1)
        chart.toggle_log()
        chart.cycle_x()
        chart.smooth(1)
        chart.move_crosshair(-1)
        await pilot.pause()
        view = other.view
        assert view.window(1000) == (500, 750)
        assert (view.is_log, view.x_axis, view.smoothing, view.cursor) == (True, XAxis.EPOCH, 4, 750)
        assert "epoch" in text_of(other)
        chart.hide_crosshair()
        chart.reset()
        await pilot.pause()
        assert (other.view.window(1000), other.view.cursor) == ((0, 1000), None)


async def test_an_empty_chart_says_why() -> None:
    app = Charts()
    async with app.run_test(size=SIZE) as pilot:
        app.show(RunHistory(), RunState.TRAINING)
        texts = await all_texts(app, pilot)
        assert all("The first point comes at the end of" in " ".join(each.split()) for each in texts)
        assert "Reconstruction" in texts[1]
        app.show(RunHistory(), RunState.CANCELLED)
        texts = await all_texts(app, pilot)
        assert all("The run ended before its first" in " ".join(each.split()) for each in texts)
        app.show(run_of([None] * 30), RunState.TRAINING)
        assert "No step has had a finite number here." in text_of(app.chart)


async def test_the_overview_of_losses_is_drawn_by_plotext() -> None:
    app = Charts()
    async with app.run_test(size=SIZE) as pilot:
        app.show(run_of([1.0] * 100, [5.0] * 10))
        await pilot.pause()
        plot = app.query_one(LossChart).query_one(PlotextPlot)
        built = Text.from_ansi(plot.plt.build()).plain
        assert built.strip() == text_of_overview(app).strip()
        assert "5.0" in built
        assert "◆" in built
