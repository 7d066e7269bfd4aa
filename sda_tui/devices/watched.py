"""Which process and which GPU are measured for a run."""

import socket
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
