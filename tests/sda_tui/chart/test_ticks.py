"""Round numbers on the axes."""

import pytest

from sda_tui.chart import ticks


@pytest.mark.parametrize(
    ("low", "high", "most", "expected"),
    [
        (0, 1, 6, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]),
        (-2.13, -1.9, 4, ["−2.1", "−2.0", "−1.9"]),
        (0, 100_000, 6, ["0", "20k", "40k", "60k", "80k", "100k"]),
        (0, 2_500_000, 3, ["0", "1M", "2M"]),
        (9_000, 11_500, 3, ["9k", "10k", "11k"]),
        (0, 4e-5, 3, ["0", "2e−5", "4e−5"]),
        (1e5, 1e5 + 1, 3, ["100000.0", "100000.5", "100001.0"]),
        (1e30, 3e30, 3, ["1e30", "2e30", "3e30"]),
        (0.4123, 0.4127, 3, ["0.4124", "0.4126"]),
    ],
)
def test_ticks_are_round_and_told_apart(low: float, high: float, most: int, expected: list[str]) -> None:
    assert ticks.labels(ticks.round_ticks(low, high, most)) == expected


@pytest.mark.parametrize("low", [-1e99, -3.7, 0.0, 1e-300, 12.0, 1e99])
@pytest.mark.parametrize("span", [1e-300, 1e-9, 0.3, 7.0, 1e6, 1e99])
@pytest.mark.parametrize("most", [0, 1, 2, 5])
def test_there_are_never_too_many_ticks_nor_two_alike(low: float, span: float, most: int) -> None:
    found = ticks.round_ticks(low, low + span, most)
    labels = ticks.labels(found)
    assert len(found) <= most
    assert len(set(labels)) == len(labels)


def test_log_ticks_are_powers_of_ten_and_parts_of_them_where_those_are_few() -> None:
    assert ticks.log_labels(ticks.log_ticks(1e-5, 1e5, 4)) == ["1e−5", "0.01", "10", "10k"]
    assert ticks.log_labels(ticks.log_ticks(0.15, 6, 5)) == ["0.2", "0.5", "1", "2", "5"]
    assert ticks.log_labels(ticks.log_ticks(3.0, 4.0, 3)) == ["3", "3.5", "4"]


@pytest.mark.parametrize(
    ("high_s", "expected"),
    [
        (95, ["0s", "30s", "1:00", "1:30"]),
        (1300, ["0s", "5:00", "10:00", "15:00", "20:00"]),
        (9000, ["0s", "30:00", "1h", "1h30", "2h", "2h30"]),
        (90_000, ["0s", "6h", "12h", "18h", "1d"]),
        (0.5, ["0s", "0.1s", "0.2s", "0.3s", "0.4s", "0.5s"]),
    ],
)
def test_times_are_whole_parts_of_larger_units(high_s: float, expected: list[str]) -> None:
    assert ticks.time_labels(ticks.time_ticks(0, high_s, 6)) == expected


def test_a_figure_has_four_digits() -> None:
    shown = [ticks.figure(value) for value in (0.41234, -12.3456, 12_345.6, 4e-5, 0.0, float("nan"))]
    assert shown == ["0.4123", "−12.35", "12.35k", "4.00e−5", "0.000", "–"]
