"""The run directory, the only truth about a run: what it holds, who holds it, how it is told.

Imports no torch.
"""

from core.run.directory import RUN_FILE, RunDirectory
from core.run.estimate import RunEstimate, estimate_run
from core.run.history import RunHistory
from core.run.lock import RunLock
from core.run.log import EventFollower, EventLog
from core.run.manifest import DatasetFile, RunManifest
from core.run.requests import Request, RunRequests

__all__ = [
    "RUN_FILE",
    "DatasetFile",
    "EventFollower",
    "EventLog",
    "Request",
    "RunDirectory",
    "RunEstimate",
    "RunHistory",
    "RunLock",
    "RunManifest",
    "RunRequests",
    "estimate_run",
]
