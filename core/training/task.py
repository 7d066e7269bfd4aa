"""What is trained, as far as the trainer knows: any model with batches, a loss and a way to judge it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor, nn

from core.events import LoadProgress, Metric, PreviewReady, WarningKind
from core.optim.groups import ParameterGroup
from core.runs import RunDirectory, RunManifest

IsActive = Callable[[WarningKind], bool]  # whether a warning is active: some have hysteresis
Messages = Mapping[WarningKind, str]  # of warnings, empty for those that are not true


@dataclass(frozen=True)
class SetupContext:
    """What a task is set up from, before the first step.

    `is_new` says that no checkpoint will be loaded.  `emit` reports progress, `cancelled` is asked often.
    `locations` are those of a `SoundMatch`; None: every sound is where the manifest says.
    """

    run: RunDirectory
    manifest: RunManifest
    device: torch.device
    is_new: bool
    cancelled: Callable[[], bool]
    emit: Callable[[LoadProgress], None]
    locations: Mapping[str, str] | None = None


class TaskLoss(NamedTuple):
    """The loss [] that is minimised, and its parts by name, each []."""

    total: Tensor
    parts: Mapping[str, Tensor]


@dataclass(frozen=True)
class Validation:
    """Both sides of the split measured alike.  Errors are positive; losses need not be.

    `metrics` holds what else was measured, by name, `warnings` the message of each kind that was judged.
    """

    train_loss: float
    validation_loss: float
    train_error: float
    validation_error: float
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    warnings: Messages = field(default_factory=dict)


class PreviewSource(Protocol):
    """What the previews of one moment are made of.  Training does not change it."""

    def render(self, epoch: int, step: int, cancelled: Callable[[], bool]) -> Iterator[PreviewReady]:
        """Write previews and yield each, on any thread.  Raises Cancelled, OSError and OutOfMemoryError."""

    def state_dict(self) -> dict[str, Any]:
        """From which `Task.load_previews` makes the same again."""


class Task(Protocol):
    """A model, its batches, its loss, and how it is judged.  Used by the training thread.

    Methods that take a model are given one like `model`, the EMA model usually.
    """

    @property
    def model(self) -> nn.Module:
        """Its parameters are trained; the trainer keeps a moving average of them, the EMA model.

        A step changes none of its buffers: the EMA model and the check of a CUDA graph cover parameters.
        """

    @property
    def device(self) -> torch.device: ...

    @property
    def setup_warnings(self) -> Messages:
        """What was found wrong while it was set up."""

    @property
    def memory_advice(self) -> str:
        """What the smallest batch is and how to make it smaller, for a message: "one chunk …; choose …"."""

    def parameter_groups(self) -> Sequence[ParameterGroup]:
        """All parameters, each in one group."""

    def schedule(self, step: int) -> Mapping[str, float]:
        """Weights of the loss that follow from the step, by name; reported with each step."""

    def batch(self, step: int, size: int) -> tuple[Tensor, ...]:
        """The training batch of a step, on the device.  A function of the step alone.

        Raises OutOfMemoryError.
        """

    def weights_change(self) -> None:
        """Drop what was computed from the weights, which the next step changes."""

    def step(self, batch: tuple[Tensor, ...], schedule: Mapping[str, Tensor]) -> TaskLoss:
        """Forward pass in training mode, which gradients can flow through.  No host sync."""

    def validate(self, model: Any, epoch: int, is_active: IsActive) -> Validation:
        """Measure a model at the end of an epoch.  Raises Cancelled."""

    def previews(self, model: Any, epoch: int, is_active: IsActive) -> tuple[PreviewSource, Messages]:
        """A source of previews that keeps a copy of the model, and what was found wrong with its sounds.

        Raises Cancelled.
        """

    def load_previews(self, state: Mapping[str, Any]) -> PreviewSource:
        """Read what a source's `state_dict` gave.  Raises KeyError, RuntimeError, TypeError or ValueError."""

    def state_dict(self, model: Any) -> dict[str, Any]:
        """What a checkpoint must hold besides weights so that this model can be used without the dataset."""

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a checkpoint: the model has other weights now.  Raises as `load_previews` does."""

    def close(self) -> None:
        """Stop what runs in the background."""


SetUp = Callable[[SetupContext], Task]
