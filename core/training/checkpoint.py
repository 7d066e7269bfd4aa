"""Checkpoints: one file each, whole or absent, read without executing anything in it."""

import contextlib
import hashlib
import io
import logging
import pickle
import re
import zipfile
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from core.atomic import write_atomically
from core.errors import CheckpointError, DamagedCheckpointError

logger = logging.getLogger(__name__)

FORMAT_VERSION = 3
KEPT = 3
BEST = "best.pt"
DAMAGED_SUFFIX = ".damaged"
SEAL = b"sda-tui sha256 "
NO_COMMENT = b"\0\0"
_NAME = re.compile(r"step-(\d{9,})(-saved)?\.pt")

State = dict[str, Any]


class CheckpointFolder:
    """The checkpoints of a run: `step-000001234.pt`, `step-000001234-saved.pt` for those saved by hand, and
    `best.pt`.

    The names alone say what there is and what may go; there is no index that could disagree.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.resumed_from = ""  # the name of a file that must stay, whatever its age

    def save(self, data: bytes, step: int, by_hand: bool = False) -> Path:
        """Write a serialised checkpoint of this step, then delete automatic ones beyond the three newest.

        Raises OSError if it cannot be written; all others are then untouched.
        """
        path = self.path / f"step-{step:09}{'-saved' if by_hand else ''}.pt"
        write_atomically(path, data)
        self._delete_old(path)
        return path

    def save_best(self, data: bytes) -> Path:
        """Replace the best checkpoint.  Raises OSError; the one before is then untouched."""
        path = self.path / BEST
        write_atomically(path, data)
        return path

    def newest(self) -> tuple[State, Path, list[str]]:
        """The newest checkpoint that is whole, with a sentence for each newer one that is not.

        Damaged ones are then renamed, so that they do not count among those that are kept.
        Raises CheckpointError if there is none.
        """
        problems: list[str] = []
        damaged: list[Path] = []
        for path in self.by_age():
            try:
                state = read_checkpoint(path)
            except CheckpointError as error:
                problems.append(str(error))
                if isinstance(error, DamagedCheckpointError):
                    damaged.append(path)
            else:
                for each in damaged:
                    with contextlib.suppress(OSError):
                        each.rename(each.with_suffix(DAMAGED_SUFFIX))
                return state, path, problems
        if problems:
            raise CheckpointError(f"No checkpoint can be used. {' '.join(problems)}")
        raise CheckpointError(f"There is no checkpoint in {self.path}.")

    def by_age(self) -> list[Path]:
        """Checkpoints of steps, newest first; one saved by hand follows an automatic one of its step."""
        found = [(match, path) for path in self.path.glob("*.pt") if (match := _NAME.fullmatch(path.name))]
        found.sort(key=lambda each: (int(each[0][1]), not each[0][2]), reverse=True)
        return [path for _, path in found]

    def _delete_old(self, newest: Path) -> None:
        automatic = [path for path in self.by_age() if not path.stem.endswith("-saved")]
        for path in automatic[KEPT:]:
            if path == newest or path.name == self.resumed_from:
                continue
            try:
                path.unlink()
            except OSError as error:
                logger.warning("Cannot delete the old checkpoint %s: %s", path.name, error.strerror)


def read_checkpoint(path: Path) -> State:
    """Read a checkpoint onto the CPU.  Raises CheckpointError for anything that is not a whole one.

    Its bytes are compared with their checksum before any of them is understood, nothing in it can be
    executed, and no more memory is taken than the file is long.
    """
    try:
        archive = unseal(path.read_bytes())
        with zipfile.ZipFile(io.BytesIO(archive)) as entries:
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries.infolist()):
                raise ValueError("it is compressed, which checkpoints never are")
        state = torch.load(io.BytesIO(archive), map_location="cpu", weights_only=True)
    except OSError as error:
        raise CheckpointError(f"{path.name} cannot be read ({error.strerror}).") from error
    except (
        RuntimeError,
        ValueError,
        KeyError,
        EOFError,
        pickle.UnpicklingError,
        zipfile.BadZipFile,
    ) as error:
        reason = str(error).strip().split("\n")[0][:100]
        raise DamagedCheckpointError(f"{path.name} is damaged or no checkpoint ({reason}).") from error
    if not isinstance(state, dict) or "format_version" not in state:
        raise CheckpointError(f"{path.name} is no checkpoint of sda-tui.")
    if state["format_version"] != FORMAT_VERSION:
        version = state["format_version"]
        raise CheckpointError(
            f"{path.name} has format version {version}, and this program reads {FORMAT_VERSION}."
        )
    return state


def snapshot(value: Any) -> Any:
    """A state as it is now, whatever training does to its tensors later; in the computer's memory.

    Those of a GPU are there once what `core.device.fetched` gives for it has been waited for.
    """
    match value:
        case Tensor():
            return value.detach().to("cpu", copy=True, non_blocking=value.is_cuda)
        case dict():
            return {name: snapshot(each) for name, each in value.items()}
        case list() | tuple():
            return type(value)(map(snapshot, value))
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
    size = len(SEAL) + hashlib.sha256().digest_size * 2
    end = len(data) - size - len(NO_COMMENT)
    archive = data[:end] + NO_COMMENT
    if end < 0 or data[end:] != _comment(archive):
        raise ValueError("its checksum is missing or wrong")
    return archive


def _comment(archive: bytes | memoryview) -> bytes:
    """The length of the comment, and the comment."""
    comment = SEAL + hashlib.sha256(archive).hexdigest().encode("ascii")
    return len(comment).to_bytes(len(NO_COMMENT), "little") + comment
