"""A curve of any length in bounded memory."""

import math
import random
from collections.abc import Sequence

import pytest

from core.runs.series import CAPACITY, Series


def series_of(points: Sequence[tuple[float, float | None]]) -> Series:
    series = Series()
    for x, y in points:
        series.append(x, y)
    return series


def test_a_short_curve_is_kept_as_it_is() -> None:
    points = [(float(x), math.sin(x)) for x in range(CAPACITY)]
    assert series_of(points).points(CAPACITY) == points
    assert series_of(points[:1]).points(60) == points[:1]
    assert Series().points(60) == []
    assert Series().newest is None


@pytest.mark.parametrize("length", [CAPACITY + 1, 10_000, 65_537])
@pytest.mark.parametrize("columns", [1, 60, 1000])
def test_no_spike_is_lost_and_no_column_has_more_than_two_points(length: int, columns: int) -> None:
    draws = random.Random(0)
    points = [(float(x), draws.random()) for x in range(length)]
    high, low = length // 7, length - length // 5
    points[high], points[low] = (float(high), 99.0), (float(low), -99.0)
    found = series_of(points).points(columns)
    assert len(found) <= 2 * min(columns, CAPACITY) + 1
    assert {points[high], points[low], points[-1]} <= set(found) <= set(points)
    assert found == sorted(found)


def test_each_column_has_the_extremes_of_its_stretch() -> None:
    draws = random.Random(1)
    points = [(float(x), draws.random()) for x in range(4 * CAPACITY)]
    found = set(series_of(points).points(CAPACITY))
    for first in range(0, len(points), 4):
        stretch = sorted(points[first : first + 4], key=lambda point: point[1])
        assert {stretch[0], stretch[-1]} <= found


def test_a_hundred_thousand_points_take_no_more_memory_than_some_thousand() -> None:
    series = series_of([(float(x), float(x % 97)) for x in range(100_000)])
    assert CAPACITY / 2 < len(series) <= CAPACITY


@pytest.mark.parametrize("length", [1, 100, 3 * CAPACITY + 5])
def test_stretches_hold_every_point_once(length: int) -> None:
    draws = random.Random(2)
    values = [draws.gauss(5, 1) for _ in range(length)]
    columns = series_of(list(enumerate(values))).columns()
    assert columns.finite.sum() == length
    assert columns.total.sum() == pytest.approx(sum(values))
    assert (columns.lowest.min(), columns.highest.max()) == (min(values), max(values))
    assert (columns.first_x[0], columns.last_x[-1]) == (0, length - 1)
    assert (columns.first_x[1:] == columns.last_x[:-1] + 1).all()
    means = columns.total / columns.finite
    assert ((columns.lowest <= means) & (means <= columns.highest)).all()


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, None, 1e101])
def test_what_is_not_finite_is_a_gap_and_no_point(bad: float | None) -> None:
    series = series_of([(1, 5.0), (2, bad), (3, 7.0), (4, bad)])
    assert series.points(10) == [(1, 5.0), (3, 7.0)]
    assert series.newest == (3, 7.0)
    columns = series.columns()
    assert columns.gaps.tolist() == [0, 1, 0, 1]
    assert columns.finite.tolist() == [1, 0, 1, 0]
    assert math.isnan(columns.lowest[1])


def test_a_gap_of_many_stretches_stays_one_when_they_are_merged() -> None:
    length = 4 * CAPACITY
    middle = range(length // 4, length // 2)
    series = series_of([(x, None if x in middle else 1.0) for x in range(length)])
    columns = series.columns()
    assert len(columns.first_x) == CAPACITY
    inside = (columns.first_x >= middle.start) & (columns.last_x < middle.stop)
    assert not columns.finite[inside].any()
    assert columns.finite[~inside].all()


def test_a_curve_that_goes_back_continues_from_there() -> None:
    series = series_of([(x, float(x)) for x in range(1, 11)])
    series.append(6, -6.0)
    series.append(7, -7.0)
    assert series.points(99) == [(1, 1.0), (2, 2.0), (3, 3.0), (4, 4.0), (5, 5.0), (6, -6.0), (7, -7.0)]
    series.append(1, None)
    assert series.points(99) == []
    assert series.newest is None


def test_columns_are_made_again_when_a_point_is_added() -> None:
    series = series_of([(1, 1.0)])
    before = series.columns()
    assert series.columns() is before
    series.append(2, 4.0)
    assert series.columns().highest.tolist() == [1, 4]
