"""A second thing to train: what the trainer does for a VAE, it does for any task."""

import math
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from core.errors import Cancelled
from core.events import CheckpointSaved, EpochFinished, PreviewReady, StateChanged, StepFinished, WarningKind
from core.optim.groups import ParameterGroup
from core.runs import RunDirectory
from core.seeding import generator
from core.training.control import Control
from core.training.recovery import Recovery
from core.training.run import train_run
from core.training.stepper import FLUSH_INTERVALS_S
from core.training.task import IsActive, Messages, SetupContext, TaskLoss, Validation
from tests.conftest import MakeRun
from tests.training import assert_same_outcome, cancel_when, end, logged, newest_state, of

CONSTANT = torch.tensor([1.0, -2.0, 0.5])
HALF = 0.5


class Constant(nn.Module):
    """Three weights."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(3))


@dataclass(frozen=True)
class ToyPreviews:
    """One preview: the weights as they are."""

    weight: Tensor

    def render(self, epoch: int, step: int, cancelled: Callable[[], bool]) -> Iterator[PreviewReady]:
        if cancelled():
            raise Cancelled
        envelope = tuple(round(abs(each), 3) for each in self.weight.tolist())
        yield PreviewReady(epoch, step, "sample", "weights", f"previews/{epoch}.wav", 1.0, envelope)

    def state_dict(self) -> dict[str, Any]:
        return {"weight": self.weight}


class ToyTask:
    """Fits the weights to a constant that is seen through noise."""

    setup_warnings: Messages = {}
    memory_advice = "three weights; choose another device"

    def __init__(self, context: SetupContext) -> None:
        self.device = context.device
        self.model = Constant().to(self.device)
        self._seed = context.manifest.config.seed

    def parameter_groups(self) -> Sequence[ParameterGroup]:
        return [ParameterGroup([self.model.weight], decays=False)]

    def schedule(self, step: int) -> Mapping[str, float]:
        return {"half": HALF}

    def batch(self, step: int, size: int) -> tuple[Tensor, ...]:
        noise = torch.randn(size, 3, generator=generator(self._seed, "toy", step))
        return ((CONSTANT + 0.1 * noise).to(self.device),)

    def weights_change(self) -> None:
        """Nothing is kept that depends on the weights."""

    def step(self, batch: tuple[Tensor, ...], schedule: Mapping[str, Tensor]) -> TaskLoss:
        (target,) = batch
        distance = (self.model.weight - target).square().mean()
        return TaskLoss(schedule["half"] * distance, {"distance": distance})

    def validate(self, model: Constant, epoch: int, is_active: IsActive) -> Validation:
        error = float((model.weight.detach() - CONSTANT.to(self.device)).norm())
        message = "" if error < 1 else "far away"
        return Validation(error, error, error, error, {"weights": 3}, {WarningKind.BLUR: message})

    def previews(self, model: Constant, epoch: int, is_active: IsActive) -> tuple[ToyPreviews, Messages]:
        return ToyPreviews(model.weight.detach().clone()), {}

    def load_previews(self, state: Mapping[str, Any]) -> ToyPreviews:
        return ToyPreviews(state["weight"])

    def state_dict(self, model: Constant) -> dict[str, Any]:
        return {"constant": CONSTANT}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        assert torch.equal(state["constant"], CONSTANT)

    def close(self) -> None:
        """Nothing runs in the background."""


def train(run: RunDirectory, listener: Callable[[Any], None] = lambda _: None, device: str = "cpu") -> list:
    train_run(run, device, Control(run.requests), listener, ToyTask)
    return logged(run)


SETTINGS = {"epochs": 6, "learning_rate": 0.1, "learning_rate_warmup_fraction": 0.0}


def test_toy_task_trains_and_reports_as_any_other(make_run: MakeRun) -> None:
    run = make_run(**SETTINGS)
    events = train(run)
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
def test_toy_task_resumes_to_the_same_weights(make_run: MakeRun, step: int) -> None:
    whole, stopped = make_run("whole", **SETTINGS), make_run("stopped", **SETTINGS)
    train(whole)
    control = Control(stopped.requests)
    listener = cancel_when(control, lambda event: isinstance(event, StepFinished) and event.step == step)
    train_run(stopped, "cpu", control, listener, ToyTask)
    assert end(logged(stopped)).state == "cancelled"
    train(stopped)
    assert_same_outcome(stopped, whole)


class Killed(BaseException):
    """Stands for the death of the process: nothing catches it and nothing is saved."""


def test_killed_toy_task_resumes_to_the_same_weights(make_run: MakeRun) -> None:
    whole, killed = make_run("whole", **SETTINGS), make_run("killed", **SETTINGS)
    train(whole)

    def kill(event: object) -> None:
        if isinstance(event, StepFinished) and event.step == 29:
            raise Killed

    with pytest.raises(Killed):
        train(killed, kill)
    train(killed)
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
    run = make_run(**SETTINGS)
    events = train(run)
    messages = " ".join(getattr(each, "message", "") for each in events)
    assert end(events).state == "finished"
    assert "the batch size is now 1, not 2" in messages
    assert "with 0.5 times the learning rate" in messages
    assert [each.step for each in of(StepFinished, events)] == list(range(1, 49))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
def test_toy_task_is_captured_in_a_cuda_graph(make_run: MakeRun) -> None:
    run = make_run(**SETTINGS)
    events = train(run, device="cuda")
    assert end(events).state == "finished"
    assert "steps of 2 items are captured in a CUDA graph" in run.log.read_text()
    assert of(EpochFinished, events)[-1].validation_loss < 0.2


def test_pending_previews_of_a_toy_task_are_rendered_after_a_resume(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, stopped = make_run("whole", **SETTINGS), make_run("stopped", **SETTINGS)
    train(whole)
    real = ToyPreviews.render

    def hold(
        self: ToyPreviews, epoch: int, step: int, cancelled: Callable[[], bool]
    ) -> Iterator[PreviewReady]:
        deadline_s = time.monotonic() + 20
        while epoch == 2 and not cancelled() and time.monotonic() < deadline_s:
            time.sleep(0.01)
        yield from real(self, epoch, step, cancelled)

    control = Control(stopped.requests)
    listener = cancel_when(control, lambda event: isinstance(event, StepFinished) and event.step == 18)
    with monkeypatch.context() as patch:
        patch.setattr(ToyPreviews, "render", hold)
        train_run(stopped, "cpu", control, listener, ToyTask)
    assert newest_state(stopped)["previews"]["pending"]["epoch"] == 2
    train(stopped)
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
        if calls == 5:
            raise torch.OutOfMemoryError("out of memory")
        return real(self, batch, schedule)

    monkeypatch.setattr(ToyTask, "step", step)
    monkeypatch.setitem(FLUSH_INTERVALS_S, "cpu", math.inf)
    events = train(make_run(**SETTINGS))
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
    last = end(train(make_run(**SETTINGS)))
    assert last.state == "failed"
    assert was_freed
    assert all(was_freed)
    assert "not enough memory for three weights; choose another device" in last.message
