"""Steps whose numbers are not finite: skipped, saved around, and returned from."""

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from core.events import CheckpointSaved, EpochFinished, RunEvent, RunState, StepFinished, Warned, WarningKind
from core.runs import summarise
from core.training.control import Control
from core.training.stepper import FLUSH_INTERVALS_S, Stepper
from tests.conftest import MakeRun
from tests.toy_task import FAST, poison_toy, train_toy, train_toy_to
from tests.training import checkpoint_names, end, newest_state, of, poison, train, weights


def test_non_finite_step_is_skipped_counted_and_warned_of(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, lambda call: call in (3, 4, 7))
    run = make_run(epochs=1)
    events = train(run)
    assert end(events).state == "finished"
    assert [each.step for each in of(StepFinished, events) if each.train_loss is None] == [3, 4, 7]
    assert of(Warned, events)[-1].message.startswith("3 steps skipped: the loss was not a finite number")
    assert all(torch.isfinite(value).all() for value in weights(run).values())


def test_step_has_no_host_sync(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    steps = 0
    real = Stepper.update

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, operator, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            if {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape} & set(operator.tags):
                asked.append(str(operator))
            return operator(*args, **(kwargs or {}))

    def update(self: Stepper, *arguments: Any) -> torch.Tensor:
        nonlocal steps
        steps += 1
        with Watch():
            numbers = real(self, *arguments)
            assert asked == []
            float(numbers[0])
        assert asked == ["aten._local_scalar_dense.default"]  # that is how one asks
        asked.clear()
        return numbers

    monkeypatch.setattr(Stepper, "update", update)
    assert end(train(make_run(epochs=1))).state == "finished"
    assert steps == 8


# -- by the toy task, as all of it is the trainer's -----------------------------------------------------


def test_ten_bad_steps_in_a_row_roll_back_at_half_the_learning_rate(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison_toy(monkeypatch, lambda call: 17 <= call <= 26)  # steps 17 to 26; then the run is back at step 16
    settings = {**FAST, "epochs": 4, "checkpoint_interval": 2}
    run, plain = make_run("bad", **settings), make_run("plain", **settings)
    events = train_toy(run)
    assert end(events).state == "finished"
    steps = of(StepFinished, events)
    assert [each.step for each in steps] == list(range(1, 33))
    assert all(each.train_loss is not None for each in steps)
    assert any(
        "back at step 16, with 0.5 times the learning rate" in each.message for each in of(Warned, events)
    )
    assert Warned(WarningKind.NON_FINITE, "", 16) in events  # taken back: those steps have not happened
    expected = {each.step: each.learning_rate for each in of(StepFinished, train_toy(plain))}
    assert steps[15].learning_rate == expected[16]
    assert steps[16].learning_rate == pytest.approx(expected[17] / 2)


def test_bad_steps_in_a_row_are_counted_across_a_resume(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison_toy(monkeypatch, lambda call: 9 <= call <= 18)
    run = make_run(**FAST, epochs=3)
    train_toy_to(run, 13)
    assert summarise(run).step == 13
    messages = [each.message for each in of(Warned, train_toy(run))]
    assert any("not finite 10 steps in a row: back at step 8" in message for message in messages)
    assert summarise(run).state is RunState.FINISHED


def test_nothing_is_saved_as_good_while_steps_are_bad(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps 12 to 21 are bad, across the end of the second epoch, where a checkpoint is due."""
    poison_toy(monkeypatch, lambda call: 12 <= call <= 21)
    run = make_run(**FAST, epochs=3)
    control = Control(run.requests)
    there: list[list[str]] = []

    def listen(event: RunEvent) -> None:
        if isinstance(event, StepFinished) and event.step == 13:
            control.save()  # by hand, too, waits for a good step
        if isinstance(event, Warned) and event.kind == "rollback":
            there.append(checkpoint_names(run))

    events = train_toy(run, listen, control)
    assert there == [["best.pt", "step-000000000.pt", "step-000000008.pt"]]
    assert any("back at step 8" in each.message for each in of(Warned, events))
    assert [each.path for each in of(CheckpointSaved, events) if each.reason == "manual"] == [
        "checkpoints/step-000000008-saved.pt",
        "checkpoints/step-000000013-saved.pt",  # step 13 came twice
    ]
    assert end(events).state == "finished"


def test_a_model_amid_bad_steps_is_not_the_best(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    poison_toy(monkeypatch, lambda call: 14 <= call <= 17)
    run = make_run(**FAST, epochs=3)
    epochs = of(EpochFinished, train_toy(run))
    assert epochs[1].validation_loss < epochs[0].validation_loss
    assert [each.best_epoch for each in epochs] == [1, 1, 3]  # the steps of the third were good again


def test_a_checkpoint_that_is_due_amid_bad_steps_comes_with_the_next_good_one(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison_toy(monkeypatch, lambda call: 14 <= call <= 17)
    events = train_toy(make_run(**FAST, epochs=3))
    assert [each.step for each in of(CheckpointSaved, events) if each.reason == "interval"] == [8, 18]


def test_a_run_that_ends_amid_bad_steps_is_finished_and_can_be_extended(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison_toy(monkeypatch, lambda call: 14 <= call <= 16)
    run = make_run(**FAST)
    assert end(train_toy(run)).state == "finished"
    assert "step-000000016-unsteady.pt" in checkpoint_names(run)
    run.change(summarise(run).continued({"epochs": 3}))
    assert [each.step for each in of(StepFinished, train_toy(run))] == list(range(1, 25))
    assert [name for name in checkpoint_names(run) if "unsteady" in name] == []


def test_a_checkpoint_that_leads_into_bad_steps_at_once_is_given_up(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All steps after step 16 are bad, until the run has returned to an older checkpoint than that."""
    poison_toy(monkeypatch, lambda call: 17 <= call <= 36)
    run = make_run(**FAST, epochs=4)
    events = train_toy(run)
    returns = [each.message for each in of(Warned, events) if each.kind == "rollback"]
    assert "back at step 8, with 0.25 times the learning rate" in returns[-1]
    assert "step-000000016.unusable" in checkpoint_names(run)
    assert end(events).state == "finished"


def test_metrics_flushed_late_as_on_a_gpu_change_nothing(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither among single bad steps nor where ten in a row lead back to a checkpoint."""
    bad_steps = {3, 4, 9, *range(17, 27)}
    messages = []
    for interval_s in (0.0, math.inf):
        with monkeypatch.context() as patch:
            patch.setitem(FLUSH_INTERVALS_S, "cpu", interval_s)
            poison_toy(patch, lambda call: call in bad_steps)
            run = make_run(f"every-{interval_s}", **FAST, epochs=4, checkpoint_interval=2)
            steps = of(StepFinished, train_toy(run))
        messages.append(([replace(each, step_time_s=0.0) for each in steps], newest_state(run)))
    (at_once, state_at_once), (late, state_late) = messages
    assert late == at_once
    for name, weight in state_at_once["model"].items():
        assert torch.equal(weight, state_late["model"][name]), name


def test_cancel_that_finds_pending_bad_steps_rolls_back_first(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(**FAST, epochs=4, checkpoint_interval=2)
    control = Control(run.requests)

    def is_bad(call: int) -> bool:
        if call == 27:
            control.cancel()
        return 17 <= call <= 26

    poison_toy(monkeypatch, is_bad)
    monkeypatch.setitem(FLUSH_INTERVALS_S, "cpu", math.inf)
    assert end(train_toy(run, control=control)).state == "cancelled"
    assert newest_state(run)["step"] == 16
    assert [each.step for each in of(StepFinished, train_toy(run))] == list(range(1, 33))


def test_a_loss_that_stays_bad_ends_the_run_with_its_state_saved(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison_toy(monkeypatch, lambda call: call > 4)
    run = make_run(**FAST, epochs=6)
    last = end(train_toy(run))
    assert last.state == "failed"
    assert "after 3 returns to a good checkpoint" in last.message
    assert "smaller learning_rate" in last.message
    assert checkpoint_names(run) == ["step-000000000.pt"]  # what the run ended in would only end it again
    assert all(torch.isfinite(value).all() for value in weights(run).values())
