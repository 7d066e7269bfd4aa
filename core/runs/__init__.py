"""Run directories, the only truth about runs: their files, lock, event log, history and summaries.

Imports no torch.
"""

from core.data.report import DatasetFile
from core.runs.checkpoints import BEST_FILE, CheckpointDescription, choose_checkpoint, describe_checkpoints
from core.runs.clock import StepClock
from core.runs.comparison import ComparedRun, Comparison, PreviewKey, compare_runs, find_rival
from core.runs.directory import RunDirectory
from core.runs.estimate import RunEstimate, TimeEstimate, estimate_run, estimate_time
from core.runs.event_log import EventFollower, EventLog, read_events
from core.runs.find import (
    Target,
    create_run,
    find_model,
    find_owner,
    find_run,
    find_target,
    generated_folder,
    list_checkpoints,
    suggest_branch_name,
    suggest_name,
)
from core.runs.generated import (
    GeneratedSound,
    delete_generated,
    describe_generated,
    find_provenance,
    list_generated,
    read_picture,
    read_provenance,
    rename_generated,
    repeat_request,
    star_generated,
)
from core.runs.held_out import FILE_ERRORS, HeldOutErrors, KnownErrors, find_known_errors
from core.runs.history import Incident, RunHistory
from core.runs.housekeeping import delete_run, rename_run
from core.runs.labels import RunLabels
from core.runs.lock import RunLock
from core.runs.manifest import Parent, RunManifest
from core.runs.preview_files import (
    SoundFigures,
    measure_sound,
    open_wave,
    read_log_mel,
    read_sound,
    read_spectrogram,
)
from core.runs.preview_stars import read_stars, star_preview
from core.runs.queue import QueueEntry, RunQueue
from core.runs.queue_work import choose_next, has_live_run, note_end
from core.runs.requests import Request, RunRequests
from core.runs.series import Point, Series
from core.runs.settings_changes import changed_settings, differing_settings
from core.runs.start import StartModel
from core.runs.summary import RunSummary, SummaryCache, find_live_run, list_runs, summarise

__all__ = [
    "BEST_FILE",
    "FILE_ERRORS",
    "CheckpointDescription",
    "ComparedRun",
    "Comparison",
    "DatasetFile",
    "EventFollower",
    "EventLog",
    "GeneratedSound",
    "HeldOutErrors",
    "Incident",
    "KnownErrors",
    "Parent",
    "Point",
    "PreviewKey",
    "QueueEntry",
    "Request",
    "RunDirectory",
    "RunEstimate",
    "RunHistory",
    "RunLabels",
    "RunLock",
    "RunManifest",
    "RunQueue",
    "RunRequests",
    "RunSummary",
    "Series",
    "SoundFigures",
    "StartModel",
    "StepClock",
    "SummaryCache",
    "Target",
    "TimeEstimate",
    "changed_settings",
    "choose_checkpoint",
    "choose_next",
    "compare_runs",
    "create_run",
    "delete_generated",
    "delete_run",
    "describe_checkpoints",
    "describe_generated",
    "differing_settings",
    "estimate_run",
    "estimate_time",
    "find_known_errors",
    "find_live_run",
    "find_model",
    "find_owner",
    "find_provenance",
    "find_rival",
    "find_run",
    "find_target",
    "generated_folder",
    "has_live_run",
    "list_checkpoints",
    "list_generated",
    "list_runs",
    "measure_sound",
    "note_end",
    "open_wave",
    "read_events",
    "read_log_mel",
    "read_picture",
    "read_provenance",
    "read_sound",
    "read_spectrogram",
    "read_stars",
    "rename_generated",
    "rename_run",
    "repeat_request",
    "star_generated",
    "star_preview",
    "suggest_branch_name",
    "suggest_name",
    "summarise",
]
