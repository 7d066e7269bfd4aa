"""Numbers as people read them."""

import math

import pytest

from sda_tui import format as fmt


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (math.nan, "–"),
        (0, "0:00"),
        (59.6, "1:00"),
        (187, "3:07"),
        (8109, "2:15:09"),
        (360_000, "100:00:00"),
    ],
)
def test_duration(seconds: float | None, text: str) -> None:
    assert fmt.duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.08, "0.08 s"), (12.44, "12.4 s"), (324, "5.4 min"), (36_000, "10.0 h")]
)
def test_sound_duration(seconds: float, text: str) -> None:
    assert fmt.sound_duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.2, "1 s"),
        (40, "40 s"),
        (1500, "25 min"),
        (12_600, "3.5 h"),
        (345_600, "4 days"),
        (1e300, "36500 days"),
    ],
)
def test_an_estimated_duration_is_rough(seconds: float, text: str) -> None:
    assert fmt.rough_duration(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (1500, "1.5 kB"), (41_440_171, "41 MB"), (2.5e10, "25 GB")],
)
def test_size(count: float, text: str) -> None:
    assert fmt.size(count) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (math.inf, "–"),
        (0.0, "0.0000"),
        (1.23456, "1.2346"),
        (-0.5, "−0.5000"),
        (1e-5, "1.0e-05"),
    ],
)
def test_number(value: float | None, text: str) -> None:
    assert fmt.number(value) == text


@pytest.mark.parametrize(
    ("passed", "text"),
    [
        (-5, "just now"),
        (59, "just now"),
        (300, "5 min ago"),
        (7200, "2 h ago"),
        (86_400, "1 day ago"),
        (1e6, "12 days ago"),
    ],
)
def test_age(passed: float, text: str) -> None:
    assert fmt.age(1000.0, 1000.0 + passed) == text


def test_count() -> None:
    assert (fmt.count(1, "file"), fmt.count(12_000, "file")) == ("1 file", "12 000 files")
    assert fmt.sample_rate(44_100) == "44.1 kHz"


@pytest.mark.parametrize(("part", "text"), [(None, "–"), (math.nan, "–"), (0.576, "58%"), (1.0, "100%")])
def test_share(part: float | None, text: str) -> None:
    assert fmt.share(part) == text
