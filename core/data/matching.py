"""Where the sounds of a run are now: by path where nothing changed, else by content.  Imports no torch."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from core.data.report import DatasetFile, FileReport, ScanProgress
from core.data.scan import examine
from core.data.sources import Sources


@dataclass(frozen=True)
class SoundMatch:
    """The sounds of a run among the files of its dataset.  All paths are relative to its folder.

    `locations` gives the path of each sound that is there, by the path that it had when the run began.
    `missing` are those that are gone or have other content now, `new` the sounds that were added.
    """

    locations: Mapping[str, str]
    missing: tuple[str, ...] = ()
    new: tuple[str, ...] = ()


def match_sounds(
    sources: Sources,
    files: Sequence[DatasetFile],
    cancelled: Callable[[], bool],
    progress: Callable[[ScanProgress], object],
    left_out: Sequence[DatasetFile] = (),
) -> SoundMatch:
    """Find each file, wherever it was moved or renamed to, however often it was touched.

    A file of the same path, size and time counts as unchanged.  Only what is left is compared by content, and
    of that only what the cache does not know is decoded.  What was `left_out` is not new.  Raises Cancelled.
    """
    locations = {file.path: file.path for file in files if file.is_unchanged_in(sources.folder)}
    gone = [file for file in files if file.path not in locations]
    present = [path for path in sources.walk([], cancelled) if path not in locations]
    beside = [path for path in _siblings(sources.folder, gone) if path not in locations]
    reports: dict[str, FileReport] = {}
    unknown = list(dict.fromkeys([*present, *beside]))
    for event in examine(sources.folder, unknown, cancelled) if unknown else ():
        if isinstance(event, FileReport):
            reports[event.path] = event
        else:
            progress(event)
    by_content = {report.content_hash: path for path, report in reports.items() if report.content_hash}
    locations |= {
        file.path: by_content[file.content_hash] for file in gone if file.content_hash in by_content
    }
    known = {file.content_hash for file in (*files, *left_out)}
    new = {
        reports[path].content_hash: path
        for path in present
        if reports[path].usable and reports[path].content_hash not in known
    }
    missing = tuple(file.path for file in gone if file.path not in locations)
    return SoundMatch(locations, missing, tuple(new.values()))


def _siblings(folder: Path, gone: Sequence[DatasetFile]) -> Iterator[str]:
    """Files beside those that are gone: a single file may have been chosen, and renamed."""
    for parent in dict.fromkeys(PurePosixPath(file.path).parent for file in gone):
        try:
            names = sorted(path.name for path in (folder / parent).iterdir() if path.is_file())
        except OSError:
            continue
        yield from ((parent / name).as_posix() for name in names)
