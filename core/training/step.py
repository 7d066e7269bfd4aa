"""One update of the weights by one batch."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from core.config import ResolvedConfig
from core.optim.optimizer import update_ema
from core.training.state import TrainingState
from core.training.task import Task


@dataclass(frozen=True)
class StepInputs:
    """All that a step depends on besides the weights, on their device, each tensor of a fixed shape.

    The task's `batch`, and `scalars` [2 + names] that follow from the step: the learning rate, the weight of
    the new weights in their moving average, and what the task's schedule calls by these `names`.
    """

    batch: tuple[Tensor, ...]
    scalars: Tensor
    names: tuple[str, ...]

    def tensors(self) -> list[Tensor]:
        return [*self.batch, self.scalars]

    def clone(self) -> Self:
        return type(self)(tuple(each.clone() for each in self.batch), self.scalars.clone(), self.names)


class TrainingStep:
    """Forward, backward, clipping, optimiser and EMA; changes nothing if a number is not finite.

    It has no host sync, writes only in place, and reads nothing that changes but its inputs, the weights and
    their optimiser's state: so it can be captured in a CUDA graph.
    """

    def __init__(self, task: Task, state: TrainingState, config: ResolvedConfig) -> None:
        self.device = task.device
        self.metric_names: tuple[str, ...] = ()  # of what a call returns, known after the first
        self._task = task
        self._state = state
        self._clip_norm = config.gradient_clip_norm

    def __call__(self, inputs: StepInputs, check: Callable[[], None] = lambda: None) -> Tensor:
        """Change the weights; the metrics [metrics] of the step, on the device.

        They are the loss, its parts and the gradient's norm, in the order of `metric_names`.  `check` may
        raise until something is changed.  Raises OutOfMemoryError; all is then as it was.
        """
        state = self._state
        learning_rate, ema_weight, *weights = inputs.scalars
        state.model.train()
        state.optimizer.zero_grad()
        loss = self._task.step(inputs.batch, dict(zip(inputs.names, weights, strict=True)))
        check()
        loss.total.backward()
        check()
        norm = torch.nn.utils.clip_grad_norm_(state.model.parameters(), self._clip_norm)
        self.metric_names = ("train_loss", *loss.parts, "gradient_norm")
        metrics = torch.stack([loss.total, *loss.parts.values(), norm]).detach()
        state.optimizer.step(learning_rate, metrics.isfinite().all())
        update_ema(state.ema_model, state.model, ema_weight)
        return metrics

    def written(self) -> list[Tensor]:
        """All that a step writes in place."""
        state = self._state
        return [*state.model.parameters(), *state.ema_model.parameters(), *state.optimizer.tensors()]
