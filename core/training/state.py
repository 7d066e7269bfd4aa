"""How far a run has come: everything besides weights and optimiser that a checkpoint must hold."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from core.errors import CheckpointError


@dataclass
class Progress:
    """`step` updates are done, `validated_epochs` are measured, previews are made up to `previewed_epoch`.
    The latter and `warnings` are as of the last checkpoint.

    The loop derives from these what is due next, so that a run which stopped anywhere, between an epoch's
    last step and its validation for example, goes on with exactly that.
    """

    batch_size: int
    step: int = 0
    validated_epochs: int = 0
    previewed_epoch: int = -1
    best_loss: float | None = None
    best_epoch: int = 0
    elapsed_s: float = 0.0
    step_time_s: float | None = None
    evaluation_time_s: float | None = None
    learning_rate_scale: float = 1.0
    rollbacks: int = 0
    skipped_steps: int = 0
    bad_steps: int = 0  # of them, the last ones in a row
    history: list[dict[str, Any]] = field(default_factory=list)
    warnings: dict[str, str] = field(default_factory=dict)  # the sentence of each kind that is true now


def read_progress(state: Mapping[str, Any], name: str) -> Progress:
    """The progress kept in a checkpoint of this file name.  Raises CheckpointError if it is not whole."""
    try:
        return Progress(**state["progress"])
    except (KeyError, TypeError) as error:
        raise CheckpointError(f"{name} does not tell how far the run has come ({error}).") from error
