"""One update of the weights by one batch."""

from collections.abc import Callable, Mapping
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

    The task's `batch`, and scalars [] that follow from the step: `learning_rate`, `ema_weight` (the weight of
    the new weights in the moving average), and the task's own `schedule` by name.
    """

    batch: tuple[Tensor, ...]
    learning_rate: Tensor
    ema_weight: Tensor
    schedule: Mapping[str, Tensor]

    def tensors(self) -> list[Tensor]:
        return [*self.batch, self.learning_rate, self.ema_weight, *self.schedule.values()]

    def clone(self) -> Self:
        return type(self)(
            tuple(each.clone() for each in self.batch),
            self.learning_rate.clone(),
            self.ema_weight.clone(),
            {name: each.clone() for name, each in self.schedule.items()},
        )


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
        state.model.train()
        state.optimizer.zero_grad()
        loss = self._task.step(inputs.batch, inputs.schedule)
        check()
        loss.total.backward()  # type: ignore[no-untyped-call]
        check()
        norm = torch.nn.utils.clip_grad_norm_(state.model.parameters(), self._clip_norm)
        self.metric_names = ("train_loss", *loss.parts, "gradient_norm")
        metrics = torch.stack([loss.total, *loss.parts.values(), norm]).detach()
        state.optimizer.step(inputs.learning_rate, metrics.isfinite().all())
        update_ema(state.ema_model, state.model, inputs.ema_weight)
        return metrics

    def written(self) -> list[Tensor]:
        """All that a step writes in place."""
        state = self._state
        return [*state.model.parameters(), *state.ema_model.parameters(), *state.optimizer.tensors()]
