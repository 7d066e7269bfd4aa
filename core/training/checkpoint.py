"""Checkpoints: one file each, whole or absent, read without executing anything in it."""

import io
import logging
import pickle
import re
from pathlib import Path
from typing import Any

import torch

from core.atomic import write_atomically
from core.errors import CheckpointError

logger = logging.getLogger(__name__)

FORMAT_VERSION = 1
KEPT = 3
BEST = "best.pt"
_NAME = re.compile(r"step-(\d{9,})(-saved)?\.pt")

State = dict[str, Any]


class CheckpointFolder:
    """The checkpoints of a run: `step-000001234.pt`, `step-000001234-saved.pt` for those saved by hand, and
    `best.pt`.

    The names alone say what there is and what may go; there is no index that could disagree.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def save(self, state: State, step: int, by_hand: bool = False) -> Path:
        """Write a checkpoint of this step, then delete automatic ones beyond the three newest.

        Raises OSError if it cannot be written; all others are then untouched.
        """
        path = self.path / f"step-{step:09}{'-saved' if by_hand else ''}.pt"
        write_atomically(path, _to_bytes(state))
        self._delete_old()
        return path

    def save_best(self, state: State) -> Path:
        path = self.path / BEST
        write_atomically(path, _to_bytes(state))
        return path

    def newest(self) -> tuple[State, Path, list[str]]:
        """The newest checkpoint that is whole, with a sentence for each newer one that is not.

        Raises CheckpointError if there is none.
        """
        problems: list[str] = []
        for path in self.by_age():
            try:
                return read_checkpoint(path), path, problems
            except CheckpointError as error:
                problems.append(str(error))
        if problems:
            raise CheckpointError(f"No checkpoint can be used. {' '.join(problems)}")
        raise CheckpointError(f"There is no checkpoint in {self.path}.")

    def by_age(self) -> list[Path]:
        """Checkpoints of steps, newest first; one saved by hand follows an automatic one of its step."""
        found = [(match, path) for path in self.path.glob("*.pt") if (match := _NAME.fullmatch(path.name))]
        found.sort(key=lambda each: (int(each[0][1]), not each[0][2]), reverse=True)
        return [path for _, path in found]

    def _delete_old(self) -> None:
        automatic = [path for path in self.by_age() if not path.stem.endswith("-saved")]
        for path in automatic[KEPT:]:
            try:
                path.unlink()
            except OSError as error:
                logger.warning("Cannot delete the old checkpoint %s: %s", path.name, error.strerror)


def read_checkpoint(path: Path) -> State:
    """Read a checkpoint onto the CPU.  Raises CheckpointError for anything that is not a whole one."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, ValueError, KeyError, EOFError, pickle.UnpicklingError) as error:
        reason = str(error).strip().split("\n")[0][:100]
        raise CheckpointError(f"{path.name} is damaged or no checkpoint ({reason}).") from error
    if not isinstance(state, dict) or "format_version" not in state:
        raise CheckpointError(f"{path.name} is no checkpoint of sda-tui.")
    if state["format_version"] != FORMAT_VERSION:
        version = state["format_version"]
        raise CheckpointError(
            f"{path.name} has format version {version}, and this program reads {FORMAT_VERSION}."
        )
    return state


def _to_bytes(state: State) -> bytes:
    buffer = io.BytesIO()
    torch.save({"format_version": FORMAT_VERSION, **state}, buffer)
    return buffer.getvalue()
