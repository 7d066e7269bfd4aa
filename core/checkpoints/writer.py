"""Checkpoints written beside the training: copied on its thread, written on another, then reported."""

import shutil
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch

from core.checkpoints.archive import State, serialise, snapshot
from core.checkpoints.folder import CheckpointFolder
from core.device import is_out_of_memory, synchroniser
from core.disk import NO_SPACE, explain_write_error, not_enough_space
from core.events import CheckpointSaved
from core.runs.checkpoints import CheckpointKind
from core.text import printable


@dataclass(frozen=True)
class _Checkpoint:
    """A moment of the run, with tensors of its own."""

    state: State
    epoch: int
    step: int
    reason: str


@dataclass
class _Written:
    """What came of a write: a failure of the best checkpoint is no failure of the step's, nor the reverse."""

    saved: list[CheckpointSaved] = field(default_factory=list)
    problem: str = ""
    is_best_missing: bool = False


class CheckpointWriter:
    """Keeps at most one write in flight.  Used by one thread, which both callbacks run on.

    A disk that takes no checkpoint now may take the next one: `warn` gets a message, and an empty one when
    it works again; `problem` is that message.  A best state that could not be written is tried again with
    the next checkpoint.
    """

    def __init__(
        self,
        folder: CheckpointFolder,
        device: torch.device,
        emit: Callable[[CheckpointSaved], None],
        warn: Callable[[str], None],
    ) -> None:
        self._folder = folder
        self._device = device
        self._emit = emit
        self._warn = warn
        self._writer = ThreadPoolExecutor(1, "checkpoints")
        self._writing: tuple[Future[_Written], _Checkpoint | None] | None = None
        self._unsaved_best: _Checkpoint | None = None
        self._requested_s = time.monotonic()
        self.requested_step = -1
        self.problem = ""

    @property
    def is_writing(self) -> bool:
        return self._writing is not None

    @property
    def age_s(self) -> float:
        """Seconds since a checkpoint was last requested."""
        return time.monotonic() - self._requested_s

    def keep_best(self, state: State, epoch: int, step: int) -> None:
        """Remember a state until the next `save`, which writes it as well."""
        try:
            self._unsaved_best = _Checkpoint(snapshot(state), epoch, step, "best")
        except (RuntimeError, MemoryError) as error:
            self._fail_for_memory(error, step)

    def forget(self, step: int) -> None:
        """The run is back at this step: what was remembered of later ones has not happened."""
        self.requested_step = step
        if self._unsaved_best is not None and self._unsaved_best.step > step:
            self._unsaved_best = None

    def save(
        self,
        state: State,
        epoch: int,
        step: int,
        reason: str,
        kind: CheckpointKind = CheckpointKind.AUTOMATIC,
        is_last: bool = False,
    ) -> None:
        """Begin to write a checkpoint of this step, and the best one if it is newer than its file.

        Without the space for it, older ones give way; to the last of the process, even the one before.
        """
        self.finish()
        self.requested_step, self._requested_s = step, time.monotonic()
        try:
            checkpoint = _Checkpoint(snapshot(state), epoch, step, reason)
        except (RuntimeError, MemoryError) as error:
            self._fail_for_memory(error, step)
            return
        best, self._unsaved_best = self._unsaved_best, None
        if best is not None and best.step == step:
            best = replace(checkpoint, reason=best.reason)
        synchronise = synchroniser(self._device)
        self._writing = self._writer.submit(self._write, synchronise, checkpoint, best, kind, is_last), best

    def collect(self) -> None:
        """Report a write that is over, if there is one."""
        if self._writing is not None and self._writing[0].done():
            self.finish()

    def finish(self) -> None:
        """Wait for the write in flight."""
        if self._writing is None:
            return
        (writing, best), self._writing = self._writing, None
        try:
            written = writing.result()
        except (RuntimeError, MemoryError) as error:
            self._unsaved_best = self._unsaved_best or best
            self._fail_for_memory(error, self.requested_step)
            return
        if written.is_best_missing:
            self._unsaved_best = self._unsaved_best or best
        for event in written.saved:
            self._emit(event)
        self.problem = written.problem
        self._warn(self.problem)

    def close(self) -> None:
        """Wait for the write in flight, and let go of the thread."""
        self.finish()
        self._writer.shutdown()

    def _fail_for_memory(self, error: Exception, step: int) -> None:
        """Report an error that is a lack of memory; others are raised again."""
        if not is_out_of_memory(error):
            raise error
        self.problem = f"The checkpoint of step {step} found too little memory; close other programs."
        self._warn(self.problem)

    def _write(
        self,
        synchronise: Callable[[], object],
        checkpoint: _Checkpoint,
        best: _Checkpoint | None,
        kind: CheckpointKind,
        is_last: bool,
    ) -> _Written:
        """On the writer's thread, after `synchronise`.

        The best one comes first, so that a kill between the two cannot lose it, unless there is room for one
        alone: that is the one which lets the run continue.
        """
        synchronise()
        written = _Written()
        data = serialise(checkpoint.state)
        if best is None:
            self._write_step(checkpoint, data, kind, is_last, written)
            return written
        best_data = data if best.state is checkpoint.state else serialise(best.state)
        if self._has_room(len(data) + len(best_data)):
            self._write_best(best, best_data, written)
            self._write_step(checkpoint, data, kind, is_last, written)
        else:
            self._write_step(checkpoint, data, kind, is_last, written)
            self._write_best(best, best_data, written)
        return written

    def _write_step(
        self, checkpoint: _Checkpoint, data: bytes, kind: CheckpointKind, is_last: bool, written: _Written
    ) -> None:
        try:
            path = self._save_step(checkpoint.step, data, kind, is_last)
        except OSError as error:
            written.problem = self._explain(f"The checkpoint of step {checkpoint.step}", error)
        else:
            written.saved.append(_event(checkpoint, path, len(data)))

    def _save_step(self, step: int, data: bytes, kind: CheckpointKind, is_last: bool) -> Path:
        while True:
            try:
                self._require(len(data))
                return self._folder.save(data, step, kind)
            except OSError as error:
                if error.errno not in NO_SPACE or kind is CheckpointKind.UNSTEADY:
                    raise
                if self._folder.give_way():
                    continue
                if path := self._folder.exchange_newest(data, step, is_last):
                    return path
                raise

    def _write_best(self, best: _Checkpoint, data: bytes, written: _Written) -> None:
        try:
            self._require(len(data))
            path = self._folder.save_best(data)
        except OSError as error:
            written.is_best_missing = True
            written.problem = written.problem or self._explain(
                f"The best checkpoint, of step {best.step},", error
            )
        else:
            written.saved.append(_event(best, path, len(data)))

    def _require(self, size_bytes: int) -> None:
        """Raise OSError where a file of this size does not fit; to try it would fill the disk."""
        free = shutil.disk_usage(self._folder.path.parent).free
        if free < size_bytes:
            raise not_enough_space(str(self._folder.path), size_bytes, free)

    def _has_room(self, size_bytes: int) -> bool:
        try:
            self._require(size_bytes)
        except OSError:
            return False
        return True

    def _explain(self, what: str, error: OSError) -> str:
        where = printable(str(self._folder.path))
        return f"{what} could not be written to {where} {explain_write_error(error)}."


def _event(checkpoint: _Checkpoint, path: Path, size_bytes: int) -> CheckpointSaved:
    relative = f"{path.parent.name}/{path.name}"
    return CheckpointSaved(checkpoint.epoch, checkpoint.step, relative, checkpoint.reason, size_bytes)
