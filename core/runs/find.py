"""The run that a user means, by a name or a path, and names for new ones."""

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.errors import NameTakenError, RunNotFoundError
from core.events import CheckpointSaved, EpochFinished
from core.paths import RUN_FILE, expand, is_file
from core.runs.checkpoints import CheckpointDescription, describe_checkpoints
from core.runs.directory import GENERATED, RunDirectory
from core.runs.event_log import read_events
from core.runs.manifest import RunManifest


@dataclass(frozen=True)
class Target:
    """A run, and the checkpoint of it that was named, if one was."""

    run: RunDirectory
    checkpoint: Path | None


def find_target(text: str, root: Path) -> Target:
    """The run of this name below `root`, or of this path, or whose checkpoint has this path.

    Raises RunNotFoundError.
    """
    for path in (expand(root) / text, expand(Path(text))):
        if is_run(path):
            return Target(RunDirectory(path), None)
        if path.suffix == ".pt" and is_file(path) and (run := find_owner(path)):
            return Target(run, path.absolute())
    raise RunNotFoundError(text, root)


def find_model(text: str, root: Path) -> Path:
    """The run of this name below `root`, or of this path, or the file of a checkpoint or bundle.

    Raises RunNotFoundError.
    """
    for path in (expand(root) / text, expand(Path(text))):
        if is_run(path) or is_file(path):
            return path
    raise RunNotFoundError(text, root)


def generated_folder(model: Path) -> Path:
    """Where sounds from a model are kept: in its run, or beside the file if it is of none."""
    if not is_file(model):
        return RunDirectory(model).generated
    owner = find_owner(model)
    return owner.generated if owner is not None else model.absolute().parent / GENERATED


def find_owner(checkpoint: Path) -> RunDirectory | None:
    """The run whose folder of checkpoints, or another folder of which, this file lies in."""
    folder = checkpoint.absolute().parent.parent
    return RunDirectory(folder) if is_run(folder) else None


def find_run(text: str, root: Path) -> RunDirectory:
    """The run of `find_target`."""
    return find_target(text, root).run


def list_checkpoints(run: RunDirectory) -> list[CheckpointDescription]:
    """The checkpoints of a run, with what its log says about each.  Raises OSError."""
    logged = read_events(run.events, CheckpointSaved, EpochFinished)
    return describe_checkpoints(run.checkpoints, (event for event, _ in logged))


def is_run(path: Path) -> bool:
    """Whether there is a run, be it a broken one."""
    try:
        (path / RUN_FILE).lstat()
    except (OSError, ValueError):  # a folder that may not be entered, or a name that cannot be one
        return False
    return True


def create_run(root: Path, name: str | None, manifest: RunManifest) -> RunDirectory:
    """Make the directory of a new run, of the first free name if none is given.

    Raises as `RunDirectory.create` does.
    """
    while True:
        try:
            suggested = name or suggest_name(root, manifest.source_paths)
            return RunDirectory.create(root, suggested, manifest)
        except NameTakenError:
            if name is not None:
                raise  # else another process took it in between: the next one


def suggest_name(root: Path, sources: Sequence[Path]) -> str:
    """A free name for a run on these sounds: `drums-001`, `drums-002`, …"""
    stem = re.sub(r"[^\w+-]+", "-", _name_of(sources)).strip("-_+")[:80] or "run"
    return next_name(root, stem)


def _name_of(sources: Sequence[Path]) -> str:
    first = sources[0].resolve()
    if len(sources) == 1:
        return first.stem if is_file(first) else first.name
    return Path(os.path.commonpath([path.parent for path in sources])).name or first.stem


def next_name(root: Path, stem: str) -> str:
    """The first free name of a numbered run below `root`."""
    number = 1
    while (expand(root) / f"{stem}-{number:03}").exists():
        number += 1
    return f"{stem}-{number:03}"


def suggest_branch_name(run: RunDirectory) -> str:
    """A free name beside a run for one that begins where it was: `drums-002` after `drums-001`."""
    return next_name(run.path.parent, re.sub(r"-\d{3,}$", "", run.name))
