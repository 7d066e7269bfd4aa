"""Files of a run, which may come from elsewhere: no link is followed, and only regular files are opened.

A run is data.  A link in it could lead a program that trusts its names to write, truncate or delete a file
outside; a pipe could make it wait for ever, a device or a sparse file take all memory.  The folder of a run
may itself be reached through links, as users arrange their disks with them: `is_run` says that a file lies
directly in it.  The folders in a run may not be links.
"""

import contextlib
import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

WRITING = os.O_WRONLY | os.O_RDWR
FOLLOWS_NOTHING = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def open_regular(path: Path, flags: int = os.O_RDONLY, is_run: bool = False) -> int:
    """A descriptor of a regular file; with O_CREAT in `flags`, of a new one if there is none.

    Raises OSError, whose `strerror` is for the user, for anything else.  To be written in place, a file may
    have no second name (a hard link), which may lie outside.
    """
    with open_folder(path.parent, is_run) as folder:
        with contextlib.suppress(FileNotFoundError):
            _require_regular(path, os.stat(path.name, dir_fd=folder, follow_symlinks=False))
        descriptor = os.open(path.name, flags | FOLLOWS_NOTHING, 0o666, dir_fd=folder)
    try:
        status = os.fstat(descriptor)
        _require_regular(path, status)
        if flags & WRITING and status.st_nlink > 1:
            raise refusal(path, "has a second name elsewhere (a hard link); copy the run, and use the copy")
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def read_bounded(path: Path, limit_bytes: int, is_run: bool = False) -> bytes:
    """The content of a regular file.  Raises OSError, also if it is longer than `limit_bytes`."""
    with os.fdopen(open_regular(path, is_run=is_run), "rb") as file:
        if os.fstat(file.fileno()).st_size <= limit_bytes:
            data = file.read(limit_bytes + 1)
            if len(data) <= limit_bytes:
                return data
    raise refusal(path, f"is longer than {limit_bytes / 1e6:,.0f} MB, which no such file of a run is")


def list_names(folder: Path, is_run: bool = False) -> list[str]:
    """The names in a folder of a run; none if there is no such folder, or it cannot be read."""
    try:
        with open_folder(folder, is_run) as descriptor:
            return os.listdir(descriptor)  # noqa: PTH208  (of a descriptor)
    except OSError:
        return []


def remove(path: Path) -> None:
    """Delete a file in a folder of a run; of a link, the link itself.  Raises OSError."""
    with open_folder(path.parent) as folder:
        os.unlink(path.name, dir_fd=folder)


def rename(path: Path, name: str) -> None:
    """Give a file in a folder of a run another name.  Raises OSError."""
    with open_folder(path.parent) as folder:
        os.rename(path.name, name, src_dir_fd=folder, dst_dir_fd=folder)


@contextlib.contextmanager
def open_folder(path: Path, is_run: bool = False) -> Iterator[int]:
    """A descriptor of a folder, which may be reached through a link only if it is a run's own."""
    if not is_run and path.is_symlink():
        raise link_refusal(path)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC | (0 if is_run else os.O_NOFOLLOW))
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def link_refusal(path: Path) -> OSError:
    return refusal(path, "is a link, and no link in a run is followed; put what it leads to in its place")


def refusal(path: Path, why: str) -> OSError:
    """An error that says what is wrong with a part of a run."""
    return OSError(errno.EINVAL, f"{path.name} {why}", str(path))


def _require_regular(path: Path, status: os.stat_result) -> None:
    if stat.S_ISLNK(status.st_mode):
        raise link_refusal(path)
    if not stat.S_ISREG(status.st_mode):
        raise refusal(path, "is not a regular file")
