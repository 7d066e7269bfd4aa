"""The state of a run that follows from its events, in their order."""

import math
from dataclasses import replace

import pytest

from core.events import (
    CheckpointSaved,
    EpochFinished,
    LoadProgress,
    MemoryUsed,
    PreviewReady,
    RunState,
    StateChanged,
    StepFinished,
    Warned,
    WarningKind,
)
from core.runs import RunHistory


def state(name: str, step: int = 0, message: str = "") -> StateChanged:
    return StateChanged(name, step, step // 10, 100, 10, message)


def step(number: int, loss: float | None = 1.0, step_time_s: float = 0.5) -> StepFinished:
    metrics = {"reconstruction_loss": 2.0 * number, "kl_loss": 3.0 * number, "kl_weight": 0.5}
    return StepFinished((number - 1) // 10 + 1, number, 100, loss, 0.001 * number, 1.0, step_time_s, metrics)


def epoch(number: int, train: float, validation: float, eta_s: float = 90.0) -> EpochFinished:
    return EpochFinished(
        epoch=number,
        total_epochs=10,
        step=10 * number,
        train_loss=train,
        validation_loss=validation,
        train_error=0.1,
        validation_error=0.2,
        overfitting_gap=1.0,
        best_validation_loss=validation,
        best_epoch=number,
        elapsed_s=7.0 * number,
        eta_s=eta_s,
        memory_used_bytes=1,
        memory_peak_bytes=2,
        memory_total_bytes=3,
    )


def history_of(*events: object) -> RunHistory:
    history = RunHistory()
    for time_s, event in enumerate(events):
        history.apply(event, float(time_s))  # type: ignore[arg-type]
    return history


def test_newest_losses_are_those_of_the_steps_in_order() -> None:
    steps = [step(number, -0.01 * number) for number in range(1, 301)]
    history = history_of(*steps, step(301, math.nan), step(302, None))
    assert list(history.newest_losses) == pytest.approx([-0.01 * number for number in range(101, 301)])
    assert history.step == 302
    assert history.last_step == step(302, None)


def test_curves_of_training_and_validation_are_not_confused() -> None:
    history = history_of(epoch(1, 5.0, 6.0), epoch(2, 3.0, 4.0), epoch(3, math.inf, 4.5))
    assert history.training_losses.points(10) == [(1, 5.0), (2, 3.0)]
    assert history.validation_losses.points(10) == [(1, 6.0), (2, 4.0), (3, 4.5)]


def test_curves_by_step_hold_each_metric_under_its_name() -> None:
    history = history_of(step(1), step(2))
    assert history.step_metrics["reconstruction_loss"].points(10) == [(1, 2.0), (2, 4.0)]
    assert history.step_metrics["kl_loss"].points(10) == [(1, 3.0), (2, 6.0)]
    assert history.step_metrics["learning_rate"].points(10) == [(1, 0.001), (2, 0.002)]


def test_numbers_of_epochs_are_curves_by_step() -> None:
    measured = {"validation_kl_loss": 0.5, "kl_per_dimension": (1.0, None), "validation_detail": None}
    history = history_of(replace(epoch(2, 5.0, 6.0), metrics=measured))
    assert history.epoch_metrics["validation_loss"].points(9) == [(20, 6.0)]
    assert history.epoch_metrics["validation_kl_loss"].points(9) == [(20, 0.5)]
    assert history.epoch_metrics["train_error"].points(9) == [(20, 0.1)]
    assert len(history.epoch_metrics["validation_detail"]) == 1  # a gap
    assert "kl_per_dimension" not in history.epoch_metrics
    assert history.kl_per_dimension == (1.0, None)


def test_every_number_of_a_step_is_a_curve() -> None:
    history = history_of(step(1, loss=2.0, step_time_s=0.5), step(2, loss=math.nan, step_time_s=0.0))
    newest = {name: series.newest for name, series in history.step_metrics.items()}
    assert newest["train_loss"] == (1, 2.0)
    assert newest["gradient_norm"] == (2, 1.0)
    assert newest["steps_per_s"] == (1, 2.0)
    assert history.kl_per_dimension == ()


def test_a_run_with_very_many_metrics_keeps_the_first() -> None:
    many = {f"metric-{number}": 1.0 for number in range(1000)}
    history = history_of(replace(step(1), metrics=many), replace(step(2), metrics=many))
    assert 10 < len(history.step_metrics) < 100
    assert len(history.step_metrics["metric-1"]) == 2


def test_eta_falls_with_the_steps_since_the_newest_epoch() -> None:
    history = history_of(state("training"), epoch(1, 1.0, 1.0, eta_s=90.0), step(11))
    assert history.eta_s == pytest.approx(89.0)
    history.apply(step(55), 5.0)
    assert history.eta_s == pytest.approx(45.0)


def test_eta_before_the_first_epoch_follows_from_the_speed() -> None:
    history = history_of(state("training"), step(1, step_time_s=9.0), step(2), step(3))
    assert history.steps_per_s == pytest.approx(2.0)
    assert history.eta_s == pytest.approx(97 / 2)


@pytest.mark.parametrize("ended", ["cancelled", "finished", "failed"])
def test_run_that_has_ended_has_no_eta(ended: str) -> None:
    assert history_of(state("training"), epoch(1, 1.0, 1.0), step(11), state(ended, 11)).eta_s is None


def test_elapsed_time_is_of_training_alone() -> None:
    history = RunHistory()
    history.apply(state("training"), 100.0)
    history.apply(step(1), 102.0)
    history.apply(step(2), 105.0)
    assert history.elapsed_s == pytest.approx(5.0)
    history.apply(epoch(1, 1.0, 1.0), 110.0)
    assert history.elapsed_s == pytest.approx(7.0)  # as the run itself has counted
    history.apply(state("training", 10), 5000.0)
    history.apply(step(11), 5003.0)
    assert history.elapsed_s == pytest.approx(10.0)


def test_warning_holds_until_it_is_taken_back_or_the_run_loads_again() -> None:
    blurred = Warned(WarningKind.BLUR, "Blurred.", 3)
    history = history_of(state("training"), blurred, Warned(WarningKind.DISK, "Full.", 4))
    assert history.warning(WarningKind.BLUR) == "Blurred."
    history.apply(Warned(WarningKind.BLUR, "", 5), 9.0)
    assert history.warning(WarningKind.BLUR) == ""
    assert history.warning(WarningKind.DISK) == "Full."
    history.apply(state("loading", 5), 10.0)
    assert history.warnings == {}


def test_state_and_its_message_are_those_of_the_newest_line() -> None:
    history = history_of(state("loading"), LoadProgress("decoding", 3, 9))
    assert (history.state, history.loading) == (RunState.LOADING, LoadProgress("decoding", 3, 9))
    history.apply(state("training", 20), 3.0)
    assert (history.state, history.loading, history.step, history.epoch) == (RunState.TRAINING, None, 20, 2)
    history.apply(state("failed", 21, "Too loud."), 4.0)
    assert (history.state, history.message, history.total_epochs) == (RunState.FAILED, "Too loud.", 10)


def test_checkpoint_to_continue_from_is_not_the_best() -> None:
    saved = CheckpointSaved(1, 10, "checkpoints/step-000000010.pt", "interval", 5)
    history = history_of(saved, CheckpointSaved(1, 10, "checkpoints/best.pt", "best", 5))
    assert history.checkpoint == saved


def test_previews_are_kept_in_the_order_in_which_they_came() -> None:
    made = [PreviewReady(0, 0, "sample", f"sample {n}", f"previews/{n}.wav", 1.0, ()) for n in (2, 1)]
    assert history_of(*made).previews == made


def test_of_very_many_previews_the_clip_those_of_the_best_epoch_and_the_newest_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("core.runs.history.MOST_PREVIEWS", 6)
    made = [PreviewReady(n // 2, n, "sample", "sample", f"previews/{n}.wav", 1.0, ()) for n in range(20)]
    kept = history_of(epoch(2, 1.0, 1.0), *made).previews
    assert [each.step for each in kept] == [0, 1, 4, 5, 18, 19]


def test_memory_is_known_from_the_first_step_and_then_from_the_newest_epoch() -> None:
    first = MemoryUsed(1, 10, 20, 30)
    assert history_of(first, step(1)).memory == first
    assert history_of(first, step(1), epoch(1, 1.0, 1.0)).memory == MemoryUsed(10, 1, 2, 3)
    assert history_of(epoch(1, 1.0, 1.0), state("loading", 10)).memory is None


@pytest.mark.parametrize(
    ("now", "best", "is_improving"),
    [(1, 1, True), (6, 1, True), (7, 1, False), (100, 90, True), (100, 89, False), (3, 0, False)],
)
def test_run_improves_while_its_best_epoch_is_recent(now: int, best: int, is_improving: bool) -> None:
    newest = replace(epoch(now, 1.0, 1.0), best_epoch=best)
    assert history_of(newest).is_improving is is_improving
    assert not history_of().is_improving


def test_best_quality_is_that_of_the_best_epoch() -> None:
    best = replace(epoch(1, 1.0, 1.0), validation_error=1.0, untrained_error=2.0)
    worse = replace(epoch(2, 1.0, 2.0), best_epoch=1, validation_error=2.0, untrained_error=2.0)
    assert history_of(best, worse).best_quality == 0.75
    assert history_of().best_quality is None
