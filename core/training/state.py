"""Everything that a run needs to continue, in one place."""

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

from core.config import ResolvedConfig
from core.errors import CheckpointError
from core.model import copy_model
from core.optim.optimizer import Optimizer
from core.training.task import Task


class Stateful(Protocol):
    """A part of a run that owns state: plain values and tensors."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Mapping[str, Any]) -> object: ...


@dataclass
class Progress:
    """`step` updates are done and `validated_epochs` epochs are measured, in batches of `batch_size`.

    What is due next is derived from these, so that a run which stopped anywhere, between an epoch's last step
    and its validation for example, continues with exactly that.
    """

    batch_size: int
    step: int = 0
    validated_epochs: int = 0
    best_loss: float | None = None
    best_epoch: int = 0
    untrained_error: float | None = None  # of validation, before the first step

    def record_validation(self, epoch: int, loss: float, may_be_best: bool = True) -> None:
        self.validated_epochs = epoch
        best_loss = math.inf if self.best_loss is None else self.best_loss
        if may_be_best and loss < best_loss:  # never so for NaN
            self.best_loss, self.best_epoch = loss, epoch

    @property
    def epochs_without_best(self) -> int:
        """Epochs since the best one; 0 as long as there is none."""
        return self.validated_epochs - self.best_epoch if self.best_epoch else 0

    def forget_best(self) -> None:
        """From now on losses are others: those so far are no measure of them."""
        self.best_loss, self.best_epoch = None, 0

    def fits(self, total_steps: int, largest_batch: int) -> bool:
        """Whether a run of so many steps in batches of at most this size can be here."""
        measured: tuple[object, ...] = (self.best_loss, self.untrained_error)
        if not all(value is None or isinstance(value, float) for value in measured):
            return False
        counts = (self.step, self.batch_size, self.validated_epochs, self.best_epoch)
        if not all(isinstance(count, int) and count >= 0 for count in counts):
            return False
        if self.best_epoch > self.validated_epochs:
            return False
        return self.step <= total_steps and 1 <= self.batch_size <= largest_batch

    def state_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Raises TypeError for missing or unknown fields."""
        vars(self).update(vars(Progress(**state)))


class TrainingState:
    """The model, its EMA model, the optimiser, the progress, and what other parts have registered.

    `state_dict` and `load_state_dict` cover all of it.  A new piece of state is declared by registering its
    owner, once.
    """

    def __init__(self, task: Task, config: ResolvedConfig) -> None:
        self.model = task.model
        self.ema_model = copy_model(task.model).eval()
        self.optimizer = Optimizer(task.parameter_groups(), config.weight_decay)
        self.progress = Progress(config.batch_size)
        self._task = task
        self._parts: dict[str, Stateful] = {
            "model": self.model,
            "ema_model": self.ema_model,
            "optimizer": self.optimizer,
            "progress": self.progress,
        }

    def register(self, **parts: Stateful) -> None:
        """Keep the state of these too.  Raises ValueError if a name is taken."""
        if taken := parts.keys() & {*self._parts, "task"}:
            raise ValueError(f"{', '.join(sorted(taken))}: registered already")
        self._parts |= parts

    def state_dict(self) -> dict[str, Any]:
        """A reference to every tensor, and what the task makes of the EMA model."""
        states: dict[str, Any] = {name: part.state_dict() for name, part in self._parts.items()}
        return {**states, "task": self._task.state_dict(self.ema_model)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Raises AttributeError, KeyError, RuntimeError, TypeError or ValueError if it does not fit."""
        for name, part in self._parts.items():
            part.load_state_dict(state[name])
        self._task.load_state_dict(state["task"])


@dataclass(frozen=True)
class ResumePoint:
    """How far a checkpoint has come: events after it are about to happen again."""

    step: int
    validated_epochs: int
    previewed_epoch: int

    def fits(self, epochs: int) -> bool:
        """Whether a run of so many epochs can have come this far."""
        return 0 <= self.validated_epochs <= epochs and -1 <= self.previewed_epoch <= epochs

    @classmethod
    def start(cls) -> Self:
        """That of a run which has saved nothing."""
        return cls(0, 0, -1)

    @classmethod
    def read(cls, state: Mapping[str, Any], name: str) -> Self:
        """From the state in a checkpoint of this file name.  Raises CheckpointError if it is not whole."""
        try:
            progress = state["progress"]
            previewed = state["previews"]["done_epoch"]
            return cls(int(progress["step"]), int(progress["validated_epochs"]), int(previewed))
        except (KeyError, OverflowError, TypeError, ValueError) as error:
            raise CheckpointError(f"{name} does not hold how far the run has come ({error}).") from error
