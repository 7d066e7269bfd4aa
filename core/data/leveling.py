"""The level at which a dataset's sounds are trained on.  Reads no file, imports no torch."""

import dataclasses
import statistics
from collections.abc import Iterable, Sequence

from core.audio.levels import Level, gain_to_normalised
from core.data.report import FileReport, Split
from core.text import printable

LOUD_DB = 20.0  # over the median of the peaks: all the others stay that much quieter
SHOWN_FILES = 3


def dataset_level(mode: str, files: Iterable[FileReport]) -> Level:
    """How the usable files are levelled; `mode` is the setting `level`."""
    loudest = max((file.peak for file in files if file.usable), default=0.0)
    return Level(mode, gain_to_normalised(loudest) if mode == "dataset" else 1.0)


def with_gains(split: Split, level: Level, files: Iterable[FileReport]) -> Split:
    """The split with the gain of each excerpt, which is that of its file."""
    gains = {file.path: level.gain_of(file.peak) for file in files}
    train, validation = (
        tuple(dataclasses.replace(each, gain=gains[each.path]) for each in side)
        for side in (split.train, split.validation)
    )
    return dataclasses.replace(split, train=train, validation=validation)


def loud_files_note(files: Sequence[FileReport]) -> str:
    """A message with advice if few files are much louder than the others, else empty."""
    usable = [file for file in files if file.usable]
    median_db = statistics.median_low(file.peak_db for file in usable) if usable else 0.0
    loud = [file for file in usable if file.peak_db > median_db + LOUD_DB]
    if not loud:
        return ""
    names = ", ".join(printable(file.path) for file in loud[:SHOWN_FILES])
    more = f" and {len(loud) - SHOWN_FILES} more" if len(loud) > SHOWN_FILES else ""
    over_db = max(file.peak_db for file in loud) - median_db
    are = "is" if len(loud) == 1 else "are up to"
    return (
        f"{names}{more} {are} {over_db:.0f} dB louder than half of the files, which stay that quiet with "
        "level=dataset; level=file brings each to the same peak."
    )
