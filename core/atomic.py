"""Atomic writes: a file has its new content or its former one, also after a crash or a power cut."""

import os
from pathlib import Path


def write_atomically(path: Path, data: bytes, is_durable: bool = True) -> None:
    """Replace `path` with `data`: temporary file beside it, fsync, rename, fsync of the folder.

    Raises OSError; the former file is then unchanged and the temporary one deleted.  Without `is_durable`
    both fsyncs are left out: the file survives the process, but perhaps not a power cut.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(data)
            if is_durable:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if is_durable:
        _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make a rename durable: without it a crash may undo what `os.replace` did."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
