"""Paths as users write them, and the default folder of runs."""

import os
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


def default_root() -> Path:
    """The folder of all runs: `$SDA_RUNS`, else `./runs`."""
    return Path(os.environ.get(ROOT_VARIABLE) or "runs")
