"""Paths as users write them, and the default folder of runs."""

import os
from collections.abc import Sequence
from pathlib import Path

from core.errors import SdaError

ROOT_VARIABLE = "SDA_RUNS"  # where runs are kept
RUN_FILE = "run.json"  # what makes a folder a run


def expand(path: Path) -> Path:
    """Replace `~` and `~user` at the start.  Raises SdaError if there is no such user."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise SdaError(f"There is no user {path.parts[0][1:]!r}; write the path {path} in full.") from None


def is_file(path: Path) -> bool:
    """Whether there is a file that may be looked at; never raises, whatever the path."""
    try:
        return path.is_file()
    except (OSError, ValueError):  # a folder that may not be entered, or a name that cannot be one
        return False


def is_folder(path: Path) -> bool:
    """Whether there is a folder; never raises, whatever the path."""
    try:
        return path.is_dir()
    except (OSError, ValueError):  # it may not be looked at, or is a name that cannot be one
        return False


def source_paths(folder: str, sources: Sequence[str]) -> tuple[Path, ...]:
    """The files and folders that were chosen as a dataset, from their paths relative to `folder`."""
    return tuple(Path(folder) / source for source in sources) or (Path(folder),)


def default_root() -> Path:
    """The folder of all runs: `$SDA_RUNS`, else `./runs`."""
    return Path(os.environ.get(ROOT_VARIABLE) or "runs")
