"""What was made from a run: files, and a line about each in `provenance.jsonl` beside them.  No torch."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.config import MakingRequest, OutputSettings
from core.config.making import KINDS
from core.errors import ConfigError, FileTakenError, OutputError, SourceError
from core.files import list_names, open_regular
from core.records import parse_json, read_list, read_mapping, read_path, read_text
from core.text import printable

PROVENANCE_FILE = "provenance.jsonl"
if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

LONGEST_NAME = 200  # bytes
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


@dataclass(frozen=True)
class GeneratedSound:
    """A sound in a folder of generated ones, as its newest line has it.

    `near` is the file of the training sound that it is most like, or its number; empty if it is like none.
    """

    path: Path
    kind: str
    duration_s: float
    near: str
    is_starred: bool


def list_generated(folder: Path) -> list[GeneratedSound]:
    """The sounds in a folder that there are, in the order in which they were made.  Raises OSError."""
    newest: dict[str, Mapping[str, Any]] = {record["file"]: record for record in read_provenance(folder)}
    names = set(list_names(folder, is_run=True))
    return [_describe(folder, record) for name, record in newest.items() if name in names]


def star_generated(sound: GeneratedSound, is_starred: bool) -> None:
    """Mark a sound, or take the mark away.  Raises OSError."""
    append_provenance(sound.path.parent, {**_record(sound), "starred": is_starred})


def rename_generated(sound: GeneratedSound, name: str) -> Path:
    """Give a sound another name; it keeps its suffix.  Raises OutputError, FileTakenError, OSError."""
    if not name.strip(". ") or "/" in name or "\0" in name or len(name.encode()) > LONGEST_NAME:
        raise OutputError(
            f"'{printable(name)}' cannot name a file; use up to {LONGEST_NAME} letters without /."
        )
    path = sound.path.with_name(name.removesuffix(sound.path.suffix) + sound.path.suffix)
    if os.path.lexists(path):
        raise FileTakenError(path)
    record = _record(sound)
    sound.path.rename(path)
    append_provenance(path.parent, {**record, "file": path.name})
    return path


def delete_generated(sound: GeneratedSound) -> None:
    """Delete a sound; how it was made stays known.  Raises OSError."""
    sound.path.unlink()


def draw_sound(path: Path) -> "npt.NDArray[np.uint8] | None":
    """The spectrogram of a sound file as levels [bands, frames] from 0 to 255; None if it cannot be read."""
    import soundfile  # with numpy: the list does not wait for them

    from core.audio.picture import draw_spectrogram

    try:
        return draw_spectrogram(path)
    except (OSError, ValueError, soundfile.LibsndfileError):
        return None


def _record(sound: GeneratedSound) -> Mapping[str, Any]:
    return find_provenance(sound.path) or {"file": sound.path.name}


def _describe(folder: Path, record: Mapping[str, Any]) -> GeneratedSound:
    near, duration_s = record.get("near"), record.get("duration_s")
    name = ""
    if isinstance(near, dict):
        name = str(near.get("path") or f"training sound {near.get('number')}")
    return GeneratedSound(
        folder / record["file"],
        printable(str(record.get("kind", ""))),
        float(duration_s) if isinstance(duration_s, int | float) else 0.0,
        printable(name),
        record.get("starred") is True,
    )


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
