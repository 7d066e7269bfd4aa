"""Atomic writes: a file has its new content or its former one, also after a crash or a power cut."""

import contextlib
import errno
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from core.errors import FileTakenError
from core.files import open_folder

_TEMPORARY = re.compile(r"\.(.+)\.(\d{1,18})\.tmp")
NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
NEW_FILE = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write_atomically(
    path: Path,
    data: bytes | Iterable[bytes],
    is_durable: bool = True,
    is_run: bool = False,
    is_replacing: bool = True,
) -> None:
    """Write `data` or its parts as `path`, at once as far as anybody sees.  See `atomic_file`."""
    with atomic_file(path, is_durable, is_run, is_replacing) as file:
        for part in (data,) if isinstance(data, bytes) else data:
            file.write(part)


@contextlib.contextmanager
def atomic_file(
    path: Path, is_durable: bool = True, is_run: bool = False, is_replacing: bool = True
) -> Iterator[BinaryIO]:
    """A file to write and read that gets this path when it is complete: fsync, rename, fsync of the folder.

    Raises OSError, and FileTakenError unless `is_replacing`; a former file is then unchanged, and this one
    deleted.  Without `is_durable` both fsyncs are left out: the file survives the process, but perhaps not a
    power cut.  No link is followed (`core.files`); `is_run` says that the folder is a run's own.
    """
    temporary = f".{path.name}.{os.getpid()}.tmp"
    with open_folder(path.parent, is_run) as folder:
        with contextlib.suppress(FileNotFoundError):  # of a process that had the same id, or from elsewhere
            os.unlink(temporary, dir_fd=folder)
        try:
            with os.fdopen(os.open(temporary, NEW_FILE, 0o666, dir_fd=folder), "r+b") as file:
                yield file
                if is_durable:
                    file.flush()
                    os.fsync(file.fileno())
            if is_replacing:
                os.rename(temporary, path.name, src_dir_fd=folder, dst_dir_fd=folder)
            else:
                publish(temporary, path, folder)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=folder)
            raise
        if is_durable:
            os.fsync(folder)  # without it a crash may undo the rename


def publish(name: str, path: Path, folder: int) -> None:
    """Give a file in the folder of `path`, a descriptor of which is `folder`, this path if it is free.

    Raises FileTakenError, OSError.  Where there are no links, another may take the name in between.
    """
    try:
        os.link(name, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        os.unlink(name, dir_fd=folder)
    except FileExistsError:
        raise FileTakenError(path) from None
    except OSError as error:
        if error.errno not in NO_LINKS:
            raise
        if os.path.lexists(path):
            raise FileTakenError(path) from None
        os.rename(name, path.name, src_dir_fd=folder, dst_dir_fd=folder)


def target_of_leftover(name: str) -> str | None:
    """The name that a temporary file of `write_atomically` was to get; None for any other file.

    A process that is killed while it writes leaves such a file.  One of another process that still runs is
    no leftover.
    """
    match = _TEMPORARY.fullmatch(name)
    if match is None or (int(match[2]) != os.getpid() and _is_running(int(match[2]))):
        return None
    return match[1]


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return True
