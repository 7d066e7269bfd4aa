"""The sounds of a run, found before anything of the run changes.  Imports no torch."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from core.data.matching import SoundMatch, match_sounds
from core.data.report import ScanProgress
from core.data.sources import Sources
from core.errors import SoundsNotFoundError
from core.runs import RunDirectory, RunManifest
from core.text import name_some, printable


def find_sounds(
    run: RunDirectory,
    manifest: RunManifest,
    cancelled: Callable[[], bool],
    progress: Callable[[ScanProgress], object],
) -> SoundMatch:
    """Where the run's sounds are now.  Raises SoundsNotFoundError if none is left to train on, Cancelled."""
    folder, count = Path(manifest.folder), len(manifest.files)
    if not folder.is_dir():
        raise SoundsNotFoundError(run.path, f"The folder {printable(manifest.folder)} is gone.")
    sources = Sources(folder, manifest.sources)
    match = match_sounds(sources, manifest.files, cancelled, progress, manifest.left_out)
    if not any(excerpt.path in match.locations for excerpt in manifest.split.train):
        which = f"the {count} sounds of {run.name}" if not match.locations else "its training sounds"
        raise SoundsNotFoundError(run.path, f"None of {which} is in {printable(manifest.folder)}.")
    return match


def moved_to(manifest: RunManifest, chosen: Path) -> RunManifest:
    """The same run with its sounds in another place.  Raises DatasetError if that cannot be read."""
    sources = Sources.choose([chosen])
    return dataclasses.replace(manifest, folder=str(sources.folder), sources=sources.paths)


def describe_missing(match: SoundMatch) -> str:
    """A message if sounds are missing, else empty."""
    if not match.missing:
        return ""
    missing = name_some([printable(path) for path in match.missing])
    return f"{missing} gone or changed since the run began; training continues without."


def describe_new(match: SoundMatch) -> str:
    """A message if sounds were added, else empty."""
    count = len(match.new)
    if count < 2:
        return "1 file is new; this run continues without it." if count else ""
    return f"{count} files are new; this run continues without them."
