"""A curve of any length in bounded memory."""

import math
import random

import pytest

from core.runs.series import CAPACITY, Series


def series_of(points: list[tuple[float, float]]) -> Series:
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
    found = series_of(points).points(CAPACITY)
    for first in range(0, len(points), 4):
        stretch = sorted(points[first : first + 4], key=lambda point: point[1])
        assert {stretch[0], stretch[-1]} <= set(found)


def test_a_million_points_take_no_more_memory_than_a_thousand() -> None:
    series = series_of([(float(x), float(x % 97)) for x in range(1_000_000)])
    assert CAPACITY / 2 < len(series) <= CAPACITY
