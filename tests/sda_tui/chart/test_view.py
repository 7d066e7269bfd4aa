"""The part of a run that charts show."""

import pytest

from sda_tui.chart.view import SHORTEST_SPAN, SMOOTHINGS, ChartView, XAxis


def test_the_whole_run_is_shown_at_first_and_grows_with_it() -> None:
    assert ChartView().window(100) == (0, 100)
    assert ChartView().window(200) == (0, 200)
    assert ChartView().window(0).span > 0


def test_zooming_at_the_right_edge_keeps_following_the_newest_step() -> None:
    view = ChartView().zoomed(4, 100)
    assert view.window(100) == (75, 100)
    assert view.window(160) == (135, 160)


def test_zooming_around_a_step_leaves_it_where_it_is() -> None:
    view = ChartView().zoomed(4, 100, at=20)
    window = view.window(100)
    assert window.span == 25
    assert (20 - window.first) / window.span == pytest.approx(0.2)
    assert view.window(500) == window
    assert view.zoomed(2, 100, at=20).zoomed(0.5, 100, at=20).window(100) == pytest.approx(window)


def test_zooming_around_the_crosshair_needs_no_pointer() -> None:
    window = ChartView(cursor=20).zoomed(4, 100).window(100)
    assert window == ChartView().zoomed(4, 100, at=20).window(100)


def test_zooming_out_ends_with_the_whole_run() -> None:
    view = ChartView(span=50, end=60)
    for _ in range(9):
        view = view.zoomed(0.5, 100)
    assert view == ChartView()


def test_zooming_in_has_an_end() -> None:
    view = ChartView()
    for _ in range(99):
        view = view.zoomed(2, 1e6)
    assert view.window(1e6).span == SHORTEST_SPAN


def test_panning_stops_at_both_ends_and_follows_again_at_the_right_one() -> None:
    view = ChartView(span=20).panned(-0.5, 100)
    assert view.window(100) == (70, 90)
    assert view.window(300) == (70, 90)
    assert view.panned(-99, 100).window(100) == (0, 20)
    assert view.panned(99, 100).window(300) == (280, 300)
    assert ChartView().panned(0.5, 100) == ChartView()


def test_a_window_of_a_run_that_was_cut_back_is_still_in_it() -> None:
    assert ChartView(span=20, end=90).window(50) == (30, 50)
    assert ChartView(span=80, end=90).window(50) == (0, 50)


def test_the_crosshair_appears_at_the_right_edge_and_stays_inside() -> None:
    view = ChartView().with_cursor_moved(-0.1, 100)
    assert view.cursor == 100
    assert view.with_cursor_moved(-0.1, 100).cursor == pytest.approx(90)
    assert view.with_cursor_moved(0.5, 100).cursor == 100
    assert view.without_cursor() == ChartView()


def test_smoothing_and_axes_go_round_or_stop() -> None:
    assert ChartView().smoothed(-99).time_constant(100) == 0
    assert ChartView().smoothed(99).time_constant(100) == 100 * SMOOTHINGS[-1]
    view = ChartView()
    axes = [(view := view.with_next_x_axis()).x_axis for _ in range(3)]
    assert axes == [XAxis.EPOCH, XAxis.TIME, XAxis.STEP]
