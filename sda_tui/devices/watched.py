"""Which process and which GPU are measured for a run."""

import socket
from collections.abc import Callable
from dataclasses import dataclass

from core.runs import RunDirectory, RunHistory


@dataclass(frozen=True)
class Watched:
    """The process `pid` of this host, which trains on a device that torch calls `device`.

    `pid` is None if there is none here, and `problem` says why.  `gpu_uuid` identifies the GPU where it is
    known.
    """

    pid: int | None
    device: str = ""
    gpu_uuid: str = ""
    problem: str = ""


class RunWatch:
    """Has what trains a run measured, again whenever the run begins or ends or its log names a device.

    `watch` is called with what is to be measured: that of a `DeviceMonitor`.
    """

    def __init__(self, run: RunDirectory, watch: Callable[[Watched], object]) -> None:
        self._run = run
        self._watch = watch
        self._trained: tuple[bool, str, str] | None = None

    def update(self, history: RunHistory, is_active: bool) -> None:
        """Take the state of the run into account."""
        trained = is_active, history.device, history.gpu_uuid  # which the log has once training begins
        if trained != self._trained:
            self._trained = trained
            self._watch(watched(self._run, history))


def watched(run: RunDirectory, history: RunHistory) -> Watched:
    """What to measure for a run, by the holder of its lock and by its log."""
    holder = run.lock.holder()
    if holder is None:
        return Watched(None, problem="No process trains this run now.")
    if holder.host != socket.gethostname():
        return Watched(
            None, problem=f"This run is trained on {holder.host}, whose figures are not known here."
        )
    return Watched(holder.pid, history.device, history.gpu_uuid)
