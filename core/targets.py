"""Files that the user names: whole or absent, and in no other file's place unless that is wanted.

Imports no torch.
"""

from collections.abc import Iterable
from pathlib import Path

from core.atomic import write_atomically
from core.disk import explain_write_error
from core.errors import ExportError, FileTakenError
from core.paths import expand
from core.text import printable


def check_target(path: Path, overwrite: bool) -> Path:
    """The path to write to, absolute.  Raises ExportError if there is something that must stay."""
    path = expand(path).absolute()
    shown = printable(str(path))
    if path.is_dir():
        raise ExportError(f"{shown} is a folder; name a file in it.")
    if (path.exists() or path.is_symlink()) and not overwrite:
        raise FileTakenError(path)
    if not path.parent.is_dir():
        raise ExportError(f"There is no folder {printable(str(path.parent))}; make it, or choose another.")
    return path


def write_target(path: Path, data: bytes | Iterable[bytes], overwrite: bool) -> Path:
    """Write a file or its parts, atomically, and return its absolute path.  Raises ExportError."""
    path = check_target(path, overwrite)
    try:
        write_atomically(path.parent.resolve() / path.name, data, is_replacing=overwrite)
    except OSError as error:
        raise ExportError(f"Cannot write {printable(str(path))} {explain_write_error(error)}.") from error
    return path
