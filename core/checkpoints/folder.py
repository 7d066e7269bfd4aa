"""The checkpoints of a run: their names, which of them are kept, and the newest that is whole."""

import contextlib
import logging
from pathlib import Path

from core.atomic import write_atomically
from core.checkpoints.archive import State, read_checkpoint
from core.errors import CheckpointError, DamagedCheckpointError
from core.files import remove, rename
from core.runs import RunDirectory, choose_checkpoint
from core.runs.checkpoints import BEST, BEST_FILE, CheckpointFile, checkpoint_files
from core.text import printable

logger = logging.getLogger(__name__)

KEPT = 3
DAMAGED_SUFFIX = ".damaged"


class CheckpointFolder:
    """The checkpoints of a run: `step-000001234.pt`, `step-000001234-saved.pt` for those saved by hand, and
    `best.pt`.

    The names alone say what there is and what may go; there is no index that could disagree.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.resumed_from = ""  # the name of a file that must stay, whatever its age

    def save(self, data: bytes, step: int, by_hand: bool = False) -> Path:
        """Write a serialised checkpoint of this step, then delete automatic ones beyond the three newest.

        Raises OSError if it cannot be written; all others are then untouched.
        """
        path = self.path / CheckpointFile.name(step, by_hand)
        write_atomically(path, data)
        self._delete_old(path)
        return path

    def save_best(self, data: bytes) -> Path:
        """Replace the best checkpoint.  Raises OSError; the one before is then untouched."""
        path = self.path / BEST_FILE
        write_atomically(path, data)
        return path

    def newest(self) -> tuple[State, Path, list[str]]:
        """The newest checkpoint that is whole, with a message for each newer one that is not.

        Damaged ones are then renamed, so that they do not count among those that are kept.
        Raises CheckpointError if there is none.
        """
        problems: list[str] = []
        damaged: list[Path] = []
        for path in self.by_age():
            try:
                state = read_checkpoint(path)
            except CheckpointError as error:
                problems.append(str(error))
                if isinstance(error, DamagedCheckpointError):
                    damaged.append(path)
            else:
                for each in damaged:
                    with contextlib.suppress(OSError):
                        rename(each, each.with_suffix(DAMAGED_SUFFIX).name)
                return state, path, problems
        if problems:
            raise CheckpointError(f"No checkpoint can be used. {' '.join(problems)}")
        raise CheckpointError(f"There is no checkpoint in {self.path}.")

    def by_age(self) -> list[Path]:
        """Checkpoints of steps, newest first; one saved by hand follows an automatic one of its step."""
        return [each.path for each in checkpoint_files(self.path)]

    def _delete_old(self, newest: Path) -> None:
        automatic = [each.path for each in checkpoint_files(self.path) if not each.is_saved_by_hand]
        for path in automatic[KEPT:]:
            if path == newest or path.name == self.resumed_from:
                continue
            try:
                remove(path)
            except OSError as error:
                logger.warning("Cannot delete the old checkpoint %s: %s", path.name, error.strerror)


def find_checkpoint(path: Path, which: str | int = BEST) -> Path:
    """The checkpoint file at this path, or the one that `which` means of the run there.

    Raises CheckpointError if there is none.
    """
    if path.is_file():
        return path.resolve()  # a link by the user's hand; those in a run are not followed
    run = RunDirectory(path)
    if not run.run_file.is_file():
        raise CheckpointError(
            f"{printable(str(run.path))} is neither a run nor a checkpoint; check the path."
        )
    return choose_checkpoint(run.checkpoints, which)
