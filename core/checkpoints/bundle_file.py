"""Bundle files: all that a model needs to make sound, in one safetensors file that other machines read too.

Tensors lie under dotted names; the plain values around them, where the model comes from and under which
licences are JSON in the file's metadata.  Nothing in it can be executed.
"""

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Self

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from core.checkpoints.archive import LARGEST_BYTES, State, parse_checkpoint, read_sealed
from core.checkpoints.content import require_plain
from core.errors import CheckpointError, DamagedCheckpointError
from core.files import open_regular, read_bounded
from core.records import parse_json, read_integer, read_mapping, read_number, read_text
from core.runs import find_owner
from core.text import first_line, printable

FORMAT = "sda-tui bundle"
FORMAT_VERSION = 1
SUFFIX = ".safetensors"
LENGTH_BYTES = 8  # of the number before the header that says how long it is, little-endian
ALIGNMENT = 8  # of the tensors
LARGEST_HEADER_BYTES = 16 << 20
METADATA = "__metadata__"
TENSOR = "$tensor"  # the key of a tensor's name, where the tensor stood among plain values
HASH = re.compile("[0-9a-f]{64}")
NO_HASH = "0" * 64

Figure = float | None


@dataclass(frozen=True)
class Provenance:
    """Where a model comes from: names of run and checkpoint, the SHA-256 of the checkpoint file, its step and
    the epochs that it has seen, figures by name, and licences as free text, empty if none was given."""

    run: str
    checkpoint: str
    checkpoint_sha256: str
    step: int
    epoch: int
    figures: Mapping[str, Figure] = field(default_factory=dict)
    sounds_licence: str = ""
    model_licence: str = ""

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Self:
        """Raises KeyError or ValueError."""
        texts = ("run", "checkpoint", "checkpoint_sha256", "sounds_licence", "model_licence")
        figures = read_mapping(parse_json(metadata["figures"]))
        return cls(
            **{name: printable(read_text(metadata[name])) for name in texts},
            step=read_integer(parse_json(metadata["step"])),
            epoch=read_integer(parse_json(metadata["epoch"])),
            figures={
                printable(read_text(name)): None if value is None else read_number(value)
                for name, value in figures.items()
            },
        )

    def metadata(self) -> dict[str, str]:
        texts = {name: value for name, value in vars(self).items() if isinstance(value, str)}
        numbers = {"step": self.step, "epoch": self.epoch, "figures": dict(self.figures)}
        return texts | {name: _to_json(value) for name, value in numbers.items()}


class BundleContent(NamedTuple):
    """What is in a bundle file: the state of a checkpoint, without what only training needs."""

    state: State
    provenance: Provenance


def is_bundle_file(path: Path) -> bool:
    """Whether a file begins as a safetensors file does.  One that cannot be read does not."""
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            return file.read(LENGTH_BYTES + 1)[LENGTH_BYTES:] == b"{"
    except OSError:
        return False


def read_model(path: Path) -> BundleContent:
    """What is in a checkpoint or bundle file, recognised by its content.  Raises CheckpointError.

    A checkpoint has neither figures nor licences.
    """
    if is_bundle_file(path):
        return read_bundle_file(path)
    data, name, run = read_sealed(path), printable(path.name), find_owner(path)
    state = parse_checkpoint(data, name)
    try:
        step, epoch = int(state["step"]), int(state["epoch"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{name} does not hold how far its run had come ({error}).") from error
    whose = printable(run.name if run else path.stem)
    return BundleContent(state, Provenance(whose, name, hashlib.sha256(data).hexdigest(), step, epoch))


def serialise_bundle(content: BundleContent) -> bytes:
    """A bundle file, with a checksum of every byte.  The same content gives the same bytes.

    Raises ValueError for values that are neither plain nor finite.
    """
    require_plain(content.state)
    tensors: dict[str, Tensor] = {}
    plain = _take_tensors(content.state, "", tensors)
    metadata = {
        "format": FORMAT,
        "format_version": str(FORMAT_VERSION),
        "sha256": NO_HASH,
        "state": _to_json(plain),
        **content.provenance.metadata(),
    }
    data = safetensors.torch.save(tensors, metadata)
    length = int.from_bytes(data[:LENGTH_BYTES], "little")
    header = json.loads(data[LENGTH_BYTES : LENGTH_BYTES + length])
    ordered = {**header, METADATA: metadata}  # the library writes the metadata in an order that varies
    written = _to_json(ordered).encode("ascii")
    written += b" " * (-len(written) % ALIGNMENT)
    if len(written) > LARGEST_HEADER_BYTES:
        raise ValueError("its plain values are too many")
    body = memoryview(data)[LENGTH_BYTES + length :]
    sealed = written.replace(NO_HASH.encode("ascii"), _hash(written, body).encode("ascii"), 1)
    return b"".join((len(sealed).to_bytes(LENGTH_BYTES, "little"), sealed, body))


def read_bundle_file(path: Path) -> BundleContent:
    """Read a bundle file onto the CPU.  Raises CheckpointError for anything that is not a whole one.

    Sizes in it are compared with the file's before memory is taken, and the bytes with their checksum before
    tensors are made of them.  No link is followed.
    """
    name = printable(path.name)
    try:
        header_bytes, size_bytes = _read_header(path)
        header = dict(read_mapping(parse_json(header_bytes)))
    except OSError as error:
        raise CheckpointError(f"{name} cannot be read ({error.strerror}).") from error
    except ValueError as error:
        raise DamagedCheckpointError(f"{name} is damaged, cut short or no bundle ({error}).") from error
    metadata = header.pop(METADATA, None)
    _require_readable(metadata, name)
    try:
        _require_fitting(header, size_bytes - LENGTH_BYTES - len(header_bytes))
        data = read_bounded(path, LARGEST_BYTES)
        _require_sealed(data, len(header_bytes), metadata["sha256"])
        tensors = safetensors.torch.load(data)
        state = _put_tensors(parse_json(metadata["state"]), tensors)
        require_plain(state)
        return BundleContent(dict(read_mapping(state)), Provenance.from_metadata(metadata))
    except OSError as error:
        raise CheckpointError(f"{name} cannot be read ({error.strerror}).") from error
    except (AttributeError, KeyError, TypeError, ValueError, safetensors.SafetensorError) as error:
        raise DamagedCheckpointError(f"{name} is damaged or cut short ({first_line(error)}).") from error


def _read_header(path: Path) -> tuple[bytes, int]:
    """The header, and the size of the file.  Raises OSError, ValueError."""
    with os.fdopen(open_regular(path), "rb") as file:
        size_bytes = os.fstat(file.fileno()).st_size
        length = int.from_bytes(file.read(LENGTH_BYTES), "little")
        if length > min(LARGEST_HEADER_BYTES, size_bytes - LENGTH_BYTES):
            raise ValueError(f"its header would have {length} bytes")
        return file.read(length), size_bytes


def _require_readable(metadata: Any, name: str) -> None:
    """Raise CheckpointError unless this is the metadata of a bundle of a version that is known here."""
    if not isinstance(metadata, dict) or metadata.get("format") != FORMAT:
        raise CheckpointError(f"{name} is a safetensors file of another program, not a bundle of sda-tui.")
    version = str(metadata.get("format_version"))
    if not version.isascii() or not version.isdecimal():
        raise DamagedCheckpointError(f"{name} is damaged (its version is no number).")
    if int(version[:9]) > FORMAT_VERSION:
        raise CheckpointError(f"{name} was written by a newer version; update sda-tui.")


def _require_fitting(entries: Mapping[str, Any], body_bytes: int) -> None:
    """Raise ValueError unless the tensors fill the rest of the file, as safetensors wants it."""
    ends = [read_integer(read_mapping(entry)["data_offsets"][1]) for entry in entries.values()]
    if max(ends, default=0) != body_bytes:
        raise ValueError("its tensors do not have the size of the file")


def _require_sealed(data: bytes, length: int, digest: str) -> None:
    """Raise ValueError unless every byte is as it was written."""
    header = data[LENGTH_BYTES : LENGTH_BYTES + length]
    if HASH.fullmatch(digest):
        unsealed = header.replace(digest.encode("ascii"), NO_HASH.encode("ascii"), 1)
        if _hash(unsealed, memoryview(data)[LENGTH_BYTES + length :]) == digest:
            return
    raise ValueError("its checksum is wrong")


def _hash(header: bytes, body: memoryview) -> str:
    found = hashlib.sha256(header)
    found.update(body)
    return found.hexdigest()


def _take_tensors(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """The plain values of a state, with names in the place of its tensors, which are put in `tensors`."""
    match value:
        case Tensor():
            unique = name if name not in tensors else f"{name}#{len(tensors)}"
            tensors[unique] = value.detach().clone(memory_format=torch.contiguous_format)
            return {TENSOR: unique}
        case dict():
            if TENSOR in value:
                raise ValueError(f"a name in it is {TENSOR}")
            return {
                key: _take_tensors(each, f"{name}.{key}".lstrip("."), tensors) for key, each in value.items()
            }
        case list() | tuple():
            return [
                _take_tensors(each, f"{name}.{number}".lstrip("."), tensors)
                for number, each in enumerate(value)
            ]
    return value


def _put_tensors(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    """The reverse of `_take_tensors`.  Raises KeyError."""
    if isinstance(value, dict):
        if value.keys() == {TENSOR}:
            return tensors[value[TENSOR]]
        return {key: _put_tensors(each, tensors) for key, each in value.items()}
    return [_put_tensors(each, tensors) for each in value] if isinstance(value, list) else value


def _to_json(value: Any) -> str:
    """ASCII alone, so that each character is one byte.  Raises ValueError for numbers that are not finite."""
    return json.dumps(value, allow_nan=False, separators=(",", ":"))
