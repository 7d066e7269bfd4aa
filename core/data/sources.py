"""The files and folders that were chosen as a dataset, and every file in them.  Imports no torch."""

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from core.data.litter import describe_litter, litter_owner
from core.errors import Cancelled, DatasetError
from core.paths import RUN_FILE, expand, is_folder
from core.text import printable


@dataclass(frozen=True)
class Sources:
    """Files and folders, relative to the deepest folder that holds them all.

    `paths` is empty where that folder itself was chosen.
    """

    folder: Path
    paths: tuple[str, ...] = ()

    @classmethod
    def choose(cls, chosen: Sequence[Path]) -> Self:
        """Raises DatasetError if one of them is missing or cannot be read."""
        absolute = list(dict.fromkeys(map(_check, chosen)))
        folders = [path if is_folder(path) else path.parent for path in absolute]
        folder = Path(os.path.commonpath(folders))
        if absolute == [folder]:
            return cls(folder)
        return cls(folder, tuple(path.relative_to(folder).as_posix() for path in absolute))

    def walk(self, notes: list[str], cancelled: Callable[[], bool]) -> Iterator[str]:
        """The path of every file, relative to the folder, each once; `notes` gets what was not entered.

        Links are followed, and each folder is entered once, however many links lead to it.  A chosen path
        that is gone has no files.  Raises Cancelled.
        """
        seen_files: set[str] = set()
        seen_folders: set[tuple[int, int]] = set()
        litter: Counter[str] = Counter()
        for chosen in self.paths or (".",):
            path = self.folder / chosen
            if is_folder(path):
                below = _walk(path, seen_folders, litter, notes, cancelled)
            else:
                below = iter([path] if os.path.lexists(path) else [])
            for found in below:
                relative = found.relative_to(self.folder).as_posix()
                if relative not in seen_files:
                    seen_files.add(relative)
                    yield relative
        if litter:
            notes.append(describe_litter(litter))


def _check(path: Path) -> Path:
    """The absolute path of a file or of a folder that can be read.  Raises DatasetError."""
    name = printable(str(path))
    absolute = expand(path).absolute()
    if ".." in absolute.parts:
        absolute = absolute.resolve()
    try:
        if is_folder(absolute):
            os.scandir(absolute).close()
        else:
            absolute.stat()
    except FileNotFoundError:
        raise DatasetError(f"There is no file or folder {name}; check the path.") from None
    except PermissionError:
        what = "the folder " if is_folder(absolute) else ""
        message = f"You have no permission to read {what}{name}; chmod it or choose another."
        raise DatasetError(message) from None
    except OSError as error:
        raise DatasetError(f"{name} cannot be opened ({error.strerror}).") from None
    except ValueError as error:  # a NUL in it
        raise DatasetError(f"{name} cannot be opened ({error}).") from None
    return absolute


def _walk(
    top: Path,
    seen: set[tuple[int, int]],
    litter: Counter[str],
    notes: list[str],
    cancelled: Callable[[], bool],
) -> Iterator[Path]:
    def note(error: OSError) -> None:
        notes.append(f"{printable(str(error.filename))} could not be entered ({error.strerror}).")

    for root, folders, names in os.walk(top, followlinks=True, onerror=note):
        if cancelled():
            raise Cancelled
        here = Path(root)
        try:
            status = here.stat()
        except OSError as error:  # gone since its name was read
            note(error)
            folders.clear()
            continue
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        if RUN_FILE in names and here != top:
            notes.append(f"{printable(root)} was left out: it is a run of sda-tui.")
            folders.clear()
            continue
        hidden = [name for name in folders if name.startswith(".")]
        notes.extend(f"{printable(str(here / name))} was left out: it is hidden." for name in hidden)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if owner := litter_owner(name):
                litter[owner] += 1
            else:
                yield here / name
