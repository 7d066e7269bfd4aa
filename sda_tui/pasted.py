"""Paths as people type them, and as terminals and file managers paste them."""

import os
import shlex
from pathlib import Path
from urllib.parse import unquote_to_bytes

from core.errors import SdaError
from core.paths import expand

FILE_URI = "file://"
SHELL_SYNTAX = frozenset("'\"\\")


def read_paths(text: str) -> list[Path]:
    """The paths in a line: one as it is, or several words with quotes, `\\ ` and `file://` as in a shell.

    A line that is a path as it stands is one path, whatever is in it.  So is one that has no shell syntax
    and names nothing that exists: the user meant one path with spaces, and mistyped it.
    """
    line = text.strip()
    if not line:
        return []
    whole = Path(line)
    if _exists(whole):
        return [whole]
    words = line.split()
    if not all(word.startswith(FILE_URI) for word in words):  # a URI may have quotes in it
        try:
            words = [word for word in shlex.split(line) if word]
        except ValueError:  # a quote that is not closed
            return [whole]
    paths = [_from_uri(word) if word.startswith(FILE_URI) else Path(word) for word in words]
    is_shell_syntax = FILE_URI in line or bool(SHELL_SYNTAX & set(line))
    return paths if is_shell_syntax or any(map(_exists, paths)) else [whole]


def join_lines(text: str) -> str:
    """Several lines with a path each, as one line that `read_paths` reads."""
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) < 2:
        return "".join(lines)  # with its space at the end: another path may follow
    return shlex.join(str(path) for line in lines for path in read_paths(line))


def _from_uri(uri: str) -> Path:
    _host, _, path = uri.removeprefix(FILE_URI).partition("/")
    return Path("/" + os.fsdecode(unquote_to_bytes(path)))


def _exists(path: Path) -> bool:
    try:
        return os.path.lexists(expand(path))
    except (SdaError, ValueError):
        return False
