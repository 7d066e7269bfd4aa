"""A second thing to train, of three weights: what the trainer does for a VAE, it does for any task.

A run of it takes a tenth of the time of one of the VAE, so what is the trainer's alone is tested with it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from core.config import SettingValue
from core.errors import Cancelled
from core.events import PreviewReady, RunEvent, WarningKind
from core.optim.groups import ParameterGroup
from core.runs import RunDirectory
from core.seeding import generator
from core.training.control import Control
from core.training.task import IsActive, Messages, SetupContext, TaskLoss, Validation
from tests.training import Listener, train, train_to

# In six such epochs the weights come near to the constant, and each is better than the one before.
FAST: dict[str, SettingValue] = {"learning_rate": 0.1, "learning_rate_warmup_fraction": 0.0}
TOY: dict[str, SettingValue] = {**FAST, "epochs": 6}
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


def train_toy(
    run: RunDirectory,
    listener: Listener = lambda _: None,
    control: Control | None = None,
    device: str = "cpu",
) -> list[RunEvent]:
    """Train the toy task to the end or until the listener cancels; what the log holds then."""
    return train(run, listener, control, device, ToyTask)


def train_toy_to(run: RunDirectory, step: int) -> list[RunEvent]:
    """Train the toy task until this step is done, then cancel."""
    return train_to(run, step, set_up=ToyTask)


def poison_toy(monkeypatch: pytest.MonkeyPatch, is_bad: Callable[[int], bool]) -> None:
    """Make the loss of some steps not a number, as the n-th call since the start."""
    calls = 0
    real = ToyTask.step

    def step(self: ToyTask, batch: tuple[Tensor, ...], schedule: Mapping[str, Tensor]) -> TaskLoss:
        nonlocal calls
        calls += 1
        loss = real(self, batch, schedule)
        return TaskLoss(loss.total * (torch.nan if is_bad(calls) else 1.0), loss.parts)

    monkeypatch.setattr(ToyTask, "step", step)
