"""The user's own words on a run, in a small file in its directory: a star, and a note."""

import json
from dataclasses import dataclass
from typing import Any, Self

from core.atomic import write_atomically
from core.errors import RunError
from core.files import read_bounded
from core.records import parse_json, read_mapping, read_text
from core.runs.directory import RunDirectory
from core.text import one_line, printable

LARGEST_BYTES = 1 << 16
LONGEST_NOTE = 500  # characters


@dataclass(frozen=True)
class RunLabels:
    """Whether a run has a star, and a note on it in one line; empty if there is none."""

    is_starred: bool = False
    note: str = ""

    @classmethod
    def read(cls, run: RunDirectory) -> Self:
        """The labels of a run.  A run without the file, or with a damaged one, has none."""
        try:
            record = read_mapping(parse_json(read_bounded(run.labels, LARGEST_BYTES, is_run=True)))
        except (OSError, ValueError):
            return cls()
        return cls(record.get("starred") is True, _note_of(record.get("note", "")))

    def write(self, run: RunDirectory) -> None:
        """Raises RunError if the run cannot be written."""
        record = {"starred": self.is_starred, "note": clean_note(self.note)}
        try:
            write_atomically(run.labels, json.dumps(record, indent=1).encode("ascii"), is_run=True)
        except OSError as error:
            raise RunError(
                f"Cannot write {printable(str(run.labels))} ({error.strerror}); check its permissions."
            ) from error


def clean_note(text: str) -> str:
    """A note as it is kept: one line, and not longer than a note should be."""
    return one_line(" ".join(text.split()))[:LONGEST_NOTE]


def _note_of(value: Any) -> str:
    try:
        return clean_note(read_text(value))
    except ValueError:
        return ""
