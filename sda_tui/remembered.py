"""What the app remembers from one start to the next: values by name, in one small file.

What the user writes is in the configuration file, which the program never changes.  Nothing here is worth an
error: what cannot be read is forgotten, what cannot be written is not remembered.
"""

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from sda_tui.configuration.location import user_folder

LARGEST_BYTES = 1 << 16
FILE_NAME = "remembered.json"

T = TypeVar("T")


def recall(name: str, default: T) -> T:
    """What was remembered under `name`, if it is of the same type as `default`; else that."""
    value = read_remembered(FILE_NAME).get(name, default)
    if isinstance(default, tuple) and isinstance(value, list):
        value = tuple(value)
    return value if type(value) is type(default) else default


def remember(name: str, value: object) -> None:
    """Remember a value that JSON can hold under `name`, for the user alone."""
    values = read_remembered(FILE_NAME)
    if name not in values or values[name] != value:
        write_remembered(FILE_NAME, {**values, name: value})


def read_remembered(file_name: str) -> dict[str, Any]:
    """The values in a file of the user's folder; none if it is missing or damaged."""
    folder = user_folder()
    if folder is None:
        return {}
    try:
        with (folder / file_name).open("rb") as file:
            found = json.loads(file.read(LARGEST_BYTES + 1))
    except (OSError, RecursionError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_remembered(file_name: str, values: Mapping[str, object]) -> None:
    """Replace a file in the user's folder, for the user alone, where that is possible."""
    folder = user_folder()
    if folder is None:
        return
    with contextlib.suppress(OSError, TypeError, ValueError):
        data = json.dumps(values, indent=1).encode()
        if len(data) <= LARGEST_BYTES:
            _write_privately(folder / file_name, data)


def _write_privately(path: Path, data: bytes) -> None:
    """Replace a file at once by one that its user alone may read; its folder is made if it is missing."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    temporary.replace(path)
