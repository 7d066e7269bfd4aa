"""All that is looked at, in groups."""

import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from core.text import one_line
from sda_tui.checkup.computing import find_devices
from sda_tui.checkup.disk import find_disk
from sda_tui.checkup.finding import Finding, Verdict, within
from sda_tui.checkup.software import find_software
from sda_tui.checkup.sound import find_sound
from sda_tui.checkup.terminal import find_login, find_terminal

logger = logging.getLogger(__name__)

LIMIT_S = 60.0  # for a group: PyTorch alone may take ten seconds from a slow disk

GROUPS: Mapping[str, Callable[[Path], list[Finding]]] = {
    "Software": lambda _: find_software(),
    "Computing": lambda _: find_devices(),
    "Sound": lambda _: find_sound(),
    "Terminal": find_terminal,
    "Staying alive": lambda _: find_login(),
    "Disk": find_disk,
}


def examine(root: Path) -> Iterator[tuple[str, list[Finding]]]:
    """Look at each group in turn.  `root` is the folder of runs.  Whatever fails is a problem of its own."""
    for name, find in GROUPS.items():
        try:
            yield name, within(LIMIT_S, lambda find=find: find(root))  # type: ignore[misc]
        except TimeoutError:
            yield (
                name,
                [Finding(name, f"no answer for {LIMIT_S:g} s", Verdict.PROBLEM, "Restart the machine.")],
            )
        except Exception as error:
            logger.exception("%s cannot be examined", name)
            found = one_line(f"cannot be examined ({type(error).__name__}: {error})")
            yield (
                name,
                [Finding(name, found, Verdict.PROBLEM, "This is a fault of sda-tui; please report it.")],
            )
