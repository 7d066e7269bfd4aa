"""Whole runs in trouble: bad numbers, no memory, a full disk, sounds that change underneath."""

import contextlib
import errno
import math
import os
import shutil
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from core.errors import RunError
from core.events import (
    CheckpointSaved,
    EpochFinished,
    PreviewReady,
    RunEvent,
    RunState,
    StepFinished,
    Warned,
    WarningKind,
)
from core.model import VAE
from core.runs import RunDirectory, summarise
from core.training.control import Control
from core.training.run import train_run
from core.training.stepper import FLUSH_INTERVALS_S, Stepper
from tests.conftest import MakeRun, file_size_limit
from tests.training import (
    assert_same_outcome,
    end,
    history,
    logged,
    newest_state,
    of,
    poison,
    train,
    train_to,
    weights,
)


def names(run: RunDirectory) -> list[str]:
    return sorted(path.name for path in run.checkpoints.iterdir())


def test_non_finite_step_is_skipped_counted_and_warned_of(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, lambda call: call in (3, 4, 9))
    run = make_run()
    events = train(run)
    assert end(events).state == "finished"
    assert [each.step for each in of(StepFinished, events) if each.train_loss is None] == [3, 4, 9]
    assert of(Warned, events)[-1].message.startswith("3 steps skipped: the loss was not a finite number")
    assert all(torch.isfinite(value).all() for value in weights(run).values())


def test_ten_bad_steps_in_a_row_roll_back_at_half_the_learning_rate(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, lambda call: 17 <= call <= 26)  # steps 17 to 26; then the run is back at step 16
    settings = {"epochs": 4, "checkpoint_interval": 2}
    run, plain = make_run("bad", **settings), make_run("plain", **settings)
    events = train(run)
    assert end(events).state == "finished"
    steps = of(StepFinished, events)
    assert [each.step for each in steps] == list(range(1, 33))
    assert all(each.train_loss is not None for each in steps)
    assert any(
        "back at step 16, with 0.5 times the learning rate" in each.message for each in of(Warned, events)
    )
    assert Warned(WarningKind.NON_FINITE, "", 16) in events  # taken back: those steps have not happened
    expected = {each.step: each.learning_rate for each in of(StepFinished, train(plain))}
    assert steps[15].learning_rate == expected[16]
    assert steps[16].learning_rate == pytest.approx(expected[17] / 2)


def test_bad_steps_in_a_row_are_counted_across_a_resume(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, lambda call: 9 <= call <= 18)
    run = make_run(epochs=3)
    train_to(run, 13)
    assert summarise(run).step == 13
    messages = [each.message for each in of(Warned, train(run))]
    assert any("not finite 10 steps in a row: back at step 8" in message for message in messages)
    assert summarise(run).state is RunState.FINISHED


def test_nothing_is_saved_as_good_while_steps_are_bad(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Steps 12 to 21 are bad, across the end of the second epoch, where a checkpoint is due."""
    poison(monkeypatch, lambda call: 12 <= call <= 21)
    run = make_run(epochs=3)
    control = Control(run.requests)
    there: list[list[str]] = []

    def listen(event: RunEvent) -> None:
        if isinstance(event, StepFinished) and event.step == 13:
            control.save()  # by hand, too, waits for a good step
        if isinstance(event, Warned) and event.kind == "rollback":
            there.append(names(run))

    events = train(run, listen, control)
    assert there == [["best.pt", "step-000000000.pt", "step-000000008.pt"]]
    assert any("back at step 8" in each.message for each in of(Warned, events))
    assert [each.path for each in of(CheckpointSaved, events) if each.reason == "manual"] == [
        "checkpoints/step-000000008-saved.pt",
        "checkpoints/step-000000013-saved.pt",  # step 13 came twice
    ]
    assert end(events).state == "finished"


def test_a_model_amid_bad_steps_is_not_the_best(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    poison(monkeypatch, lambda call: 14 <= call <= 17)
    run = make_run(epochs=3)
    epochs = of(EpochFinished, train(run))
    assert epochs[1].validation_loss < epochs[0].validation_loss
    assert [each.best_epoch for each in epochs] == [1, 1, 1]  # the third is worse than the first


def test_a_checkpoint_that_is_due_amid_bad_steps_comes_with_the_next_good_one(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, lambda call: 14 <= call <= 17)
    events = train(make_run(epochs=3))
    assert [each.step for each in of(CheckpointSaved, events) if each.reason == "interval"] == [8, 18]


def test_a_run_that_ends_amid_bad_steps_is_finished_and_can_be_extended(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, lambda call: 14 <= call <= 16)
    run = make_run()
    assert end(train(run)).state == "finished"
    assert "step-000000016-unsteady.pt" in names(run)
    run.change(summarise(run).continued({"epochs": 3}))
    assert [each.step for each in of(StepFinished, train(run))] == list(range(1, 25))
    assert [name for name in names(run) if "unsteady" in name] == []


def test_a_checkpoint_that_leads_into_bad_steps_at_once_is_given_up(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All steps after step 16 are bad, until the run has returned to an older checkpoint than that."""
    poison(monkeypatch, lambda call: 17 <= call <= 36)
    run = make_run(epochs=4)
    events = train(run)
    returns = [each.message for each in of(Warned, events) if each.kind == "rollback"]
    assert "back at step 8, with 0.25 times the learning rate" in returns[-1]
    assert "step-000000016.unusable" in names(run)
    assert end(events).state == "finished"


@pytest.mark.parametrize("bad_steps", [(), (3, 4, 9), range(17, 27)])
def test_metrics_flushed_late_as_on_a_gpu_change_nothing(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, bad_steps: Collection[int]
) -> None:
    messages = []
    for interval_s in (0.0, math.inf):
        with monkeypatch.context() as patch:
            patch.setitem(FLUSH_INTERVALS_S, "cpu", interval_s)
            poison(patch, lambda call: call in bad_steps)
            run = make_run(f"every-{interval_s}", epochs=4, checkpoint_interval=2)
            steps = of(StepFinished, train(run))
        messages.append(([replace(each, step_time_s=0.0) for each in steps], newest_state(run)))
    (at_once, state_at_once), (late, state_late) = messages
    assert late == at_once
    for name, weight in state_at_once["model"].items():
        assert torch.equal(weight, state_late["model"][name]), name


def test_cancel_that_finds_pending_bad_steps_rolls_back_first(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(epochs=4, checkpoint_interval=2)
    control = Control(run.requests)

    def is_bad(call: int) -> bool:
        if call == 27:
            control.cancel()
        return 17 <= call <= 26

    poison(monkeypatch, is_bad)
    monkeypatch.setitem(FLUSH_INTERVALS_S, "cpu", math.inf)
    assert end(train(run, control=control)).state == "cancelled"
    assert newest_state(run)["step"] == 16
    assert [each.step for each in of(StepFinished, train(run))] == list(range(1, 33))


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
    assert end(train(make_run())).state == "finished"
    assert steps > 0


def test_a_loss_that_stays_bad_ends_the_run_with_its_state_saved(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, lambda call: call > 4)
    run = make_run(epochs=6)
    last = end(train(run))
    assert last.state == "failed"
    assert "after 3 returns to a good checkpoint" in last.message
    assert "smaller learning_rate" in last.message
    assert names(run) == ["step-000000000.pt"]  # what the run ended in would only end it again
    assert all(torch.isfinite(value).all() for value in weights(run).values())


def test_lack_of_memory_halves_the_batch_and_continues(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = VAE.forward

    def forward(self: VAE, log_mel: torch.Tensor, noise: torch.Tensor):
        if len(log_mel) > 1:
            raise torch.OutOfMemoryError("out of memory")
        return real(self, log_mel, noise)

    monkeypatch.setattr(VAE, "forward", forward)
    run = make_run(batch_size=4)
    events = train(run)
    assert end(events).state == "finished"
    messages = [each.message for each in of(Warned, events) if each.kind == "memory"]
    assert "the batch size is now 1, not 2" in messages[-1]
    assert [each.step for each in of(StepFinished, events)] == list(
        range(1, run.read_manifest().total_steps + 1)
    )


def test_lack_of_memory_of_a_cpu_halves_the_batch(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step asks torch's allocator for more than any machine has, until the batch is halved."""
    real = VAE.forward

    def forward(self: VAE, log_mel: torch.Tensor, noise: torch.Tensor):
        torch.empty((1 << 50) if len(log_mel) > 1 else 1)
        return real(self, log_mel, noise)

    monkeypatch.setattr(VAE, "forward", forward)
    events = train(make_run())
    assert end(events).state == "finished"
    (message,) = [each.message for each in of(Warned, events) if each.kind == "memory"]
    assert message == "The device ran out of memory: the batch size is now 1, not 2."


@pytest.mark.parametrize("failures", [1, 2])
def test_lack_of_memory_to_measure_is_answered_once(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, failures: int
) -> None:
    """With memory freed, and if that does not help with a sentence; the state is saved then."""
    from core.training import vae_task

    calls = []
    real = vae_task.evaluate

    def evaluate(*arguments: Any) -> Any:
        calls.append(1)
        if len(calls) <= failures:
            np.empty(1 << 50)
        return real(*arguments)

    monkeypatch.setattr(vae_task, "evaluate", evaluate)
    run = make_run()
    last = end(train(run))
    if failures == 1:
        assert (last.state, last.message) == ("finished", "")
    else:
        assert last.state == "failed"
        assert "has not enough memory to measure the model; choose a smaller batch_size" in last.message
        assert newest_state(run)["step"] == 0


def test_lack_of_memory_before_the_first_step_is_a_sentence(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.training.setup._initialise", lambda *_: torch.empty(1 << 50))
    last = end(train(make_run()))
    assert last.state == "failed"
    assert last.message.startswith("There is too little memory for this run; close other programs")


def test_lack_of_memory_for_one_chunk_ends_the_run_with_advice(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forward(self: VAE, log_mel: torch.Tensor, noise: torch.Tensor) -> None:
        raise torch.OutOfMemoryError("out of memory")

    monkeypatch.setattr(VAE, "forward", forward)
    last = end(train(make_run()))
    assert last.state == "failed"
    assert "one chunk of 0.25 s with 4 latent dimensions; choose a smaller chunk_duration_s" in last.message


def test_full_disk_is_warned_of_and_training_continues(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core import atomic

    def full(path: Path, data: bytes) -> None:
        if path.name == "step-000000008.pt":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        atomic.write_atomically(path, data)

    monkeypatch.setattr("core.checkpoints.folder.write_atomically", full)
    run = make_run()
    events = train(run)
    messages = [each.message for each in of(Warned, events) if each.kind == "disk"]
    assert "step 8 could not be written" in messages[0]
    assert "No space left on device" in messages[0]
    assert messages[-1] == ""
    assert (run.checkpoints / "step-000000016.pt").exists()


def test_a_disk_that_is_full_for_a_while_costs_nothing_but_that_time(make_run: MakeRun) -> None:
    """Neither log nor checkpoints can be written from step 10 to step 30 of 48."""
    uninterrupted, run = make_run("whole", epochs=6), make_run("full", epochs=6)
    train(uninterrupted)
    received: list[RunEvent] = []
    seen_while_full: list[int] = []
    with contextlib.ExitStack() as full:

        def listen(event: RunEvent) -> None:
            received.append(event)
            if isinstance(event, StepFinished) and event.step == 10:
                full.enter_context(file_size_limit(run.events.stat().st_size + 700))
            if isinstance(event, StepFinished) and event.step == 30:
                seen_while_full.append(summarise(run).step)
                assert newest_state(run)["step"] == 8
                full.close()

        train(run, listen)
    assert seen_while_full[0] < 16
    messages = {(each.kind, bool(each.message)) for each in of(Warned, received)}
    assert {("disk", True), ("disk", False), ("log", True), ("log", False)} <= messages
    assert newest_state(run)["step"] == 48
    steps = [each.step for each in of(StepFinished, logged(run))]
    assert steps == list(range(1, 49))
    assert weights(run).keys() == weights(uninterrupted).keys()
    assert all(torch.equal(mine, weights(uninterrupted)[name]) for name, mine in weights(run).items())
    assert not history(run).warnings.keys() & {"disk", "log"}


def test_a_run_whose_disk_stays_full_is_not_finished_and_continues(make_run: MakeRun) -> None:
    """From the first epoch on log lines and previews fit, and checkpoints do not."""
    whole, run = make_run("whole", epochs=4), make_run("full", epochs=4)
    train(whole)
    with contextlib.ExitStack() as full:

        def listen(event: RunEvent) -> None:
            if isinstance(event, EpochFinished) and event.epoch == 2:
                full.enter_context(file_size_limit(200_000))

        last = end(train(run, listen))
    assert last.state == "failed"
    assert "The checkpoint of step 32 could not be written" in last.message
    assert "(File too large); files may not become as long as that here" in last.message
    summary = summarise(run)
    assert (summary.state, summary.step, summary.epoch) == (RunState.FAILED, 8, 1)
    summary.continued({})
    assert end(train(run)).state == "finished"
    assert_same_outcome(run, whole)


@pytest.mark.parametrize("is_repaired", [True, False])
def test_previews_that_could_not_be_written_are_made_again(
    make_run: MakeRun, uninterrupted: RunDirectory, is_repaired: bool
) -> None:
    """Those of the first epoch with the next ones, those of the last after a resume."""
    run = make_run()
    hidden = run.path / "hidden"

    def repair() -> None:
        run.previews.unlink()
        hidden.rename(run.previews)

    def listen(event: RunEvent) -> None:
        is_last_of_epoch = isinstance(event, PreviewReady) and event.kind == "sample"
        if is_last_of_epoch and event.epoch == (0 if is_repaired else 1):
            run.previews.rename(hidden)
            run.previews.touch()
        if is_repaired and isinstance(event, Warned) and event.kind == "preview" and event.message:
            repair()

    events = train(run, listen)
    messages = [each.message for each in of(Warned, events) if each.kind == "preview"]
    assert messages[0].startswith(f"The previews of epoch {1 if is_repaired else 2} could not be written")
    if is_repaired:
        assert messages[-1] == ""
    else:
        assert end(events).state == "failed"
        assert end(events).message == messages[-1]
        repair()
        summarise(run).continued({})
        events = train(run)
    assert end(events).state == "finished"
    assert_same_outcome(run, uninterrupted)


def test_a_run_that_is_moved_while_it_trains_continues_where_it_is_then(
    make_run: MakeRun, uninterrupted: RunDirectory
) -> None:
    run = make_run()
    moved = RunDirectory(run.path.with_name("moved"))

    def listen(event: RunEvent) -> None:
        if isinstance(event, StepFinished) and event.step == 10:
            run.path.rename(moved.path)

    train_run(run, "cpu", Control(run.requests), listen)
    assert not run.path.exists()
    last = end(logged(moved))
    assert last.state == "failed"
    assert "its folder was moved or deleted; put it back" in last.message
    assert end(train(moved)).state == "finished"
    assert_same_outcome(moved, uninterrupted)


def test_what_a_killed_process_left_is_removed_and_nothing_else(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    outside = tmp_path / "outside"
    outside.touch()
    leftovers = [
        run.path / ".events.jsonl.17.tmp",
        run.path / ".run.json.17.tmp",
        run.checkpoints / ".step-000000004.pt.17.tmp",
        run.checkpoints / ".step-000000004-saved.pt.17.tmp",
        run.checkpoints / ".best.pt.99999.tmp",
        run.previews / ".epoch-0001-sample-1.wav.17.tmp",
        run.previews / ".epoch-0001-sample-1.npy.17.tmp",
    ]
    others = [
        run.path / ".notes.17.tmp",
        run.path / "events.jsonl.17.tmp",
        run.checkpoints / ".step-000000004.pt.tmp",
        run.checkpoints / ".my-model.pt.17.tmp",
    ]
    for path in (*leftovers, *others):
        path.touch()
    (run.checkpoints / ".best.pt.18.tmp").symlink_to(outside)
    train_to(run, 1)
    assert [path.name for path in leftovers if path.exists()] == []
    assert all(path.exists() for path in others)
    assert outside.exists()


def test_too_little_space_is_warned_of_before_it_runs_out(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")._replace(free=100_000)
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage)
    run = make_run()
    warnings = {each.kind: each.message for each in of(Warned, train(run))}
    assert "MB more, and 0 MB are free in" in warnings["space"]
    assert "could not be written" in warnings["disk"]
    assert not list(run.checkpoints.iterdir())


def test_a_dataset_that_does_not_fit_into_memory_trains_from_disk(
    make_run: MakeRun, uninterrupted: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run("on-disk")
    monkeypatch.setattr("core.training.setup.fits_memory", lambda size_bytes: False)
    train(run)
    assert_same_outcome(run, uninterrupted)


def test_a_file_poisoned_after_the_scan_is_left_out(make_run: MakeRun, sounds: Path) -> None:
    run = make_run()
    soundfile.write(sounds / "tone-2.wav", np.full(48_000, np.nan), 48_000, subtype="FLOAT")
    events = train(run)
    assert end(events).state == "finished"
    assert any("tone-2.wav is gone or changed" in each.message for each in of(Warned, events))
    assert all(each.train_loss is not None for each in of(StepFinished, events))


def test_absurd_learning_rate_ends_with_finite_numbers_or_advice(make_run: MakeRun) -> None:
    run = make_run(epochs=6, learning_rate=1.0, gradient_clip_norm=1000.0, learning_rate_warmup_fraction=0.0)
    last = end(train(run))
    assert last.state == "finished" or "smaller learning_rate" in last.message
    assert all(torch.isfinite(value).all() for value in weights(run).values())


def test_last_checkpoint_that_cannot_be_written_is_in_the_last_message(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("core.checkpoints.folder.write_atomically", full)
    cancelled = end(train_to(make_run("cancelled"), 3))
    assert cancelled.state == "cancelled"
    assert "step 3 could not be written" in cancelled.message
    finished = end(train(make_run("finished")))
    assert finished.state == "failed"
    assert "step 16 could not be written" in finished.message


def test_a_run_that_another_process_trains_is_left_alone(make_run: MakeRun) -> None:
    run = make_run()
    other = RunDirectory(run.path)
    other.lock.acquire()
    before = run.events.read_bytes()
    with pytest.raises(RunError, match="is being trained by process"):
        train(run)
    assert run.events.read_bytes() == before
    other.lock.release()


def test_unexpected_error_is_one_message_and_its_traceback_is_logged(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr("core.training.vae_task.evaluate", fail)
    run = make_run()
    last = end(train(run))
    assert last.state == "failed"
    assert "ZeroDivisionError: division by zero" in last.message
    assert "Traceback" in run.log.read_text()
