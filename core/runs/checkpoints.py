"""The checkpoints of a run by their names, and what its log says about each.  Reads none of them."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from core.errors import CheckpointNotFoundError
from core.events import CheckpointSaved, EpochFinished, RunEvent
from core.files import list_names
from core.paths import expand, is_file

BEST_FILE = "best.pt"
BEST, NEWEST, SAVED = "best", "newest", "saved"  # how a user calls them


class CheckpointKind(StrEnum):
    """Why a step has a checkpoint, as the end of its name; of one step, later kinds are newer."""

    UNSTEADY = "-unsteady"  # its last steps were not finite: to continue from, not to return to
    BY_HAND = "-saved"  # stays, whatever its age
    AUTOMATIC = ""


_NAME = re.compile(rf"step-(\d{{9,18}})({'|'.join(CheckpointKind)})\.pt")
_KINDS = tuple(CheckpointKind)


@dataclass(frozen=True)
class CheckpointFile:
    """The checkpoint of a step, whose name says which, and why there is one."""

    path: Path
    step: int
    kind: CheckpointKind

    @property
    def is_saved_by_hand(self) -> bool:
        return self.kind is CheckpointKind.BY_HAND

    @staticmethod
    def continued_name(checkpoint: Path, step: int) -> str:
        """The name, in the run that continues from it, of a checkpoint of this step: one that was saved by
        hand or is the best becomes an automatic one, an unsteady one stays so."""
        match = _NAME.fullmatch(checkpoint.name)
        is_unsteady = match is not None and match[2] == CheckpointKind.UNSTEADY
        return CheckpointFile.name(step, CheckpointKind.UNSTEADY if is_unsteady else CheckpointKind.AUTOMATIC)

    @staticmethod
    def name(step: int, kind: CheckpointKind = CheckpointKind.AUTOMATIC) -> str:
        return f"step-{step:09}{kind}.pt"


def checkpoint_files(folder: Path) -> list[CheckpointFile]:
    """Those of steps, newest first; one saved by hand follows an automatic one of its step."""
    found = [
        CheckpointFile(folder / name, int(match[1]), CheckpointKind(match[2]))
        for name in list_names(folder)
        if (match := _NAME.fullmatch(name))
    ]
    return sorted(found, key=lambda each: (each.step, _KINDS.index(each.kind)), reverse=True)


def newest_step(folder: Path, total_steps: int | None = None) -> int | None:
    """The step that a run continues from, by their names; None if it has no checkpoints.

    A name beyond the last of `total_steps` is no checkpoint of this run.
    """
    steps = [file.step for file in checkpoint_files(folder)]
    return next((step for step in steps if total_steps is None or step <= total_steps), None)


def is_checkpoint_name(name: str) -> bool:
    """Whether a checkpoint is written under this name."""
    return name == BEST_FILE or _NAME.fullmatch(name) is not None


def choose_checkpoint(folder: Path, which: str | int) -> Path:
    """The checkpoint in a run's folder of them that a user means.

    That is best, newest, saved (the newest saved by hand), the number of a step, or the name or path of
    a file, which may lie elsewhere.  Raises CheckpointNotFoundError, which names those that there are.
    """
    steps, best = checkpoint_files(folder), folder / BEST_FILE
    if which == BEST:
        found = [best] if is_file(best) else []
    else:
        found = [each.path for each in steps if _is_meant(each, str(which))]
        files = (folder / str(which), expand(Path(str(which)))) if which not in (NEWEST, SAVED) else ()
        found += [path for path in files if is_file(path)]
    if found:
        return found[0]
    there = [NEWEST] * bool(steps) + [BEST] * is_file(best)
    there += [SAVED] * any(each.is_saved_by_hand for each in steps)
    raise CheckpointNotFoundError(str(which), folder, (*there, *(str(each.step) for each in steps)))


def _is_meant(checkpoint: CheckpointFile, which: str) -> bool:
    if which == SAVED:
        return checkpoint.is_saved_by_hand
    return which in (NEWEST, str(checkpoint.step))


@dataclass(frozen=True)
class CheckpointDescription:
    """A checkpoint with what the log knows of it; `epoch` counts the whole ones that it has seen.

    `reason` is that of `CheckpointSaved`, empty if the log has no such line, as is `step` None for best then.
    """

    path: Path
    step: int | None
    epoch: int | None
    validation_loss: float | None
    reason: str

    @property
    def is_best(self) -> bool:
        return self.path.name == BEST_FILE

    @property
    def is_saved_by_hand(self) -> bool:
        return self.path.stem.endswith(CheckpointKind.BY_HAND)


def describe_checkpoints(folder: Path, events: Iterable[RunEvent]) -> list[CheckpointDescription]:
    """Best first, then those of steps, newest first.  `events` are those of the run's log."""
    saved: dict[str, CheckpointSaved] = {}
    losses: dict[int, float | None] = {}
    for event in events:
        if isinstance(event, CheckpointSaved):
            saved[Path(event.path).name] = event
        elif isinstance(event, EpochFinished):
            losses[event.epoch] = event.validation_loss
    best = folder / BEST_FILE
    files: list[tuple[Path, int | None]] = [(best, None)] if is_file(best) else []
    files += [(each.path, each.step) for each in checkpoint_files(folder)]
    return [_describe(path, step, saved.get(path.name), losses) for path, step in files]


def _describe(
    path: Path, step: int | None, saved: CheckpointSaved | None, losses: Mapping[int, float | None]
) -> CheckpointDescription:
    if saved is None:
        return CheckpointDescription(path, step, None, None, "")
    return CheckpointDescription(
        path, saved.step if step is None else step, saved.epoch, losses.get(saved.epoch), saved.reason
    )
