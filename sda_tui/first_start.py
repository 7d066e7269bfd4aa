"""What is said once: at the first start of all."""

import os
from collections.abc import Mapping
from pathlib import Path

import platformdirs

from sda_tui.advice import command
from sda_tui.multiplexer import is_remote, multiplexer


def first_hint(root: Path, environment: Mapping[str, str] = os.environ) -> str:
    """What somebody who is connected by SSH should know, the first time; empty from then on.

    `root` is the folder of runs.  Nothing is said where that it was said cannot be remembered.
    """
    if not is_remote(environment) or multiplexer(environment):
        return ""
    try:
        folder = platformdirs.user_state_path("sda-tui", ensure_exists=True)
        os.close(os.open(folder / "tmux-hint-shown", os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except (OSError, RuntimeError):  # it was shown, or the user has no home
        return ""
    attach = command("attach", "--runs", root)
    return (
        f"Training continues when this connection is lost: {attach} shows it again, from any terminal. "
        "In tmux (`tmux new -A -s sda`) the screen stays too, as you left it."
    )
