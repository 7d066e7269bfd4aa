"""Curves as characters."""

import itertools
import math
from collections.abc import Iterator

import numpy as np
import pytest

from core.events import StepFinished
from core.runs import RunHistory
from core.runs.series import CAPACITY
from sda_tui.chart.bars import BarsData, draw_bars
from sda_tui.chart.draw import CurvesData, draw_curves, identify
from sda_tui.chart.panels import PANELS
from sda_tui.chart.picture import BEST, CURSOR, Picture, envelope_role, line_role
from sda_tui.chart.raster import BRAILLE, QUARTERS, Trace
from sda_tui.chart.sampling import XScale, sample, smooth
from sda_tui.chart.view import ChartView, XAxis
from tests.sda_tui.chart.histories import bars, curve_of, curves, lines, noisy, picture, run_of

TRAINING, VALIDATION = line_role(0), line_role(1)


BRAILLE_DOTS = {chr(code) for code in range(0x2801, 0x2900)} - {"⠤", "⠶"}  # without those of legends


def rows_of(drawn: Picture, role: int) -> list[list[int]]:
    """The rows that have cells of a role, for each column of the plot."""
    assert drawn.canvas is not None
    return [np.flatnonzero(column == role).tolist() for column in drawn.canvas.roles.T]


def text_of(drawn: Picture, role: int) -> str:
    return "".join(text for row in drawn.rows for text, its_role in row if its_role == role)


def test_a_smooth_line_stands_before_a_dim_envelope_instead_of_a_barcode() -> None:
    drawn = picture(curve_of(noisy(20_000)))
    line, envelope = rows_of(drawn, TRAINING), rows_of(drawn, envelope_role(0))
    assert all(1 <= len(rows) <= 4 for rows in line), "a line, one cell or two high where it is steep"
    assert sum(map(len, line)) < 1.6 * len(line)
    assert sum(map(len, envelope)) > 4 * len(envelope), "what it was smoothed from is visible"
    few = curve_of(noisy(400))
    cells = [sum(map(len, rows_of(picture(few, ChartView(smoothing=level)), TRAINING))) for level in (0, 3)]
    assert 1.5 * cells[1] < cells[0], "smoothed and as it is"


def test_the_line_reaches_the_newest_step_at_every_enlargement() -> None:
    data = curve_of(noisy(30_000))
    for view in (ChartView(), ChartView(span=5000), ChartView(span=300), ChartView(span=4)):
        line = rows_of(picture(data, view), TRAINING)
        assert all(line[1:]), f"a column without line, {view}"  # step 1 may not lie in the first


def test_an_enlarged_window_shows_what_is_in_it_and_no_other() -> None:
    losses = [0.0] * 2000
    losses[1200:1300] = [5.0] * 100
    data = curve_of(losses)
    inside = picture(data, ChartView(span=300, end=1400, smoothing=0))
    outside = picture(data, ChartView(span=300, end=600, smoothing=0))
    assert len({row for rows in rows_of(inside, TRAINING) for row in rows}) > 5
    assert len({row for rows in rows_of(outside, TRAINING) for row in rows}) == 1
    assert "1200" in lines(inside)[-1]


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, None])
def test_curves_break_where_a_number_is_not_finite(bad: float | None) -> None:
    losses: list[float | None] = [1.0 + 0.001 * step for step in range(1000)]
    losses[400:500] = [bad] * 100
    drawn = picture(curve_of(losses))
    assert drawn.canvas is not None
    width = drawn.canvas.codes.shape[1]
    gap = range(round(0.42 * width), round(0.48 * width))
    plot = [line[drawn.plot_left :] for line in lines(drawn)[1:-1]]
    assert {plot[-1][column] for column in gap} == {"×"}, "the place is marked"
    assert not any(row[column] not in " ·" for row in plot[:-1] for column in gap)
    line = rows_of(drawn, TRAINING)
    assert line[round(0.3 * width)]
    assert line[round(0.6 * width)]


def test_a_log_axis_is_used_where_all_values_are_positive_and_else_said_to_be_not() -> None:
    falling = curve_of(10.0 ** (3 - step / 100) for step in range(600))
    drawn = picture(falling, ChartView(is_log=True))
    assert "log" in lines(drawn)[0]
    assert {"100", "1", "0.01"} & {line[:8].strip() for line in lines(drawn)}
    heights = [rows[0] for rows in rows_of(drawn, TRAINING) if rows]
    steps = np.diff(heights)
    assert steps.min() >= 0
    assert steps.max() <= 1, "an exponential fall is no steeper anywhere"
    negative = picture(curve_of([-1.0, -2.0, 3.0] * 20), ChartView(is_log=True), width=120)
    assert "not log: has values ≤ 0" in lines(negative)[0]
    assert rows_of(negative, TRAINING)


def test_outliers_of_the_warm_up_are_cut_off_and_marked() -> None:
    losses = [1e6 / (step + 1) ** 3 if step < 40 else 1.0 + 0.1 * math.sin(step) for step in range(2000)]
    drawn = picture(curve_of(losses))
    assert "▲" in lines(drawn)[1]
    settled = {row for rows in rows_of(drawn, envelope_role(0))[10:] for row in rows}
    assert len(settled) > 10, "the rest is not pressed flat"
    assert all(rows_of(drawn, TRAINING)[5:]), "and its average knows nothing of them"
    assert "▲" not in "".join(lines(picture(curve_of(5.0 - step / 500 for step in range(2000)))))


def test_the_best_epoch_is_marked_with_value_and_age() -> None:
    validation = [3.0 - 0.1 * epoch if epoch < 20 else 1.1 + 0.01 * epoch for epoch in range(40)]
    history = run_of([1.0] * 400, validation, best_epoch=20)
    data = curves(history)
    assert data.best is not None
    drawn = picture(data, width=120)
    assert "◆ best" in lines(drawn)[0]
    assert "at epoch 20, 20 epochs ago" in lines(drawn)[0]
    marked = [column for column, rows in enumerate(rows_of(drawn, BEST)) if rows]
    assert len(marked) == 1
    assert marked[0] == pytest.approx(len(rows_of(drawn, BEST)) / 2, abs=2)


def test_cells_of_a_later_curve_replace_earlier_ones() -> None:
    drawn = picture(curves(run_of([1.0] * 400, [1.0] * 40)))
    assert not any(rows_of(drawn, TRAINING)[20:50])
    assert all(rows_of(drawn, VALIDATION)[20:50])


def test_training_and_validation_differ_without_colour() -> None:
    drawn = picture(curves(run_of([1.0] * 400, [2.0] * 40)))
    training, validation = (set(text_of(drawn, role)) & BRAILLE_DOTS for role in (TRAINING, VALIDATION))
    assert training
    assert validation
    assert not training & validation
    assert "•" in text_of(picture(curves(run_of([1.0] * 60, [2.0] * 6))), VALIDATION), "a mark each where few"


def test_the_crosshair_reads_all_curves_at_its_step() -> None:
    data = curves(run_of([step / 100 for step in range(1, 401)], [7.0] * 40))
    drawn = picture(data, ChartView(cursor=200.0, smoothing=0), width=120)
    assert "training 1.99" in lines(drawn)[0]
    assert "validation 7.000" in lines(drawn)[0]
    assert "at step 200" in lines(drawn)[0]
    assert "at step 200" in lines(picture(data, ChartView(cursor=200.0), width=40))[0]
    columns = [column for column, rows in enumerate(rows_of(drawn, CURSOR)) if len(rows) > 10]
    assert columns == pytest.approx([0.5 * 112], abs=1)
    by_epoch = picture(data, ChartView(cursor=200.0, x_axis=XAxis.EPOCH), width=120)
    assert "at epoch 20.0" in lines(by_epoch)[0]
    by_time = picture(data, ChartView(cursor=200.0, x_axis=XAxis.TIME), width=120)
    assert "at 1:40" in lines(by_time)[0]
    assert "time" in lines(by_time)[-1]


def test_the_place_under_the_pointer_is_the_step_drawn_there() -> None:
    history = run_of([1.0] * 400)
    for axis in XAxis:
        scale = XScale(ChartView(span=100, end=300).window(400), 200, axis, history.clock)
        for step in (200.0, 250.0, 299.0):
            fraction = float(scale.dots_at(np.array([step]))[0]) / 199
            assert scale.step_at(fraction) == pytest.approx(step, abs=1)


def test_the_average_follows_by_x_and_has_no_bias_at_the_start() -> None:
    x, y = np.array([0.0, 1.0, 5.0, 6.0]), np.array([4.0, 2.0, 8.0, 0.0])
    smoothed = smooth(x, y, np.ones(4), 3.0)
    for last in range(4):
        weights = np.exp(-(x[last] - x[: last + 1]) / 3.0)
        assert smoothed[last] == pytest.approx((weights * y[: last + 1]).sum() / weights.sum())
    assert smooth(x, y, np.ones(4), 0.0).tolist() == y.tolist()


def test_the_mean_of_what_a_column_holds_is_drawn_however_long_the_run() -> None:
    """Closed form: a straight line stays one when 100 000 epochs are merged."""
    history = RunHistory()
    series = history.epoch_metrics
    run = run_of([step / 10 for step in range(1, 101)])
    series["validation_loss"] = run.epoch_metrics["validation_loss"]
    for epoch in range(11, 100_001):
        series["validation_loss"].append(10 * epoch, float(epoch))
    columns = series["validation_loss"].columns()
    scale = XScale(ChartView().window(1e6), 132, XAxis.STEP, run.clock)
    nodes = sample(columns, scale, 0.0).inside(132)
    expected = 1e5 * np.arange(132) / 131
    assert nodes.line[1:-1] == pytest.approx(expected[1:-1], rel=0.02)


@pytest.mark.parametrize("length", [2000, 60_000])
def test_work_is_bounded_by_the_columns_and_the_window(length: int) -> None:
    data = curve_of(math.sin(step) for step in range(length))
    series = data.series[0]
    assert series is not None
    columns = series.columns()
    assert len(columns.first_x) <= CAPACITY
    for view in (ChartView(), ChartView(span=length / 20)):
        scale = XScale(view.window(length), 132, XAxis.STEP, data.clock)
        lead = view.time_constant(length)
        nodes = sample(columns, scale, lead)
        assert len(nodes.dot) <= 132 + 2
        stretches = scale.group(columns, 4 * lead).shown
        looked_at = stretches.stop - stretches.start
        assert looked_at <= 1.2 * len(columns.first_x) * view.window(length).span / length + 3


def test_series_with_points_at_the_same_steps_are_grouped_once() -> None:
    history = run_of(noisy(500))
    scale = XScale(ChartView().window(500), 132, XAxis.STEP, history.clock)
    names = ("train_loss", "gradient_norm", "learning_rate")
    groups = [scale.group(history.step_metrics[name].columns(), 0.0) for name in names]
    assert groups[0] is groups[1] is groups[2]
    assert scale.group(history.epoch_metrics["train_loss"].columns(), 0.0) is not groups[0]


def test_dots_are_those_of_the_unicode_chart() -> None:
    rows = np.array([0, 1, 2, 3, 3, 0, 0, 0], dtype=float) / 3
    line = Trace(rows, rows, rows)
    assert "".join(map(chr, line.line_codes(1, BRAILLE)[0])) == "⠑⢄⡜⠉"
    flat = np.zeros(4)
    assert "".join(map(chr, Trace(flat, flat, flat).line_codes(1, BRAILLE)[0])) == "⠉⠉"
    assert "".join(map(chr, Trace(flat + 1, flat, flat).line_codes(1, BRAILLE)[0])) == "⣀⣀"
    assert "".join(map(chr, Trace(flat, flat, flat).line_codes(1, QUARTERS)[0])) == "▀▀"
    broken = np.array([np.nan, np.nan, 0.0, 0.0])
    assert "".join(map(chr, Trace(broken, broken, broken).line_codes(1, BRAILLE)[0])) == " ⠉"


def test_bars_are_sorted_and_unused_dimensions_visibly_so() -> None:
    data = bars(run_of([1.0] * 20))
    drawn = draw_bars(data, 60, 10)
    shown = lines(drawn)
    assert "3 of 4 used" in shown[0]
    assert "1 unused" in shown[0]
    assert shown[1].index("█") == 8
    bottom = shown[-2][8:24]
    assert bottom == "███ ███ ███ ··· "
    assert [shown[row].count("█") for row in (1, 4, 7)] == [3, 6, 9]


@pytest.mark.parametrize("count", [1, 2, 64, 256, 512, 5000])
@pytest.mark.parametrize("size", [(20, 5), (66, 19), (200, 60), (21, 3)])
def test_bars_fit_any_width(count: int, size: tuple[int, int]) -> None:
    values = tuple(6 * math.exp(-9 * number / count) for number in range(count))
    drawn = draw_bars(BarsData(PANELS["kl-dimensions"], values[::-1], count // 2), *size)
    assert [len(line) for line in lines(drawn)] == [size[0]] * size[1]
    if size[0] > 30:
        plot = [line[8:] for line in lines(drawn)[1:-1]]
        heights = [sum(cell != " " for cell in column) for column in zip(*plot, strict=True)]
        bar_tops = [height for height in heights if height]
        assert bar_tops == sorted(bar_tops, reverse=True)


def test_a_step_more_is_no_visible_change_but_an_epoch_more_is() -> None:
    history = run_of(noisy(1000))
    before = identify(curves(history), is_exact=False)
    exact = identify(curves(history), is_exact=True)
    history.apply(StepFinished(101, 1001, 2000, 1.0, 1.0, 1.0, 1.0), 501.0)
    assert identify(curves(history), is_exact=False) == before
    assert identify(curves(history), is_exact=True) != exact
    history.epoch_metrics["validation_loss"].append(1001, 0.5)
    assert identify(curves(history), is_exact=False) != before


HARD = {
    "one": [1.0],
    "constant": [3.0] * 50,
    "zeros": [0.0] * 50,
    "nan": [math.nan] * 50,
    "none": [None] * 20,
    "infinite": [1.0, math.inf, -math.inf, 2.0] * 9,
    "huge": [1e99, -1e99, 0.0] * 9,
    "tiny": [1e-300, 2e-300] * 20,
    "all scales": [(-1) ** power * 10.0 ** (power % 90) for power in range(99)],
    "negative": [-step / 7 for step in range(1, 300)],
    "nearly constant": [1.0 + 1e-15 * step for step in range(30)],
}
VIEWS = (
    ChartView(),
    ChartView(is_log=True),
    ChartView(x_axis=XAxis.EPOCH, cursor=3.0),
    ChartView(x_axis=XAxis.TIME, smoothing=0, span=5),
    ChartView(span=10, end=20, smoothing=6, uses_blocks=True, cursor=1e9),
)
SIZES = ((1, 1), (20, 5), (21, 3), (66, 19))


def hard_cases() -> Iterator[tuple[CurvesData, ChartView]]:
    for values in HARD.values():
        history = run_of(values * (40 // len(values) or 1))
        for panel, view in itertools.product(("loss", "kl"), VIEWS):
            yield curves(history, panel), view


@pytest.mark.filterwarnings("error")
def test_every_size_is_filled_whatever_the_numbers() -> None:
    for data, view in hard_cases():
        for width, height in SIZES:
            drawn = draw_curves(data, view, width, height)
            if drawn is not None:
                assert [len(line) for line in lines(drawn)] == [width] * height


def test_a_panel_without_a_finite_number_draws_nothing() -> None:
    for values in ([], [math.nan] * 30, [None] * 30):
        history = run_of(values)
        assert draw_curves(curves(history), ChartView(), 66, 19) is None
    assert draw_bars(BarsData(PANELS["kl-dimensions"], (None, None)), 66, 19) is None
    assert draw_bars(BarsData(PANELS["kl-dimensions"], ()), 66, 19) is None
