"""What the dashboard says of a run in one sentence."""

from dataclasses import replace

import pytest

from core.events import EpochFinished, RunState, StateChanged, Warned, WarningKind
from core.runs import RunHistory
from sda_tui.judgement import describe_gain, judge
from sda_tui.look import Tone
from tests.sda_tui.driving import a_step, an_epoch


def history_of(*epochs: EpochFinished, overfits: bool = False) -> RunHistory:
    history = RunHistory()
    history.apply(StateChanged("training", 0, 0, 100, 100), 0.0)
    history.apply(a_step(1, 1.0), 1.0)
    for epoch in epochs:
        history.apply(epoch, 2.0)
    if overfits:
        history.apply(Warned(WarningKind.OVERFITTING, "Overfitting.", 1), 3.0)
    return history


def epoch(number: int, best: int, error: float = 0.5) -> EpochFinished:
    return replace(an_epoch(number, best, 0.1), validation_error=error, untrained_error=1.0)


@pytest.mark.parametrize(
    ("history", "state", "sentence", "tone"),
    [
        (history_of(epoch(7, 7)), RunState.TRAINING, "best epoch so far, with 50 % less error", Tone.GOOD),
        (history_of(epoch(9, 7)), RunState.TRAINING, "Still improving; best so far 2 epochs ago", Tone.GOOD),
        (history_of(epoch(60, 41)), RunState.TRAINING, "No better since epoch 41, 19 epochs", Tone.NEUTRAL),
        (
            history_of(epoch(60, 41), overfits=True),
            RunState.TRAINING,
            "Better on its own sounds, worse on held-out ones since epoch 41: stop, or add sounds.",
            Tone.BAD,
        ),
        (history_of(epoch(3, 1, error=1.2)), RunState.TRAINING, "Worse on held-out sounds", Tone.CAUTION),
        (history_of(epoch(40, 40)), RunState.FINISHED, "It ended at its best", Tone.GOOD),
        (history_of(epoch(60, 41)), RunState.CANCELLED, "Its best was epoch 41 of 60", Tone.NEUTRAL),
        (history_of(), RunState.TRAINING, "the first judgement comes at the end of epoch 1", Tone.NEUTRAL),
        (history_of(), RunState.FAILED, "there is nothing to judge", Tone.NEUTRAL),
    ],
)  # fmt: skip
def test_one_sentence_says_how_a_run_goes(
    history: RunHistory, state: RunState, sentence: str, tone: Tone
) -> None:
    found = judge(history, state)
    assert sentence in found.sentence
    assert found.tone is tone


def test_no_gain_on_held_out_sounds_is_not_called_improving() -> None:
    found = judge(history_of(epoch(2, 2, error=1.0)), RunState.TRAINING)
    assert "no better than untrained yet" in found.sentence
    assert found.tone is Tone.NEUTRAL


def test_the_end_that_is_being_written_is_said() -> None:
    history = history_of(epoch(7, 7))
    history.apply(replace(a_step(100, 1.0), total_steps=100), 4.0)
    assert "are being written" in judge(history, RunState.TRAINING).sentence


def test_a_wide_gap_alone_is_nothing_wrong() -> None:
    assert judge(history_of(an_epoch(5, 5, gap=3.0)), RunState.TRAINING).tone is Tone.GOOD


def test_a_step_without_a_number_is_said_and_is_no_crash() -> None:
    history = history_of(epoch(7, 7))
    history.apply(a_step(2, None), 4.0)
    assert judge(history, RunState.TRAINING).tone is Tone.CAUTION


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (0.61, "39 % less error"), (1.25, "25 % more error"), (1.001, "as much error"),
        (None, ""), (float("nan"), ""),
    ],
)  # fmt: skip
def test_the_change_since_the_untrained_model_is_told(error: float | None, said: str) -> None:
    found = describe_gain(replace(an_epoch(3, 3, 0.1), validation_error=error, untrained_error=1.0))
    assert found.startswith(said)
    assert bool(found) == bool(said)
