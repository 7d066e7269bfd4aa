"""What lies outside a run and must stay as it is, to the byte and the second."""

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

READ_BYTES = 10**8  # of longer files, which are sparse, size and time are compared alone


@dataclass(frozen=True)
class Entry:
    mode: int
    size_bytes: int
    modified_ns: int
    digest: str  # of a file's content, or where a link leads


Canary = dict[str, Entry]


def look(folder: Path) -> Canary:
    """Everything below a folder, no link followed.  A new name in a folder changes the folder's time."""
    entries = {}
    for root, folders, names in os.walk(folder):
        for path in (Path(root) / name for name in (*folders, *names)):
            status = path.lstat()
            digest = ""
            if stat.S_ISREG(status.st_mode) and status.st_size <= READ_BYTES:
                digest = hashlib.blake2b(path.read_bytes()).hexdigest()
            elif stat.S_ISLNK(status.st_mode):
                digest = str(path.readlink())
            size_bytes = 0 if stat.S_ISDIR(status.st_mode) else status.st_size
            name = str(path.relative_to(folder))
            entries[name] = Entry(status.st_mode, size_bytes, status.st_mtime_ns, digest)
    return entries


def changes(before: Canary, after: Canary) -> list[tuple[str, str, int]]:
    """The path of each entry that is not as it was, what happened to it, and how many bytes that is."""
    found = []
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path), after.get(path)
        if old == new:
            continue
        what = "created" if old is None else "deleted" if new is None else "changed"
        size_bytes = max(entry.size_bytes for entry in (old, new) if entry is not None)
        found.append((path, what, max(1, size_bytes)))
    return found
