"""Epochs and seconds of training at each step of a run."""

import numpy as np
import pytest

from core.events import StateChanged
from core.runs import RunHistory
from tests.core.runs.test_history import epoch, state, step


def test_epochs_have_fractions_between_and_continue_at_the_same_pace() -> None:
    history = RunHistory()
    history.apply(StateChanged("training", 0, 0, 100, 10), 0.0)
    assert history.clock.epochs_at(np.array([5.0, 50.0])).tolist() == [0.5, 5.0]
    for number in (1, 2):
        history.apply(epoch(number, 1.0, 1.0), float(number))
    assert history.clock.epochs_at(np.array([0.0, 15.0, 20.0, 25.0])).tolist() == [0.0, 1.5, 2.0, 2.5]
    assert history.clock.step_at(2) == 20


def test_time_of_a_resumed_run_goes_on_where_it_stopped() -> None:
    history = RunHistory()
    history.apply(state("training"), 0.0)
    for number in range(1, 11):
        history.apply(step(number), float(number))
    history.apply(state("cancelled", 10), 10.0)
    history.apply(state("loading", 10), 5000.0)
    history.apply(state("training", 10), 5010.0)
    history.apply(step(11), 5011.0)
    seconds = history.clock.seconds_at(np.array([0.0, 10.0, 11.0, 12.0]))
    assert seconds == pytest.approx([0.0, 10.0, 11.0, 12.0])


def test_time_never_goes_back_while_steps_go_on() -> None:
    history = RunHistory()
    history.apply(state("training"), 0.0)
    for number in range(1, 11):
        history.apply(step(number), 3.0 * number)
    history.apply(epoch(1, 1.0, 1.0), 31.0)  # its own figure: 7 s
    history.apply(step(11), 32.0)
    assert (np.diff(history.clock.seconds_at(np.arange(0.0, 20.0))) >= 0).all()


def test_a_run_without_a_step_has_a_clock_all_the_same() -> None:
    clock = RunHistory().clock
    assert np.isfinite(clock.epochs_at(np.array([0.0, 3.0]))).all()
    assert np.isfinite(clock.seconds_at(np.array([0.0, 3.0]))).all()
