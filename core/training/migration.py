"""Checkpoints of format version 3, in the layout of today."""

from collections.abc import Mapping
from typing import Any

from core.checkpoints.archive import FORMAT_VERSION, State
from core.diagnostics.overfitting import OverfittingDetector
from core.errors import CheckpointError

RENAMED_WEIGHTS = {"refiner.places.": "refiner.position_bias."}


def migrate(state: State, name: str, validation_files: int) -> State:
    """The state in a checkpoint of this file name, in the layout of today.

    Raises CheckpointError if it lacks a part.
    """
    if state["format_version"] == FORMAT_VERSION:
        return state
    try:
        return _from_version_3(state, validation_files)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{name} lacks a part of the run's state ({error}).") from error


def _from_version_3(state: State, validation_files: int) -> State:
    progress = state["progress"]
    detector = OverfittingDetector(validation_files)
    for epoch in progress["history"]:
        detector.update(epoch["epoch"], epoch["validation_loss"], epoch["overfitting_gap"])
    pending = state.get("previews")
    header = ("step", "epoch", "config", "spectrogram", "threads", "optimizer")
    return {
        "format_version": FORMAT_VERSION,
        **{name: state[name] for name in header if name in state},
        "model": _renamed(state["model"]),
        "ema_model": _renamed(state["average"]),
        "progress": _only(progress, "batch_size step validated_epochs best_loss best_epoch"),
        "recovery": _only(progress, "learning_rate_scale rollbacks skipped_steps bad_steps"),
        "warnings": progress["warnings"],
        "previews": {
            "done_epoch": progress["previewed_epoch"],
            "pending": pending
            and {
                "source": {"model": _renamed(pending["model"]), "latents": None},
                "epoch": pending["epoch"],
                "step": pending["step"],
            },
        },
        "clock": _only(progress, "elapsed_s step_time_s evaluation_time_s"),
        "overfitting": detector.state_dict(),
        "task": {"latents": None},
    }


def _only(values: Mapping[str, Any], names: str) -> dict[str, Any]:
    return {name: values[name] for name in names.split()}


def _renamed(weights: Mapping[str, Any]) -> dict[str, Any]:
    """Weights by the names that the model has for them now, in the same order."""
    renamed = {}
    for name, weight in weights.items():
        for before, now in RENAMED_WEIGHTS.items():
            if name.startswith(before):
                name = now + name.removeprefix(before)
        renamed[name] = weight
    return renamed
