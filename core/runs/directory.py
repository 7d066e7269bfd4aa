"""The files of a run, and their paths."""

import contextlib
import json
import os
import re
import stat
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import NamedTuple, Self

from core.atomic import target_of_leftover, write_atomically
from core.errors import NameTakenError, RunError, RunNameError, RunsFolderError
from core.files import list_names, open_folder, open_regular, read_bounded
from core.paths import RUN_FILE, expand
from core.records import parse_json
from core.runs.checkpoints import is_checkpoint_name
from core.runs.event_log import LARGEST_LOG_BYTES, has_event
from core.runs.lock import RunLock
from core.runs.manifest import RunManifest
from core.runs.requests import RunRequests
from core.text import printable

PREVIEW_STARS = "previews.json"
LABELS_FILE = "labels.json"
FILES = (RUN_FILE, "events.jsonl", "run.log", "lock", "clip.wav", "start.pt", PREVIEW_STARS, LABELS_FILE)
GENERATED = "generated"
FOLDERS = ("checkpoints", "previews", "requests")
LARGEST_DESCRIPTION_BYTES = 32 << 20  # that of five hundred hours of sound
LARGEST_PREVIEW_BYTES = 16 << 20
MOST_FILES = 100_000  # looked at in a folder
PREVIEW_SUFFIXES = {".wav", ".npy"}
REWOUND = "rewound"  # numbered folders with what came after the checkpoint that a run went back to


class FileCounts(NamedTuple):
    """What lies in the folders of a run."""

    checkpoints: int
    previews: int
    generated: int


class RunDirectory:
    """Paths of one run.  Making the object touches nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.name = self.path.name
        self.run_file = self.path / RUN_FILE
        self.events = self.path / "events.jsonl"
        self.checkpoints = self.path / "checkpoints"
        self.previews = self.path / "previews"
        self.preview_stars = self.path / PREVIEW_STARS
        self.generated = self.path / GENERATED
        self.clip = self.path / "clip.wav"
        self.start_model = self.path / "start.pt"
        self.log = self.path / "run.log"
        self.labels = self.path / LABELS_FILE
        self.lock = RunLock(self.path / "lock")
        self.requests = RunRequests(self.path / "requests")

    @classmethod
    def create(cls, root: Path, name: str, manifest: RunManifest) -> Self:
        """Make the directory of a new run.

        Raises RunNameError, and RunsFolderError if it cannot be written.
        """
        check_name(name)
        run = cls(expand(root) / name)
        try:
            run.path.mkdir(parents=True)
            run.checkpoints.mkdir()
            run.previews.mkdir()
            run.events.touch()
            run.write_manifest(manifest)
        except FileExistsError:
            if not run.path.is_dir():
                raise RunsFolderError(f"{printable(str(root))} is not a folder.") from None
            raise NameTakenError(run.path) from None
        except OSError as error:
            raise RunsFolderError(
                f"Cannot write the run to {printable(str(run.path))} ({error.strerror})."
            ) from error
        return run

    def write_manifest(self, manifest: RunManifest) -> None:
        """Raises OSError."""
        # ASCII, so that file names that are no valid UTF-8 survive the round trip as escapes.
        write_atomically(self.run_file, json.dumps(manifest.to_dict(), indent=1).encode("ascii"), is_run=True)

    def change(self, manifest: RunManifest) -> None:
        """Replace the description of a run that continues.  Raises RunError if it cannot be written."""
        try:
            self.write_manifest(manifest)
        except OSError as error:
            raise RunError(
                f"Cannot write {printable(str(self.run_file))} ({error.strerror}); check its permissions."
            ) from error

    def read_manifest(self) -> RunManifest:
        """The run's description.  Raises RunError with the reason if it or a part of the run is unusable."""
        self.check_parts()
        try:
            return RunManifest.from_dict(
                parse_json(read_bounded(self.run_file, LARGEST_DESCRIPTION_BYTES, is_run=True))
            )
        except OSError as error:
            raise RunError(f"Cannot read {printable(str(self.run_file))} ({error.strerror}).") from error
        except (RunError, ValueError) as error:
            raise RunError(f"{printable(str(self.run_file))} cannot be used: {error}.") from error

    def has_trained(self) -> bool:
        """Whether the log has a step."""
        return has_event(self.events, "step")

    def has_saved(self) -> bool:
        """Whether the log has a checkpoint, be it still there or not."""
        return has_event(self.events, "checkpoint")

    def check_parts(self) -> None:
        """Raise RunError if a part of the run is not what it should be: a link, a pipe, a folder."""
        where = f"The run in {printable(str(self.path))} cannot be used"
        for part in (*FILES, *FOLDERS):
            try:
                status = (self.path / part).lstat()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise RunError(f"{where} ({error.strerror}); check its permissions.") from error
            mode = status.st_mode
            if stat.S_ISLNK(mode):
                raise RunError(
                    f"{where}: {part} is a link, and no link in a run is followed; "
                    "put what it leads to in its place."
                )
            if part in FILES and not stat.S_ISREG(mode):
                raise RunError(f"{where}: {part} is not a regular file; remove it, or copy the run again.")
            if part in FOLDERS and not stat.S_ISDIR(mode):
                raise RunError(f"{where}: {part} is not a folder; remove it, or copy the run again.")
            if part == self.events.name and status.st_size > LARGEST_LOG_BYTES:
                raise RunError(f"{where}: {part} is longer than the log of any run; copy the run again.")

    def open_log(self) -> int:
        """A descriptor of `run.log`, to append to.  Raises RunError."""
        try:
            return open_regular(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, is_run=True)
        except OSError as error:
            raise RunError(f"Cannot write {printable(str(self.log))} ({error.strerror}).") from error

    def find_preview(self, path: str) -> Path:
        """The sound at the path in a PreviewReady.  Raises RunError unless it is one of the previews."""
        folder, _, name = path.partition("/")
        sound = self.previews / name
        if folder != self.previews.name or "/" in name or name in ("", ".", ".."):
            raise RunError(f"{path} is not in the run's directory, and is not played.")
        try:
            with os.fdopen(open_regular(sound), "rb") as file:
                size_bytes = os.fstat(file.fileno()).st_size
        except (OSError, ValueError) as error:
            raise RunError(
                f"{path} cannot be played ({getattr(error, 'strerror', None) or error})."
            ) from error
        if size_bytes > LARGEST_PREVIEW_BYTES:
            raise RunError(f"{path} is longer than any preview, and is not played.")
        return sound

    def remove_leftovers(self) -> None:
        """Delete what a process that was killed while it saved has left.  Only for the holder of the lock.

        Files under other names, and what links lead to, are left alone.
        """
        _remove_temporary(self.path, FILES.__contains__, is_run=True)
        _remove_temporary(self.checkpoints, is_checkpoint_name)
        _remove_temporary(self.previews, lambda name: Path(name).suffix in PREVIEW_SUFFIXES)

    def count_files(self) -> FileCounts:
        """How many checkpoints, files of previews and files of made sounds there are."""
        folders = (self.checkpoints, self.previews, self.generated)
        return FileCounts(*(len(list_names(folder)) for folder in folders))

    def has_checkpoint(self) -> bool:
        """Whether there is a model to be used."""
        return any(map(is_checkpoint_name, list_names(self.checkpoints)))

    def size_bytes(self) -> int:
        """Space that the run takes on disk."""
        rewound = filter(is_rewound, list_names(self.path, is_run=True))
        others = (GENERATED, *rewound)
        return self.used_bytes() + sum(_size_of_files(self.path / name) for name in others)

    def used_bytes(self) -> int:
        """Space of what the run needs, without what was set aside when it went back."""
        folders = sum(_size_of_files(self.path / name) for name in FOLDERS)
        return _size_of_files(self.path, is_run=True) + folders


def is_rewound(name: str) -> bool:
    """Whether a folder of this name in a run holds what came after a checkpoint that it went back to."""
    return re.fullmatch(rf"{REWOUND}-\d{{3,}}", name) is not None


def _size_of_files(folder: Path, is_run: bool = False) -> int:
    total = 0
    try:
        with open_folder(folder, is_run) as descriptor, os.scandir(descriptor) as entries:
            for entry in islice(entries, MOST_FILES):
                with contextlib.suppress(OSError):  # retention may delete a checkpoint while we look
                    status = entry.stat(follow_symlinks=False)
                    total += status.st_size if stat.S_ISREG(status.st_mode) else 0
    except OSError:
        pass
    return total


def _remove_temporary(folder: Path, is_own: Callable[[str], bool], is_run: bool = False) -> None:
    with contextlib.suppress(OSError), open_folder(folder, is_run) as descriptor:
        for name in os.listdir(descriptor):  # noqa: PTH208  (of a descriptor)
            target = target_of_leftover(name)
            if target is not None and is_own(target):
                with contextlib.suppress(OSError):
                    os.unlink(name, dir_fd=descriptor)


def check_name(name: str) -> None:
    """Raise RunNameError unless `name` can be a folder's name that needs no quoting in a shell."""
    if not re.fullmatch(r"[\w][\w.+-]{0,99}", name):
        raise RunNameError(
            f"'{printable(name)}' cannot name a run; use up to 100 letters, digits and . _ + -, "
            "without spaces."
        )
