"""The sounds of a run, found before anything of the run changes.  Imports no torch."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

from core.data.matching import SoundMatch, match_sounds
from core.data.report import ScanProgress
from core.data.sources import Sources
from core.errors import DatasetError, SoundsNotFoundError
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


def find_sound(run: RunDirectory, path: str, cancelled: Callable[[], bool]) -> Path:
    """Where the sound of this path in an event is now, by content if it was moved or touched.

    Raises RunError, DatasetError if it is not there any more, Cancelled.
    """
    manifest = run.read_manifest()
    folder, name = Path(manifest.folder), printable(path)
    sound = next((file for file in manifest.files if printable(file.path) == name), None)
    if sound is None:
        raise DatasetError(f"{name} is none of the sounds of {printable(run.name)}.")
    if sound.is_unchanged_in(folder):
        return folder / sound.path
    found = None
    if folder.is_dir():
        sources = Sources(folder, manifest.sources)
        match = match_sounds(sources, manifest.files, cancelled, lambda _: None, manifest.left_out)
        found = match.locations.get(sound.path)
    if found is None:
        where = printable(manifest.folder)
        raise DatasetError(f"{name} is gone from {where}, or has changed; put it back to compare with it.")
    return folder / found


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
