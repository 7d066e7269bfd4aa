"""What was made from a run: files, and a line about each in `provenance.jsonl` beside them.  No torch."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.config import MakingRequest, OutputSettings
from core.config.making import KINDS
from core.errors import ConfigError, SourceError
from core.files import open_regular
from core.records import parse_json, read_list, read_mapping, read_path, read_text

FOLDER = "generated"
PROVENANCE_FILE = "provenance.jsonl"
LARGEST_BYTES = 1 << 30


def append_provenance(folder: Path, record: Mapping[str, Any]) -> None:
    """Add a line about a file in a folder.  Processes may do so at once.  Raises OSError."""
    line = json.dumps(record, allow_nan=False, ensure_ascii=False) + "\n"
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
    with os.fdopen(open_regular(folder / PROVENANCE_FILE, flags, is_run=True), "ab", buffering=0) as file:
        file.write(line.encode("utf-8", "replace"))


def read_provenance(folder: Path) -> list[Mapping[str, Any]]:
    """The lines about files in a folder, oldest first, without those that are damaged.  Raises OSError.

    Each is a mapping with a text under "file" at least.
    """
    records: list[Mapping[str, Any]] = []
    try:
        descriptor = open_regular(folder / PROVENANCE_FILE, is_run=True)
    except FileNotFoundError:
        return records
    with os.fdopen(descriptor, "rb") as file:
        for line in file.read(LARGEST_BYTES).splitlines():
            try:
                record = read_mapping(parse_json(line))
                read_text(record["file"])
            except (KeyError, ValueError):
                continue
            records.append(record)
    return records


def find_provenance(path: Path) -> Mapping[str, Any] | None:
    """The newest line about a file, in the folder that it lies in; None if there is none.  Raises OSError."""
    found = [record for record in read_provenance(path.parent) if record["file"] == path.name]
    return found[-1] if found else None


def repeat_request(record: Mapping[str, Any]) -> tuple[MakingRequest, OutputSettings]:
    """What makes the sound of a provenance line again.  Raises SourceError if the line is not whole."""
    try:
        sources, plus, minus = (
            tuple(read_path(each["path"]) for each in read_list(record[name]))
            for name in ("sources", "plus", "minus")
        )
        settings = KINDS[read_text(record["kind"])](**record["settings"])
        only, sha256 = read_text(record["sound"]), read_text(record["checkpoint_sha256"])
        request = MakingRequest(settings, sources, plus, minus, only, sha256)
        if settings.values()["seed"] is None:
            raise ValueError("its seed is missing")
        return request, OutputSettings(**record["output"])
    except (ConfigError, KeyError, TypeError, ValueError) as error:
        raise SourceError(f"Its line in {PROVENANCE_FILE} is damaged ({error}).") from error
