"""Showing a folder to the user: in a window where there is a display, else as a path to copy."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from sda_tui.multiplexer import is_remote

DISPLAY_VARIABLES = ("DISPLAY", "WAYLAND_DISPLAY")


def find_opener(
    environment: Mapping[str, str],
    platform: str = sys.platform,
    which: Callable[[str], str | None] = shutil.which,
) -> str | None:
    """The program that opens a folder where the user sees it; None if there is none.

    Over SSH a window would open elsewhere, or slowly.  `$BROWSER` is no opener of folders: an editor sets it
    in its terminal, to open pages on another machine.
    """
    if is_remote(environment):
        return None
    if platform == "darwin":
        return which("open")
    if any(environment.get(name) for name in DISPLAY_VARIABLES):
        return which("xdg-open")
    return None


def reveal(path: Path, environment: Mapping[str, str] = os.environ) -> str | None:
    """Open a folder, or the one that a file lies in.

    Returns None if a program was started that opens it, else the absolute path, to be copied and shown.
    """
    folder = path.absolute()
    if not folder.is_dir():
        folder = folder.parent
    opener = find_opener(environment)
    if opener is None:
        return str(path.absolute())
    try:
        subprocess.Popen(
            [opener, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # it stays when this program ends
            env={name: value for name, value in environment.items() if name != "BROWSER"},
        )
    except OSError:
        return str(path.absolute())
    return None
