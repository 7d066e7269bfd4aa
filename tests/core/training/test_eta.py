"""The seconds that a run took, and those to come."""

import pytest

from core.training.eta import RunClock


def test_eta_is_steps_and_evaluations_without_outliers() -> None:
    clock = RunClock()
    assert clock.estimate_s(10, 1) is None
    for time_s in (9.0, 0.1, 0.1, 0.1, 0.1):  # the first step compiles and allocates
        clock.add_step(time_s)
    clock.add_evaluation(2.0)
    assert clock.estimate_s(100, 3) == pytest.approx(100 * 0.1 + 3 * 2.0)
    assert clock.estimate_s(0, 0) == 0


def test_resumed_run_estimates_from_its_former_times_until_it_has_new_ones() -> None:
    clock = RunClock()
    clock.load_state_dict({"elapsed_s": 1.0, "step_time_s": 0.2, "evaluation_time_s": 1.0})
    assert clock.estimate_s(10, 2) == pytest.approx(4.0)
    clock.add_step(0.1)
    assert clock.estimate_s(10, 2) == pytest.approx(3.0)


def test_elapsed_time_counts_across_resumes_but_not_between_them() -> None:
    now = [100.0]
    first = RunClock(lambda: now[0])
    now[0] += 7
    state = first.state_dict()
    now[0] += 1000
    second = RunClock(lambda: now[0])
    second.load_state_dict(state)
    now[0] += 5
    assert second.elapsed_s == pytest.approx(12.0)
    assert first.state_dict()["elapsed_s"] == pytest.approx(1012.0)
    assert state["elapsed_s"] == pytest.approx(7.0)
