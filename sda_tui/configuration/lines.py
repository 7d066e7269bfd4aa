"""On which line of a TOML file a value is: the parser does not tell."""

import tomllib
from collections.abc import Sequence
from typing import Any

MOST_TRIES = 200  # each parses the file up to a line


def find_line(text: str, path: Sequence[str]) -> int | None:
    """The line, counted from 1, on which the value at `path` begins; None if that cannot be said.

    Tries the lines that have the name in them: it is the first after which the parser knows the value.
    `text` is valid TOML.
    """
    lines = text.splitlines(keepends=True)
    tries = 0
    for start, line in enumerate(lines):
        if path[-1] not in line:
            continue
        for end in range(start + 1, len(lines) + 1):  # a value may take many lines
            tries += 1
            if tries > MOST_TRIES:
                return None
            try:
                known = tomllib.loads("".join(lines[:end]))
            except tomllib.TOMLDecodeError:
                continue
            if _has(known, path):
                return start + 1
            break
    return None


def _has(known: Any, path: Sequence[str]) -> bool:
    for name in path:
        if not isinstance(known, dict) or name not in known:
            return False
        known = known[name]
    return True
