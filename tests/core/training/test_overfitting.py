"""The overfitting warning: on several epochs in a row, on held-out error, with advice."""

import pytest

from core.training.overfitting import OverfittingDetector, overfitting_gap, quality


def test_the_gap_is_relative_to_the_training_error() -> None:
    assert overfitting_gap(0.5, 0.6) == pytest.approx(0.2)
    assert overfitting_gap(0.5, 0.4) == pytest.approx(-0.2)
    assert overfitting_gap(0.0, 0.4) == 0.0


def test_quality_is_one_minus_the_gap_within_its_bounds() -> None:
    assert [quality(gap) for gap in (-0.5, 0.0, 0.25, 1.0, 3.0)] == [1.0, 1.0, 0.75, 0.0, 0.0]


def test_one_uptick_says_nothing() -> None:
    detector = OverfittingDetector()
    for gap in (0.1, 0.9, 0.1, 0.3, 0.3, 0.3, 0.3, 0.1):
        detector.update(gap)
        assert detector.warning(gap, 8, 1) == ""


def test_five_epochs_in_a_row_warn_until_the_gap_closes() -> None:
    detector = OverfittingDetector()
    for _ in range(5):
        detector.update(0.25)
    sentence = detector.warning(0.25, epoch=9, best_epoch=3)
    assert sentence.startswith("Overfitting: held-out sounds come out 25% worse")
    assert "Best was epoch 3" in sentence
    detector.update(0.1)
    assert detector.warning(0.1, 10, 3) == ""


def test_a_model_that_still_gets_better_is_not_called_overfitting() -> None:
    detector = OverfittingDetector(epochs_over_limit=7)
    assert "still better than ever" in detector.warning(0.5, epoch=9, best_epoch=9)


def test_a_gap_that_is_no_number_counts_as_none() -> None:
    detector = OverfittingDetector(epochs_over_limit=9)
    detector.update(float("nan"))
    assert detector.epochs_over_limit == 0
