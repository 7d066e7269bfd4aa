"""What was made from a run: files, and a line about each in `provenance.jsonl` beside them.  No torch."""

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.atomic import publish
from core.config import MakingRequest, OutputSettings
from core.config.making import KINDS
from core.errors import Cancelled, ConfigError, OutputError, SourceError
from core.files import list_names, open_folder, open_regular, remove
from core.records import parse_json, read_integer, read_list, read_mapping, read_number, read_path, read_text
from core.text import printable

PROVENANCE_FILE = "provenance.jsonl"
if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

PROVENANCE_FILE = "provenance.jsonl"
SOURCE_KINDS = "sources", "plus", "minus"  # of the sounds that a request names
SOUND_SUFFIXES = {".wav", ".flac"}
LONGEST_NAME = 200  # bytes
LONGEST_LINE_BYTES = 1 << 17  # one with 512 latents has a tenth
MOST_LINES = 200_000
HASH_BYTES = 1 << 20


def prepare_provenance(folder: Path) -> None:
    """See that lines can be added in a folder, which is no link.  Raises OSError."""
    os.close(_open_to_append(folder / PROVENANCE_FILE))


def append_provenance(folder: Path, record: Mapping[str, Any]) -> None:
    """Add a line about a file in a folder that is no link.  Processes may do so at once.  Raises OSError."""
    path = folder / PROVENANCE_FILE
    line = json.dumps(record, allow_nan=False).encode("ascii") + b"\n"  # escapes keep names of any bytes
    with os.fdopen(_open_to_append(path), "r+b", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        if size and os.pread(file.fileno(), 1, size - 1) != b"\n":  # a full disk cut the last line short
            line = b"\n" + line
        if file.write(line) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def _open_to_append(path: Path) -> int:
    return open_regular(path, os.O_RDWR | os.O_APPEND | os.O_CREAT)


def read_provenance(folder: Path) -> list[Mapping[str, Any]]:
    """The lines about sounds in a folder, oldest first, without those that are damaged.  Raises OSError.

    Each has the plain name of a sound under "file".
    """
    records: list[Mapping[str, Any]] = []
    try:
        descriptor = open_regular(folder / PROVENANCE_FILE)
    except FileNotFoundError:
        return records
    with os.fdopen(descriptor, "rb") as file:
        for _ in range(MOST_LINES):
            line = file.readline(LONGEST_LINE_BYTES)
            if not line:
                break
            try:
                record = read_mapping(parse_json(line))
                name = read_path(record["file"])
            except (KeyError, ValueError):
                continue
            if Path(name).name == name and Path(name).suffix in SOUND_SUFFIXES:
                records.append(record)
    return records


def hash_file(path: Path, cancelled: Callable[[], bool] = lambda: False) -> str:
    """The SHA-256 of a regular file, in hexadecimal.  Raises OSError, Cancelled."""
    digest = hashlib.sha256()
    with os.fdopen(open_regular(path.resolve()), "rb") as file:
        while block := file.read(HASH_BYTES):
            digest.update(block)
            if cancelled():
                raise Cancelled
    return digest.hexdigest()


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
    return [describe_generated(folder, record) for record in newest_provenance(folder)]


def newest_provenance(folder: Path) -> list[Mapping[str, Any]]:
    """The newest line about each sound in a folder that there is.  Raises OSError."""
    newest: dict[str, Mapping[str, Any]] = {record["file"]: record for record in read_provenance(folder)}
    names = set(list_names(folder))
    return [record for name, record in newest.items() if name in names]


def star_generated(sound: GeneratedSound, is_starred: bool) -> None:
    """Mark a sound, or take the mark away.  Raises OSError."""
    append_provenance(sound.path.parent, {**_record(sound), "starred": is_starred})


def rename_generated(sound: GeneratedSound, name: str) -> Path:
    """Give a sound another name; it keeps its suffix.  Raises OutputError, FileTakenError, OSError."""
    path = sound.path.with_name(name.removesuffix(sound.path.suffix) + sound.path.suffix)
    if not is_plain_name(name) or len(os.fsencode(path.name)) > LONGEST_NAME:
        raise OutputError(f"'{printable(name)}' cannot name a file; use fewer letters, and no /.")
    record = _record(sound)
    with open_folder(path.parent) as folder:
        publish(sound.path.name, path, folder)
    append_provenance(path.parent, {**record, "file": path.name})
    return path


def delete_generated(sound: GeneratedSound) -> None:
    """Delete a sound; how it was made stays known.  Raises OSError."""
    remove(sound.path)


def is_plain_name(name: str) -> bool:
    """Whether it names a file in a folder, that is seen in a list, and nothing else."""
    return bool(name.strip(". ")) and not name.startswith(".") and printable(name) == name and "/" not in name


def read_picture(path: Path) -> "npt.NDArray[np.uint8] | None":
    """The spectrogram of a sound file as levels [bands, frames] from 0 to 255; None if it cannot be read."""
    import soundfile  # with numpy: the list does not wait for them

    from core.audio.picture import draw_spectrogram

    try:
        return draw_spectrogram(path)
    except (OSError, ValueError, soundfile.LibsndfileError):
        return None


def _record(sound: GeneratedSound) -> Mapping[str, Any]:
    return find_provenance(sound.path) or {"file": sound.path.name}


def describe_generated(folder: Path, record: Mapping[str, Any]) -> GeneratedSound:
    """What a line says, without what cannot be read in it."""
    kind, name, duration_s = "", "", 0.0
    with contextlib.suppress(KeyError, ValueError):
        kind = read_text(record["kind"])
    with contextlib.suppress(KeyError, ValueError):
        duration_s = float(read_number(record["duration_s"]))
    with contextlib.suppress(KeyError, ValueError):
        near = read_mapping(record["near"])
        name = read_text(near["path"]) or f"training sound {read_integer(near['number'])}"
    path = folder / record["file"]
    return GeneratedSound(path, printable(kind), duration_s, printable(name), record.get("starred") is True)


def find_provenance(path: Path) -> Mapping[str, Any] | None:
    """The newest line about a file, in the folder that it lies in; None if there is none.  Raises OSError."""
    found = [record for record in read_provenance(path.parent) if record["file"] == path.name]
    return found[-1] if found else None


def repeat_request(record: Mapping[str, Any]) -> tuple[MakingRequest, OutputSettings]:
    """What makes the sound of a provenance line again.

    Raises SourceError if the line is not whole, or if a sound that it was made from is another by now.
    """
    try:
        sounds = [[_read_source(each) for each in read_list(record[name])] for name in SOURCE_KINDS]
        settings = KINDS[read_text(record["kind"])](**record["settings"])
        only, sha256 = read_text(record["sound"]), read_text(record["checkpoint_sha256"])
        if settings.values()["seed"] is None:
            raise ValueError("its seed is missing")
        cut_s = float(read_number(record["duration_s"])) if record.get("cut_short") is True else None
        output = OutputSettings(**record["output"])
        sources, plus, minus = ([path for path, _ in group] for group in sounds)
        request = MakingRequest(
            settings,
            tuple(sources),
            tuple(plus),
            tuple(minus),
            only,
            sha256,
            bool(record["has_sounds"]),
            cut_s,
        )
    except (ConfigError, KeyError, TypeError, ValueError) as error:
        raise SourceError(f"Its line in {PROVENANCE_FILE} is damaged ({error}).") from error
    for path, wanted in (each for group in sounds for each in group):
        if wanted and _hash_or_nothing(Path(path)) != wanted:
            raise SourceError(f"{printable(path)} is not the sound any more that it was made from.")
    return request, output


def _read_source(value: object) -> tuple[str, str]:
    """The path of a sound and its hash.  Raises KeyError or ValueError."""
    source = read_mapping(value)
    return read_path(source["path"]), read_text(source["sha256"])


def _hash_or_nothing(path: Path) -> str:
    try:
        return hash_file(path)
    except OSError:
        return ""
