"""The checkpoints of a run: which of them are kept, and in which order they are taken."""

import contextlib
import logging
import shutil
from pathlib import Path

from core.atomic import write_atomically
from core.checkpoints.archive import LARGEST_BYTES
from core.errors import CheckpointError
from core.files import read_bounded, remove, rename
from core.paths import is_file
from core.runs import RunDirectory, choose_checkpoint
from core.runs.checkpoints import (
    BEST,
    BEST_FILE,
    NEWEST,
    CheckpointFile,
    CheckpointKind,
    checkpoint_files,
    newest_step,
)
from core.text import printable

logger = logging.getLogger(__name__)

KEPT = 3
UNUSABLE_SUFFIX = ".unusable"  # of one that is damaged or does not fit the run: kept, never taken again


class CheckpointFolder:
    """The checkpoints of a run: `step-000001234.pt`, `step-000001234-saved.pt` for those saved by hand,
    `step-000001234-unsteady.pt` for one amid steps that are not finite, and `best.pt`.

    The names alone say what there is and what may go; there is no index that could disagree.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def save(self, data: bytes, step: int, kind: CheckpointKind = CheckpointKind.AUTOMATIC) -> Path:
        """Write a serialised checkpoint of this step, then delete automatic ones beyond the three newest.

        An unsteady one takes no other's place, and goes when the next steady one is saved.  Raises OSError
        if it cannot be written; all others are then untouched.
        """
        path = self._write(CheckpointFile.name(step, kind), data)
        if kind is not CheckpointKind.UNSTEADY:
            self._delete_old(path)
        return path

    def give_way(self) -> bool:
        """Delete the oldest automatic checkpoint, for want of space; False if none can be spared.

        The newest that the run can return to is spared.
        """
        automatic = [each for each in checkpoint_files(self.path) if each.kind is CheckpointKind.AUTOMATIC]
        if not automatic or automatic[-1].path == self.steady()[0]:
            return False
        remove(automatic[-1].path)
        return True

    def exchange_newest(self, data: bytes, step: int, is_last: bool) -> Path | None:
        """Save where there is room for one checkpoint: the newest automatic one goes first.

        It is written again if the new one cannot be.  A kill in between would lose both, so this is for a
        state that else is lost, the last of a process, and to replace that of step 0, where the run began.
        None if there is nothing to exchange or not room for one.  Raises OSError.
        """
        for former in checkpoint_files(self.path):
            if former.kind is CheckpointKind.AUTOMATIC:
                content = read_bounded(former.path, LARGEST_BYTES)
                room = shutil.disk_usage(self.path.parent).free + len(content)
                if room < len(data) or not (is_last or former.step == 0):
                    return None
                remove(former.path)
                try:
                    return self._write(CheckpointFile.name(step), data)
                except OSError:
                    self._write(former.path.name, content)
                    raise
        return None

    def save_best(self, data: bytes) -> Path:
        """Replace the best checkpoint.  Raises OSError; the one before is then untouched."""
        return self._write(BEST_FILE, data)

    def by_age(self) -> list[Path]:
        """Checkpoints of steps, newest first; one saved by hand follows an automatic one of its step."""
        return [each.path for each in checkpoint_files(self.path)]

    def steady(self) -> list[Path]:
        """Those that a run can return to when its steps are not finite, newest first."""
        files = checkpoint_files(self.path)
        return [each.path for each in files if each.kind is not CheckpointKind.UNSTEADY]

    def set_aside(self, path: Path) -> None:
        """Rename one that cannot be used, so that it is neither taken again nor counts among those kept."""
        with contextlib.suppress(OSError):
            rename(path, path.with_suffix(UNUSABLE_SUFFIX).name)

    def _write(self, name: str, data: bytes) -> Path:
        path = self.path / name
        with contextlib.suppress(OSError):  # if it matters, writing fails, and says why
            self.path.mkdir(exist_ok=True)
        write_atomically(path, data)
        return path

    def _delete_old(self, newest: Path) -> None:
        others = [each for each in checkpoint_files(self.path) if each.path != newest]
        automatic = [each for each in others if each.kind is CheckpointKind.AUTOMATIC]
        unsteady = [each for each in others if each.kind is CheckpointKind.UNSTEADY]
        for each in (*automatic[KEPT - 1 :], *unsteady):
            try:
                remove(each.path)
            except OSError as error:
                logger.warning("Cannot delete the old checkpoint %s: %s", each.path.name, error.strerror)


def find_checkpoint(path: Path, which: str | int = BEST) -> Path:
    """The checkpoint file at this path, or the one that `which` means of the run there.

    Raises CheckpointError if there is none.
    """
    if path.is_file():
        return path.resolve()  # a link by the user's hand; those in a run are not followed
    run = RunDirectory(path)
    if not run.run_file.is_file():
        raise CheckpointError(
            f"{printable(str(run.path))} is neither a run nor a checkpoint or bundle; check the path."
        )
    return choose_checkpoint(run.checkpoints, which)


def find_model_file(path: Path, which: str | int = BEST) -> Path:
    """As `find_checkpoint`, to make sounds with: while a run has no best one, that is its newest."""
    folder = RunDirectory(path).checkpoints
    is_early = which == BEST and not is_file(folder / BEST_FILE) and newest_step(folder) is not None
    return find_checkpoint(path, NEWEST if is_early else which)
