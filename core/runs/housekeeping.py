"""Another name for a run, and its end: changes to a run as a whole, which nobody trains meanwhile."""

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from core.atomic import target_of_leftover
from core.disk import explain_write_error
from core.errors import NameTakenError, QueueError, RunError
from core.files import list_names
from core.paths import RUN_FILE
from core.runs.directory import FILES, FOLDERS, GENERATED, RunDirectory, check_name, is_rewound
from core.runs.find import is_run
from core.runs.queue import RunQueue
from core.text import printable

LAST = ("lock", RUN_FILE)  # until the last one is gone, it is a run that can be deleted again


def rename_run(run: RunDirectory, name: str) -> RunDirectory:
    """Give a run another name; its place in the queue stays.

    Raises RunNameError, RunError if a process trains it or the folder cannot be written.
    """
    check_name(name)
    renamed = RunDirectory(run.path.parent / name)
    with _held(run):
        if os.path.lexists(renamed.path):
            raise NameTakenError(renamed.path)
        try:
            run.path.rename(renamed.path)
        except OSError as error:
            raise _refusal(run, "renamed", error) from error
    with contextlib.suppress(QueueError):  # the queue itself says what is wrong with it
        RunQueue(run.path.parent).rename(run.name, name)
    return renamed


def delete_run(run: RunDirectory) -> int:
    """Delete what is of a run, and return how many other files and folders were left in its folder.

    No link is followed: one in the run is removed itself.  Raises RunError if it is no run or is reached
    through a link, if a process trains it, or if something cannot be deleted.
    """
    if run.path.is_symlink():
        raise RunError(
            f"{printable(run.name)} is a link, and nothing outside the folder of runs is deleted; "
            "remove the link, or what it leads to, yourself."
        )
    if not is_run(run.path):
        raise RunError(f"{printable(str(run.path))} is not a run, or is gone already.")
    with _held(run):
        try:
            _delete_parts(run.path)
        except OSError as error:
            raise _refusal(run, "deleted", error) from error
    left = list_names(run.path, is_run=True)
    if not left:
        with contextlib.suppress(OSError):
            run.path.rmdir()
    with contextlib.suppress(QueueError):
        RunQueue(run.path.parent).remove(run.name)
    return len(left)


def _delete_parts(folder: Path) -> None:
    names = list_names(folder, is_run=True)
    own = [name for name in names if name in FILES or (target_of_leftover(name) or "") in FILES]
    for name in names:
        if name in (*FOLDERS, GENERATED) or is_rewound(name):
            part = folder / name
            if part.is_symlink():
                part.unlink()
            else:
                shutil.rmtree(part)
    for name in sorted(own, key=lambda name: (name in LAST, name == RUN_FILE)):
        (folder / name).unlink()


@contextlib.contextmanager
def _held(run: RunDirectory) -> Iterator[None]:
    """While entered no process can train the run.  Raises RunError if one does."""
    try:
        run.lock.acquire()
    except OSError as error:
        raise _refusal(run, "changed", error) from error
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            run.lock.release()


def _refusal(run: RunDirectory, done: str, error: OSError) -> RunError:
    return RunError(f"{printable(run.name)} cannot be {done} {explain_write_error(error)}.")
