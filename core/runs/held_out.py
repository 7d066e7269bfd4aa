"""The error of each held-out file: an outlier is the commonest reason for a validation that jumps about."""

import math
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from core.data.report import FileReport
from core.events import EpochFinished
from core.runs.manifest import RunManifest
from core.runs.summary import RunSummary

FEWEST_FILES = 3  # for a median to compare with
FILE_ERRORS = "validation_error_per_file"  # a metric of epochs, in the order of `Split.validation_paths`


@dataclass(frozen=True)
class HeldOutErrors:
    """The error of the held-out files of a run that were measured, by path, relative to their median.

    Empty where that says nothing: fewer than three were measured, or training sounds are validated on.
    """

    relative: Mapping[str, float]

    @classmethod
    def of(cls, manifest: RunManifest | None, epoch: EpochFinished | None) -> Self:
        """Those of an epoch.  Values that make no sense are left out."""
        measured = epoch.metrics.get(FILE_ERRORS) if epoch else None
        if manifest is None or not isinstance(measured, tuple) or manifest.split.method == "none":
            return cls({})
        errors = {
            path: error
            for path, error in zip(manifest.split.validation_paths, measured, strict=False)
            if error is not None and math.isfinite(error) and error > 0
        }
        if len(errors) < FEWEST_FILES:
            return cls({})
        median = statistics.median(errors.values())
        return cls({path: error / median for path, error in errors.items()})

    def hardest(self, count: int) -> list[tuple[str, float]]:
        """At most so many files with an error over the median, as a multiple of it; the largest first."""
        above = [(path, error) for path, error in self.relative.items() if error > 1]
        return sorted(above, key=lambda item: item[1], reverse=True)[:count]


@dataclass(frozen=True)
class KnownErrors:
    """Errors of the files of a folder in the newest run that held out some of these sounds, by path."""

    run: str
    relative: Mapping[str, float]


def find_known_errors(newest_first: Iterable[RunSummary], files: Iterable[FileReport]) -> KnownErrors:
    """What the runs say of these files, which are recognised by their content.  Empty if nothing."""
    paths = {file.content_hash: file.path for file in files if file.usable}
    for summary in newest_first:
        errors = HeldOutErrors.of(summary.manifest, summary.last_epoch).relative
        if errors and summary.manifest is not None:
            hashes = {file.path: file.content_hash for file in summary.manifest.files}
            known = {
                paths[hashes[path]]: error for path, error in errors.items() if hashes.get(path) in paths
            }
            if known:
                return KnownErrors(summary.name, known)
    return KnownErrors("", {})
