"""Gains that bring sounds to one level."""

import math

import pytest

from core.audio.levels import LARGEST_GAIN, NORMALISED_PEAK, Level, decibels, gain_to_normalised


@pytest.mark.parametrize("peak", [2.0, 1.0, 0.25, 1e-3])
def test_the_gain_brings_a_peak_to_one_db_below_full_scale(peak: float) -> None:
    assert peak * gain_to_normalised(peak) == pytest.approx(10 ** (-1 / 20))


def test_the_gain_is_bounded_and_silence_stays_silence() -> None:
    assert gain_to_normalised(1e-6) == LARGEST_GAIN
    assert gain_to_normalised(0.0) == 1.0


def test_only_the_mode_file_asks_for_the_peak() -> None:
    assert Level("file").gain_of(0.5) == NORMALISED_PEAK / 0.5
    assert Level("dataset", 3.0).gain_of(0.5) == 3.0
    assert Level("off").gain_of(0.5) == 1.0


def test_a_sound_from_elsewhere_gets_no_louder_than_the_dataset() -> None:
    level = Level("dataset", 89.0)
    assert level.gain_of_foreign(0.01) == 89.0
    assert 0.5 * level.gain_of_foreign(0.5) == pytest.approx(NORMALISED_PEAK)
    assert Level("off").gain_of_foreign(2.0) == 1.0


def test_decibels_of_silence_are_minus_infinity() -> None:
    assert decibels(0.1) == pytest.approx(-20)
    assert decibels(0.0) == -math.inf
