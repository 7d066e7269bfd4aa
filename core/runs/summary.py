"""Summaries of the runs in a folder."""

import logging
import os
import statistics
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import BinaryIO

from core.config import SETTINGS, SettingValue
from core.errors import (
    NoLiveRunError,
    QueueError,
    RunError,
    RunFinishedError,
    RunsFolderError,
    RunStoppedError,
)
from core.events import EpochFinished, RunState, StateChanged, StepFinished, from_json
from core.paths import expand
from core.runs.checkpoints import newest_step
from core.runs.directory import RunDirectory
from core.runs.event_log import BLOCK_BYTES, LONGEST_LINE_BYTES, SEARCHED_BYTES, open_log
from core.runs.find import is_run
from core.runs.labels import RunLabels
from core.runs.manifest import RunManifest
from core.runs.queue import RunQueue
from core.runs.settings_changes import ChangedSetting, changed_settings
from core.text import one_line, printable

logger = logging.getLogger(__name__)

TAIL_BYTES = 1 << 16  # of the event log; the end of a run is in it
EPOCH_LINE = b'\n{"event":"epoch"'

_Stamp = tuple[tuple[int, int, int], ...]


@dataclass(frozen=True)
class RunSummary:
    """A run as it is now.  If run.json cannot be read, `manifest` is None and `problem` is the reason.

    `step` and `epoch` are those that it is at; of one that nobody trains, those that it would continue from.
    `step_time_s` is the median of the last steps in its log.
    """

    run: RunDirectory
    state: RunState
    manifest: RunManifest | None
    problem: str
    message: str
    step: int
    epoch: int
    last_epoch: EpochFinished | None
    elapsed_s: float
    modified_s: float
    size_bytes: int
    holder_pid: int | None
    step_time_s: float | None = None
    labels: RunLabels = field(default_factory=RunLabels)
    queue_place: int = 0  # from 1; 0 if it is not in the queue
    queue_problem: str = ""  # why its training from the queue failed

    @property
    def name(self) -> str:
        return self.run.name

    @cached_property
    def changed_settings(self) -> Mapping[str, ChangedSetting]:
        """The settings that differ from those of its preset, by name."""
        return changed_settings(self.manifest) if self.manifest is not None else {}

    @property
    def held_out_rmse(self) -> float | None:
        """The root-mean-square error of held-out log-mel spectrograms after its last epoch."""
        return self.last_epoch.validation_error if self.last_epoch is not None else None

    def continued(self, values: Mapping[str, SettingValue]) -> RunManifest:
        """The description of the run when it continues with these settings changed.

        Raises RunFinishedError, RunStoppedError, RunError if it cannot continue, ConfigError if a setting
        cannot change so.
        """
        if self.manifest is None:
            raise RunError(self.problem)
        if self.state.is_active:
            raise RunError(f"{self.name} is being trained by process {self.holder_pid}; wait for it.")
        manifest = self.manifest.with_settings(values, self.step)
        if self.state is RunState.FINISHED and manifest.total_steps <= self.step:
            raise RunFinishedError(self.run.path, manifest.config.epochs)
        if self.state is RunState.FINISHED and self._would_stop(manifest):
            assert self.last_epoch is not None
            raise RunStoppedError(
                self.run.path, self.epoch, self.last_epoch.best_epoch, manifest.config.early_stopping
            )
        return manifest

    def _would_stop(self, manifest: RunManifest) -> bool:
        """Whether the run, continued with this description, would end before its next step."""
        last, config = self.last_epoch, manifest.config
        if last is None or not last.best_epoch or self.epoch != last.epoch or self.manifest is None:
            return False
        former = config.former_values(self.manifest.config.values())
        forgets_best = any(SETTINGS[name].redefines_loss for name in former)
        return not forgets_best and 0 < config.early_stopping <= last.epoch - last.best_epoch


def find_live_run(root: Path) -> RunDirectory:
    """The newest run below `root` that a process trains.  Raises NoLiveRunError."""
    for summary in list_runs(root):
        if summary.state.is_active:
            return summary.run
    raise NoLiveRunError(root)


def list_runs(root: Path) -> list[RunSummary]:
    """Every run below `root`, newest first.  A root that does not exist has none."""
    return list(SummaryCache(root).read())


class SummaryCache:
    """Reads the runs below a folder again and again: a run that did not change is not read twice.

    Whether a run changed is seen from the times and sizes of its log and of what lies in its directory.  A
    run that a process trains is always read.  May be used by several threads: each run is read by the first.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._kept: dict[Path, tuple[_Stamp, RunSummary]] = {}
        self._reading = threading.Lock()

    def read(self) -> Iterator[RunSummary]:
        """Every run, newest first, each as soon as it is read.  Raises RunsFolderError."""
        runs = [RunDirectory(path) for path in list_run_folders(self.root)]
        runs.sort(key=_modified_s, reverse=True)
        places, problems = _read_queue(self.root)
        for run in runs:
            with self._reading:
                summary = self._read_one(run)
            place, problem = places.get(run.name, 0), problems.get(run.name, "")
            if (place, problem) != (summary.queue_place, summary.queue_problem):
                summary = replace(summary, queue_place=place, queue_problem=problem)
            yield summary
        with self._reading:
            for path in self._kept.keys() - {run.path for run in runs}:
                del self._kept[path]

    def _read_one(self, run: RunDirectory) -> RunSummary:
        stamp = _stamp(run)
        if run.lock.holder() is None:
            before, summary = self._kept.get(run.path, (None, None))
            if summary is not None and stamp == before:
                return summary
        summary = _summarise_safely(run)
        if summary.holder_pid is None:
            self._kept[run.path] = (stamp, summary)
        else:
            self._kept.pop(run.path, None)
        return summary


def list_run_folders(root: Path) -> list[Path]:
    """The directories of the runs below `root`.  Raises RunsFolderError."""
    try:
        return [path for path in expand(root).iterdir() if is_run(path)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise RunsFolderError(
            f"Cannot read the folder of runs {printable(str(root))} ({error.strerror})."
        ) from error


def _read_queue(root: Path) -> tuple[dict[str, int], dict[str, str]]:
    """The place of each run that waits, and the problem of each that failed; a damaged queue has none."""
    try:
        entries = RunQueue(root).entries()
    except QueueError:
        return {}, {}
    waiting = [each.name for each in entries if not each.problem]
    return (
        {name: place for place, name in enumerate(waiting, 1)},
        {each.name: each.problem for each in entries if each.problem},
    )


def _stamp(run: RunDirectory) -> _Stamp:
    """Changes whenever something that a summary is made from changes."""
    return tuple(map(_file_stamp, (run.path, run.events, run.run_file, run.labels, *_folders(run))))


def _folders(run: RunDirectory) -> tuple[Path, ...]:
    return run.checkpoints, run.previews, run.generated


def _file_stamp(path: Path) -> tuple[int, int, int]:
    try:
        status = path.lstat()
    except OSError:
        return (0, 0, 0)
    return status.st_mtime_ns, status.st_size, status.st_ino


def _summarise_safely(run: RunDirectory) -> RunSummary:
    """Look at one run; whatever is wrong with it, it must not hide the others."""
    try:
        return summarise(run)
    except Exception as error:
        logger.exception("the run cannot be read")
        problem = f"The run cannot be read ({type(error).__name__}: {one_line(str(error))})."
    return RunSummary(
        run=run,
        state=RunState.INTERRUPTED,
        manifest=None,
        problem=problem,
        message="",
        step=0,
        epoch=0,
        last_epoch=None,
        elapsed_s=0.0,
        modified_s=0.0,
        size_bytes=0,
        holder_pid=None,
    )


def summarise(run: RunDirectory) -> RunSummary:
    """Look at one run without reading all of its log."""
    manifest, problem = None, ""
    try:
        manifest = run.read_manifest()
    except RunError as error:
        problem = str(error)
    holder = run.lock.holder()
    state = RunState.TRAINING if holder else RunState.INTERRUPTED
    message, step, epoch, elapsed_s = "", 0, 0, 0.0
    counted_to_s: float | None = None  # the time of the line before; None if that is not in what was read
    last_epoch: EpochFinished | None = None
    last_state: StateChanged | None = None
    step_times_s: list[float] = []
    for line in _tail(run.events):
        match from_json(line):
            case (StateChanged() as event, counted_to_s):
                last_state = event
                step, epoch = event.step, event.epoch
            case (EpochFinished() as event, counted_to_s):
                last_epoch = event
                step, epoch, elapsed_s = event.step, event.epoch, event.elapsed_s
            case (StepFinished() as event, time_s):
                if counted_to_s is None:
                    elapsed_s += max(0, event.step - step) * event.step_time_s
                else:
                    elapsed_s += max(0.0, time_s - counted_to_s)
                counted_to_s = time_s
                step, epoch = event.step, event.epoch
                step_times_s.append(event.step_time_s)
            case None:
                counted_to_s = None
    if last_state is not None:
        logged = RunState(last_state.state)
        message = last_state.message
        if logged.is_active == (holder is not None):
            state = logged
    if not state.is_active:
        step, epoch = _continues_from(run, manifest, state, step, epoch)
    return RunSummary(
        run=run,
        state=state,
        manifest=manifest,
        problem=problem,
        message=message,
        step=step,
        epoch=epoch,
        last_epoch=last_epoch,
        elapsed_s=elapsed_s,
        modified_s=_modified_s(run),
        size_bytes=run.size_bytes(),
        holder_pid=holder.pid if holder else None,
        step_time_s=statistics.median(step_times_s) if step_times_s else None,
        labels=RunLabels.read(run),
    )


def _continues_from(
    run: RunDirectory, manifest: RunManifest | None, state: RunState, step: int, epoch: int
) -> tuple[int, int]:
    """Step and epoch of the newest checkpoint; those given are the log's last, which may be ahead of it."""
    saved = newest_step(run.checkpoints, manifest.total_steps if manifest is not None else None)
    if saved is None:
        return (0, 0) if state is RunState.INTERRUPTED else (step, epoch)
    return saved, saved // manifest.steps_per_epoch if manifest is not None else epoch


def _tail(path: Path) -> list[str]:
    """The last whole lines of a log.

    If no epoch's is among them, the last one of all comes first, and then an empty one: lines are left out.
    """
    try:
        with open_log(path) as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - TAIL_BYTES))
            start, tail = file.tell(), file.read(TAIL_BYTES)
            whole = tail.find(b"\n") + 1 if start else 0
            lines = tail[whole:].split(b"\n")
            if not any(line.startswith(EPOCH_LINE[1:]) for line in lines):
                lines[:0] = [_last_epoch_line(file, start + whole), b""]
    except OSError:  # the log is missing, or check_parts says what is wrong with it
        return []
    return [line.decode("utf-8", "replace") for line in lines]


def _last_epoch_line(file: BinaryIO, end: int) -> bytes:
    """The last epoch's line in the megabytes before a position; empty if there is none."""
    stop = max(0, end - SEARCHED_BYTES)
    while end > stop:
        begin = max(stop, end - BLOCK_BYTES)
        file.seek(begin)
        block = file.read(end - begin)
        if (found := block.rfind(EPOCH_LINE)) >= 0:
            file.seek(begin + found + 1)
            return file.readline(LONGEST_LINE_BYTES)
        end = begin + len(EPOCH_LINE) if begin > stop else stop
    return b""


def _modified_s(run: RunDirectory) -> float:
    for path in (run.events, run.run_file):
        try:
            return path.lstat().st_mtime
        except OSError:
            continue
    return 0.0
