"""Checkpoints as bytes: serialised, sealed with a checksum, read without executing anything in them."""

import hashlib
import io
import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.errors import CheckpointError, DamagedCheckpointError
from core.files import open_regular, read_bounded
from core.text import first_line

FORMAT_VERSION = 4
READABLE_VERSIONS = 3, 4  # what version 3 lacks, `core.training.migration` adds
SEAL = b"sda-tui sha256 "
NO_SEAL = "its checksum is missing or wrong"
SEAL_BYTES = len(SEAL) + hashlib.sha256().digest_size * 2
NO_COMMENT = b"\0\0"
LARGEST_BYTES = 4 << 30  # the largest model that settings allow takes nearly as much

State = dict[str, Any]


def read_checkpoint(path: Path) -> State:
    """Read a checkpoint onto the CPU.  Raises CheckpointError for anything that is not a whole one.

    Its bytes are compared with their checksum before any of them is understood, nothing in it can be
    executed, and no more memory is taken than the file is long.  No link is followed.
    """
    return parse_checkpoint(read_sealed(path), path.name)


def parse_checkpoint(data: bytes, name: str) -> State:
    """The state in the bytes of the file of this name.  As `read_checkpoint`."""
    try:
        archive = unseal(data)
        with zipfile.ZipFile(io.BytesIO(archive)) as entries:
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries.infolist()):
                raise ValueError("it is compressed, which checkpoints never are")
        state = torch.load(io.BytesIO(archive), map_location="cpu", weights_only=True)
    except (
        RuntimeError,
        ValueError,
        KeyError,
        EOFError,
        pickle.UnpicklingError,
        zipfile.BadZipFile,
    ) as error:
        raise DamagedCheckpointError(f"{name} is damaged or no checkpoint ({first_line(error)}).") from error
    if not isinstance(state, dict) or "format_version" not in state:
        raise CheckpointError(f"{name} is no checkpoint of sda-tui.")
    if state["format_version"] not in READABLE_VERSIONS:
        version = state["format_version"]
        raise CheckpointError(
            f"{name} has format version {version}, and this program reads {FORMAT_VERSION}."
        )
    return state


def read_sealed(path: Path) -> bytes:
    """The bytes of a file that has a seal, looked for first: a file of nothing may have any length.

    Raises CheckpointError.
    """
    try:
        with os.fdopen(open_regular(path), "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - SEAL_BYTES))
            if SEAL in file.read(SEAL_BYTES):
                return read_bounded(path, LARGEST_BYTES)
    except OSError as error:
        raise CheckpointError(f"{path.name} cannot be read ({error.strerror}).") from error
    raise DamagedCheckpointError(f"{path.name} is damaged or no checkpoint ({NO_SEAL}).")


def snapshot(value: Any, copies: dict[Any, Tensor] | None = None) -> Any:
    """A state as it is now, whatever training does to its tensors later; in the computer's memory.

    Tensors that share their memory, as a model and its average share buffers, share it in the snapshot too,
    and are in a checkpoint once.  Those of a GPU are there once what `core.device.synchroniser` gives for it
    has been waited for.
    """
    copies = {} if copies is None else copies
    match value:
        case Tensor():
            where = value.data_ptr(), value.shape, value.stride(), value.dtype
            if where not in copies or value.numel() == 0:
                copies[where] = value.detach().to("cpu", copy=True, non_blocking=value.is_cuda)
            return copies[where]
        case dict():
            return {name: snapshot(each, copies) for name, each in value.items()}
        case list() | tuple():
            return type(value)(snapshot(each, copies) for each in value)
    return value


def serialise(state: State) -> bytes:
    """A checkpoint as it lies on disk: what `torch.save` writes, with a checksum."""
    buffer = io.BytesIO()
    torch.save({"format_version": FORMAT_VERSION, **state}, buffer)
    return seal(buffer)


def seal(buffer: io.BytesIO) -> bytes:
    """Append the SHA-256 of a zip archive as its comment, so that `torch.load` still reads it.

    The last two bytes of an archive without a comment are the comment's length, zero.  In place, as copies
    of many megabytes would make the training wait.
    """
    with buffer.getbuffer() as archive:
        assert archive[-len(NO_COMMENT) :] == NO_COMMENT
        comment = _comment(archive)
    buffer.seek(-len(NO_COMMENT), io.SEEK_END)
    buffer.write(comment)
    return buffer.getvalue()


def unseal(data: bytes) -> bytes:
    """The archive that was sealed.  Raises ValueError unless every byte is as it was."""
    end = len(data) - SEAL_BYTES - len(NO_COMMENT)
    archive = data[:end] + NO_COMMENT
    if end < 0 or data[end:] != _comment(archive):
        raise ValueError(NO_SEAL)
    return archive


def _comment(archive: bytes | memoryview) -> bytes:
    """The length of the comment, and the comment."""
    comment = SEAL + hashlib.sha256(archive).hexdigest().encode("ascii")
    return len(comment).to_bytes(len(NO_COMMENT), "little") + comment
