"""Checkpoints written beside the training: copied on its thread, written on another, then reported."""

import errno
import shutil
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from core.checkpoints.archive import State, serialise, snapshot
from core.checkpoints.folder import CheckpointFolder
from core.device import synchroniser
from core.events import CheckpointSaved

RESERVE_BYTES = 16 << 20  # left free for the log and the previews, which are worth more than one checkpoint


@dataclass(frozen=True)
class _Checkpoint:
    """A moment of the run, with tensors of its own."""

    state: State
    epoch: int
    step: int
    reason: str


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
        self._writing: tuple[Future[list[CheckpointSaved]], _Checkpoint | None] | None = None
        self._unsaved_best: _Checkpoint | None = None
        self._requested_s = time.monotonic()
        self.requested_step = -1
        self.problem = ""

    @property
    def age_s(self) -> float:
        """Seconds since a checkpoint was last requested."""
        return time.monotonic() - self._requested_s

    def keep_best(self, state: State, epoch: int, step: int) -> None:
        """Remember a state until the next `save`, which writes it as well."""
        self._unsaved_best = _Checkpoint(snapshot(state), epoch, step, "best")

    @property
    def is_writing(self) -> bool:
        return self._writing is not None

    def forget(self, step: int) -> None:
        """The run is back at this step: what was remembered has not happened."""
        self.requested_step = step
        self._unsaved_best = None

    def save(self, state: State, epoch: int, step: int, reason: str, by_hand: bool = False) -> None:
        """Begin to write a checkpoint of this step, and the best one if it is newer than its file."""
        self.finish()
        checkpoint = _Checkpoint(snapshot(state), epoch, step, reason)
        best, self._unsaved_best = self._unsaved_best, None
        if best is not None and best.step == step:
            best = replace(checkpoint, reason=best.reason)
        self.requested_step, self._requested_s = step, time.monotonic()
        synchronise = synchroniser(self._device)
        self._writing = self._writer.submit(self._write, synchronise, checkpoint, best, by_hand), best

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
            saved = writing.result()
        except OSError as error:
            self._unsaved_best = self._unsaved_best or best
            self.problem = (
                f"The checkpoint of step {self.requested_step} could not be written to "
                f"{self._folder.path} ({error.strerror}); free some space."
            )
        else:
            self.problem = ""
            for event in saved:
                self._emit(event)
        self._warn(self.problem)

    def close(self) -> None:
        """Wait for the write in flight, and let go of the thread."""
        self.finish()
        self._writer.shutdown()

    def _write(
        self,
        synchronise: Callable[[], object],
        checkpoint: _Checkpoint,
        best: _Checkpoint | None,
        by_hand: bool,
    ) -> list[CheckpointSaved]:
        """On the writer's thread, after `synchronise`.  Raises OSError; what is on disk is then as it was."""
        synchronise()
        data, best_data = serialise(checkpoint.state), b""
        if best is not None:
            best_data = data if best.state is checkpoint.state else serialise(best.state)
        needed = len(data) + len(best_data)
        if shutil.disk_usage(self._folder.path).free < needed + RESERVE_BYTES:
            raise OSError(errno.ENOSPC, "No space left on device")
        saved = []
        if best is not None:
            saved.append(_event(best, self._folder.save_best(best_data), len(best_data)))
        path = self._folder.save(data, checkpoint.step, by_hand)
        return [*saved, _event(checkpoint, path, len(data))]


def _event(checkpoint: _Checkpoint, path: Path, size_bytes: int) -> CheckpointSaved:
    relative = f"{path.parent.name}/{path.name}"
    return CheckpointSaved(checkpoint.epoch, checkpoint.step, relative, checkpoint.reason, size_bytes)
