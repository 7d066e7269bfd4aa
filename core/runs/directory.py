"""The files of a run, and their paths."""

import json
import os
import re
from pathlib import Path
from typing import Self

from core.atomic import write_atomically
from core.errors import NameTakenError, RunError, RunsFolderError
from core.paths import RUN_FILE, expand
from core.runs.lock import RunLock
from core.runs.manifest import RunManifest
from core.runs.requests import RunRequests
from core.text import printable


class RunDirectory:
    """Paths of one run.  Making the object touches nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.name = self.path.name
        self.run_file = self.path / RUN_FILE
        self.events = self.path / "events.jsonl"
        self.checkpoints = self.path / "checkpoints"
        self.previews = self.path / "previews"
        self.clip = self.path / "clip.wav"
        self.log = self.path / "run.log"
        self.lock = RunLock(self.path / "lock")
        self.requests = RunRequests(self.path / "requests")

    @classmethod
    def create(cls, root: Path, name: str, manifest: RunManifest) -> Self:
        """Make the directory of a new run.

        Raises NameTakenError, RunsFolderError if it cannot be written, RunError for a bad name.
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
        write_atomically(self.run_file, json.dumps(manifest.to_dict(), indent=1).encode("ascii"))

    def change(self, manifest: RunManifest) -> None:
        """Replace the description of a run that continues.  Raises RunError if it cannot be written."""
        try:
            self.write_manifest(manifest)
        except OSError as error:
            raise RunError(
                f"Cannot write {printable(str(self.run_file))} ({error.strerror}); check its permissions."
            ) from error

    def read_manifest(self) -> RunManifest:
        """The run's description.  Raises RunError with the reason if it cannot be used."""
        try:
            return RunManifest.from_dict(json.loads(self.run_file.read_text(encoding="utf-8")))
        except OSError as error:
            raise RunError(f"Cannot read {printable(str(self.run_file))} ({error.strerror}).") from error
        except (RunError, ValueError) as error:
            raise RunError(f"{printable(str(self.run_file))} cannot be used: {error}.") from error

    def has_trained(self) -> bool:
        """Whether the log has a step."""
        try:
            with self.events.open(encoding="utf-8", errors="replace") as lines:
                return any(line.startswith('{"event":"step"') for line in lines)
        except OSError:
            return False

    def size_bytes(self) -> int:
        """Space that the run takes on disk."""
        total = 0
        for root, _, names in os.walk(self.path):
            for name in names:
                try:
                    total += (Path(root) / name).lstat().st_size
                except OSError:  # retention may delete a checkpoint while we look
                    continue
        return total


def check_name(name: str) -> None:
    """Raise RunError unless `name` can be a folder's name that needs no quoting in a shell."""
    if not re.fullmatch(r"[\w][\w.+-]{0,99}", name):
        raise RunError(
            f"'{printable(name)}' cannot name a run; use up to 100 letters, digits and . _ + -, "
            "without spaces."
        )
