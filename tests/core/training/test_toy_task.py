"""A second thing to train: what the trainer does for a VAE, it does for any task."""

import contextlib
import math
import time
import weakref
from collections.abc import Callable, Iterator, Mapping

import pytest
import torch
from torch import Tensor

from core.checkpoints.archive import read_checkpoint
from core.events import (
    CheckpointSaved,
    EpochFinished,
    PreviewReady,
    RunEvent,
    StateChanged,
    StepFinished,
    Warned,
)
from core.runs import RunDirectory, summarise
from core.training.control import Control
from core.training.recovery import Recovery
from core.training.stepper import FLUSH_INTERVALS_S
from core.training.task import TaskLoss
from tests.conftest import MakeRun, create_run, file_size_limit, write_tones
from tests.toy_task import CONSTANT, HALF, TOY, ToyPreviews, ToyTask, train_toy, train_toy_to
from tests.training import PATIENCE_S, assert_same_outcome, end, history, newest_state, of, wait_for


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A run of the toy task that was trained to its end at once; not to be changed."""
    folder = tmp_path_factory.mktemp("whole")
    run = create_run(folder, "whole", write_tones(folder / "sounds"), TOY)
    train_toy(run)
    return run


def test_toy_task_trains_and_reports_as_any_other(make_run: MakeRun) -> None:
    run = make_run(**TOY)
    events = train_toy(run)
    assert [each.state for each in of(StateChanged, events)] == ["loading", "training", "finished"]
    steps, epochs = of(StepFinished, events), of(EpochFinished, events)
    assert [each.step for each in steps] == list(range(1, 49))
    for each in steps:
        assert each.train_loss == pytest.approx(HALF * each.metrics["distance"], rel=1e-5)
        assert each.metrics["half"] == HALF
        assert each.gradient_norm > 0
    assert epochs[-1].validation_loss < 0.2 < epochs[0].validation_loss
    assert epochs[-1].metrics == {"weights": 3}
    assert epochs[-1].overfitting_gap == 0
    assert [each.epoch for each in of(PreviewReady, events)] == list(range(7))
    assert {"start", "best", "interval", "finished"} == {each.reason for each in of(CheckpointSaved, events)}
    state = newest_state(run)
    assert torch.allclose(state["ema_model"]["weight"], CONSTANT, atol=0.2)
    assert torch.equal(state["task"]["constant"], CONSTANT)


@pytest.mark.parametrize("step", [1, 8, 19])
def test_toy_task_resumes_to_the_same_weights(make_run: MakeRun, whole: RunDirectory, step: int) -> None:
    stopped = make_run(**TOY)
    assert end(train_toy_to(stopped, step)).state == "cancelled"
    train_toy(stopped)
    assert_same_outcome(stopped, whole)


class Killed(BaseException):
    """Stands for the death of the process: nothing catches it and nothing is saved."""


def test_killed_toy_task_resumes_to_the_same_weights(make_run: MakeRun, whole: RunDirectory) -> None:
    killed = make_run(**TOY)

    def kill(event: object) -> None:
        if isinstance(event, StepFinished) and event.step == 29:
            raise Killed

    with pytest.raises(Killed):
        train_toy(killed, kill)
    train_toy(killed)
    assert_same_outcome(killed, whole)


def test_toy_task_rolls_back_and_halves_the_batch(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0
    real = ToyTask.step

    def step(self: ToyTask, batch: tuple[Tensor, ...], schedule: Mapping[str, Tensor]) -> TaskLoss:
        nonlocal calls
        calls += 1
        if len(batch[0]) > 1:
            raise torch.OutOfMemoryError("out of memory")
        loss = real(self, batch, schedule)
        return TaskLoss(loss.total * (torch.nan if 20 <= calls < 30 else 1.0), loss.parts)

    monkeypatch.setattr(ToyTask, "step", step)
    run = make_run(**{**TOY, "batch_size": 4, "epochs": 12})
    events = train_toy(run)
    messages = [each.message for each in of(Warned, events)]
    assert end(events).state == "finished"
    assert "now 2, not 4" in messages[0]
    assert "the batch size is now 1, not 2" in messages[1]
    assert any("with 0.5 times the learning rate" in message for message in messages)
    steps = [each.step for each in of(StepFinished, events)]
    assert steps == list(range(1, run.read_manifest().total_steps + 1))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_toy_task_is_captured_in_a_cuda_graph(make_run: MakeRun) -> None:
    run = make_run(**TOY)
    events = train_toy(run, device="cuda")
    assert end(events).state == "finished"
    assert "steps of 2 items are captured in a CUDA graph" in run.log.read_text()
    assert of(EpochFinished, events)[-1].validation_loss < 0.2


def test_pending_previews_of_a_toy_task_are_rendered_after_a_resume(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, whole: RunDirectory
) -> None:
    stopped = make_run(**TOY)
    real = ToyPreviews.render

    def hold(
        self: ToyPreviews, epoch: int, step: int, cancelled: Callable[[], bool]
    ) -> Iterator[PreviewReady]:
        deadline_s = time.monotonic() + PATIENCE_S
        while epoch == 2 and not cancelled() and time.monotonic() < deadline_s:
            time.sleep(0.01)
        yield from real(self, epoch, step, cancelled)

    with monkeypatch.context() as patch:
        patch.setattr(ToyPreviews, "render", hold)
        train_toy_to(stopped, 18)
    assert newest_state(stopped)["previews"]["pending"]["epoch"] == 2
    train_toy(stopped)
    assert_same_outcome(stopped, whole)


def test_lack_of_memory_with_pending_metrics_halves_the_batch(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a GPU, where the metrics of steps are fetched some time later."""
    real = ToyTask.step
    calls = 0

    def step(self: ToyTask, batch: tuple[Tensor, ...], schedule: Mapping[str, Tensor]) -> TaskLoss:
        nonlocal calls
        calls += 1
        if calls >= 5 and len(batch[0]) > 1:
            raise torch.OutOfMemoryError("out of memory")
        return real(self, batch, schedule)

    monkeypatch.setattr(ToyTask, "step", step)
    monkeypatch.setitem(FLUSH_INTERVALS_S, "cpu", math.inf)
    events = train_toy(make_run(**TOY))
    assert end(events).state == "finished"
    assert any("the batch size is now 1, not 2" in getattr(each, "message", "") for each in events)
    assert [each.step for each in of(StepFinished, events)] == list(range(1, 49))


def test_tensors_of_a_step_without_memory_are_freed_before_recovery(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[weakref.ref[Tensor]] = []
    was_freed: list[bool] = []
    real = Recovery.recover_from_oom

    def step(self: ToyTask, batch: tuple[Tensor, ...], schedule: Mapping[str, Tensor]) -> TaskLoss:
        activations = batch[0] * 2
        held.append(weakref.ref(activations))
        raise torch.OutOfMemoryError("out of memory")

    def recover(self: Recovery, *arguments: str) -> None:
        was_freed.append(held[-1]() is None)
        real(self, *arguments)

    monkeypatch.setattr(ToyTask, "step", step)
    monkeypatch.setattr(Recovery, "recover_from_oom", recover)
    last = end(train_toy(make_run(**TOY)))
    assert last.state == "failed"
    assert was_freed
    assert all(was_freed)
    assert "not enough memory for three weights; choose another device" in last.message


# -- what a run of any task keeps -------------------------------------------------------------------------


def test_many_cancels_and_resumes_leave_no_gap_and_no_step_twice(
    make_run: MakeRun, whole: RunDirectory
) -> None:
    run = make_run(**TOY)
    for stop_at in (1, 2, 3, 5, 7, 8, 11, 16, 17, 23, 40, 47):
        train_toy_to(run, stop_at)
    events = train_toy(run)
    assert [each.step for each in of(StepFinished, events)] == list(range(1, 49))
    assert [each.epoch for each in of(EpochFinished, events)] == [1, 2, 3, 4, 5, 6]
    *before, last = (each.eta_s for each in of(EpochFinished, events))
    assert all(eta_s is not None and eta_s > 0 for eta_s in before)
    assert last == 0
    assert_same_outcome(run, whole)


def test_a_checkpoint_saved_by_hand_is_of_that_step_and_stays(make_run: MakeRun) -> None:
    run = make_run(**TOY)
    control = Control(run.requests)

    def save(event: RunEvent) -> None:
        if isinstance(event, StepFinished) and event.step == 3:
            control.save()

    events = train_toy(run, save, control)
    assert read_checkpoint(run.checkpoints / "step-000000003-saved.pt")["step"] == 3
    assert [each.reason for each in of(CheckpointSaved, events)].count("manual") == 1


def test_damaged_checkpoints_do_not_take_the_place_of_good_ones(make_run: MakeRun) -> None:
    run = make_run(**{**TOY, "epochs": 5})
    train_toy(run)
    kept = sorted(run.checkpoints.glob("step-*.pt"))
    assert [path.name for path in kept] == [f"step-{step:09}.pt" for step in (24, 32, 40)]
    for path in kept[1:]:
        path.write_bytes(b"damaged")
    events = train_toy_to(run, 27)
    assert any("step-000000040.pt is damaged" in each.message for each in of(Warned, events))
    assert {path.name for path in run.checkpoints.iterdir()} >= {
        "step-000000024.pt",
        "step-000000027.pt",
        "step-000000032.unusable",
        "step-000000040.unusable",
    }


def test_a_disk_that_is_full_for_a_while_costs_nothing_but_that_time(
    make_run: MakeRun, whole: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither log nor checkpoints can be written from step 10 to step 30 of 48."""
    monkeypatch.setattr("core.runs.event_log.FLUSH_INTERVAL_S", 0.0)  # the rest of the steps may be quicker
    run = make_run(**TOY)
    received: list[RunEvent] = []
    seen_while_full: list[int] = []
    with contextlib.ExitStack() as full:

        def listen(event: RunEvent) -> None:
            received.append(event)
            if isinstance(event, StepFinished) and event.step == 10:
                wait_for(run.checkpoints / "step-000000008.pt")
                full.enter_context(file_size_limit(run.events.stat().st_size + 700))
            if isinstance(event, StepFinished) and event.step == 30:
                seen_while_full.append(summarise(run).step)
                assert newest_state(run)["step"] == 8
                full.close()

        train_toy(run, listen)
    assert seen_while_full[0] < 16
    messages = {(each.kind, bool(each.message)) for each in of(Warned, received)}
    assert {("disk", True), ("disk", False), ("log", True), ("log", False)} <= messages
    assert not history(run).warnings.keys() & {"disk", "log"}
    assert_same_outcome(run, whole)
