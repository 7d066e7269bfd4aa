"""What a scan found, as plain values: a report per file, the split, the totals.  Imports no torch."""

from collections import Counter
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path

from core.audio.levels import decibels
from core.errors import NoUsableSoundsError
from core.paths import source_paths
from core.text import printable

FEWEST_FILES_FOR_CONFIDENCE = 4  # held out; fewer allow no conclusion about other sounds


class Verdict(StrEnum):
    """What becomes of a file.

    `waiting`: its header is read, its samples are not yet; `left out`: by the user.
    """

    WAITING = "waiting"
    USED = "used"
    PADDED = "padded"
    MOSTLY_SILENT = "mostly silent"
    CLIPPED = "clipped"
    DUPLICATE = "duplicate"
    LEFT_OUT = "left out"
    UNSUPPORTED = "unsupported"
    UNREADABLE = "unreadable"


@dataclass(frozen=True)
class FileReport:
    """One file of the folder.  `path` is relative to the folder, with forward slashes.

    `usable`: it will be trained on.  `peaks` holds the highest absolute sample of the mono mix
    in each stretch of PEAK_INTERVAL_S.  `content_hash` covers the decoded samples, so that copies in other
    formats are recognised; `loudest_frame`, where the mono mix is farthest from zero, is the same at any
    level too.  `loudness_lufs` is of the mono mix, None for silence.  `remark` is the part of `detail` that
    does not depend on the chunk duration.
    """

    path: str
    verdict: Verdict
    detail: str
    usable: bool = False
    size_bytes: int = 0
    modified_ns: int = 0
    duration_s: float = 0.0
    sample_rate: int = 0
    channels: int = 0
    format: str = ""
    encoding: str = ""
    chunks: int = 0
    content_hash: str = ""
    loudest_frame: int = 0
    loudness_lufs: float | None = None
    remark: str = ""
    peaks: tuple[float, ...] = ()

    @property
    def peak(self) -> float:
        """The highest absolute sample of the mono mix; 0 where none was read."""
        return max(self.peaks, default=0.0)

    @property
    def peak_db(self) -> float:
        """The same relative to full scale; minus infinity for silence."""
        return decibels(self.peak)

    @property
    def printable_path(self) -> str:
        return printable(self.path)


@dataclass(frozen=True)
class DatasetFile:
    """A file of a run's dataset: its content's hash, and the size and time by which it is found quickly."""

    path: str
    size_bytes: int
    modified_ns: int
    content_hash: str

    def is_unchanged_in(self, folder: Path) -> bool:
        """Whether a file of this path, size and time is below the folder."""
        try:
            status = (folder / self.path).stat()
        except (OSError, ValueError):
            return False
        return (status.st_size, status.st_mtime_ns) == (self.size_bytes, self.modified_ns)


@dataclass(frozen=True)
class Excerpt:
    """The part of a file that one side of the split may use, and its chunks, in seconds from the start.

    `gain` multiplies its samples when it is decoded.
    """

    path: str
    start_s: float
    stop_s: float
    chunk_starts_s: tuple[float, ...]
    gain: float = 1.0


@dataclass(frozen=True)
class Split:
    """Which sounds train and which validate.

    `method` is `file`, or `time` when whole files are too few to hold one out, or `none` when even that
    leaves nothing and validation repeats the training sounds.
    """

    method: str
    note: str
    train: tuple[Excerpt, ...]
    validation: tuple[Excerpt, ...]

    @property
    def training_chunks(self) -> int:
        return sum(len(excerpt.chunk_starts_s) for excerpt in self.train)

    @property
    def validation_chunks(self) -> int:
        return sum(len(excerpt.chunk_starts_s) for excerpt in self.validation)

    @property
    def validation_paths(self) -> tuple[str, ...]:
        """The held-out files, each once."""
        return tuple(dict.fromkeys(excerpt.path for excerpt in self.validation))

    @property
    def validation_files(self) -> int:
        return len(self.validation_paths)

    @property
    def confidence_note(self) -> str:
        """A message if too few sounds are held out for a reliable judgement of the model, else empty."""
        files = self.validation_files
        if self.method == "none":
            return "Nothing is held out: validation cannot show overfitting."
        if files >= FEWEST_FILES_FOR_CONFIDENCE:
            return ""
        held_out = "1 file" if files == 1 else f"{files} files"
        part = "the end of " if self.method == "time" else ""
        return f"Only {part}{held_out} held out: take validation as a hint."


@dataclass(frozen=True)
class ScanReport:
    """Everything known about a dataset: files in the order of their paths, the split, the suggested preset.

    `sources` are the files and folders that were chosen, relative to `folder`; empty: all of it.  `notes` are
    messages about folders that were not entered.
    """

    folder: str
    sources: tuple[str, ...]
    chunk_duration_s: float
    files: tuple[FileReport, ...]
    split: Split
    suggested_preset: str
    suggestion_reason: str
    notes: tuple[str, ...] = ()

    @property
    def source_paths(self) -> tuple[Path, ...]:
        return source_paths(self.folder, self.sources)

    @cached_property
    def usable_files(self) -> tuple[FileReport, ...]:
        return tuple(file for file in self.files if file.usable)

    @property
    def duration_s(self) -> float:
        """Seconds of sound in the usable files."""
        return sum(file.duration_s for file in self.usable_files)

    @property
    def chunks(self) -> int:
        return sum(file.chunks for file in self.usable_files)

    def require_usable(self) -> None:
        """Raise NoUsableSoundsError if there is nothing to train on."""
        if not self.usable_files:
            raise NoUsableSoundsError(self.source_paths, self.verdicts())

    def verdicts(self) -> dict[str, int]:
        """The number of files of each verdict, the most frequent first."""
        return dict(Counter(file.verdict.value for file in self.files).most_common())

    def sample_rates(self) -> dict[int, int]:
        return dict(Counter(file.sample_rate for file in self.usable_files).most_common())

    def formats(self) -> dict[str, int]:
        return dict(Counter(file.format for file in self.usable_files).most_common())


@dataclass(frozen=True)
class ScanProgress:
    """`done` of `total` files in a `phase`: finding (total unknown: 0), headers, samples."""

    phase: str
    done: int
    total: int


ScanEvent = ScanProgress | FileReport | ScanReport
