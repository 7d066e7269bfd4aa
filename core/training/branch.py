"""Going back to an earlier checkpoint: in a new run beside the old one, or in the run itself."""

import contextlib
import dataclasses
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from core.atomic import write_atomically
from core.checkpoints.archive import LARGEST_BYTES, State, read_checkpoint
from core.config import SETTINGS, SettingValue
from core.errors import CheckpointError, ConfigError, RunError, RunFinishedError
from core.events import PreviewReady, RunState, StateChanged
from core.files import open_folder, open_regular, read_bounded
from core.paths import is_file
from core.runs import EventLog, Parent, RunDirectory, RunManifest, find_owner, read_events
from core.runs.checkpoints import BEST_FILE, CheckpointFile, checkpoint_files
from core.text import printable
from core.training.migration import migrate
from core.training.reporter import is_past
from core.training.state import Progress, ResumePoint

ASIDE = "rewound"  # folders in a run with what came after the checkpoint that it went back to
BLOCK_BYTES = 1 << 20
MEL_SUFFIX = ".npy"


def branch(
    run: RunDirectory, checkpoint: Path, name: str, changes: Mapping[str, SettingValue]
) -> RunDirectory:
    """Make a run beside `run` that continues from a checkpoint of it, perhaps with other settings.

    It has the log and the previews up to there, of the run that the checkpoint lies in.  That run, which may
    be trained meanwhile, does not change.  Raises CheckpointError if the checkpoint cannot be read or is not
    of such a run, ConfigError if a setting cannot change so, RunError, of which RunFinishedError if nothing
    is left to train.
    """
    point, manifest = _continued(run, checkpoint, changes)
    source = find_owner(checkpoint) or run
    if source.read_manifest().split != manifest.split:
        raise CheckpointError(f"{printable(str(checkpoint))} is of a run on other sounds.")
    parent = Parent(source.name, checkpoint.name, point.step)
    made = RunDirectory.create(run.path.parent, name, dataclasses.replace(manifest, parent=parent))
    try:
        with _explaining(run, "copied"):
            _copy(checkpoint, made.checkpoints / CheckpointFile.name(point.step))
            best = source.checkpoints / BEST_FILE
            if best == checkpoint or _is_before(best, point):
                _copy(best, made.checkpoints / BEST_FILE)
            _copy(_log_of(source, checkpoint), made.events, is_run=True)
            _cut_log(made, manifest, point)
            _copy_if_there(source.clip, made.clip, is_run=True)
            for preview, _ in read_events(made.events, PreviewReady):
                for suffix in (Path(preview.path).suffix, MEL_SUFFIX):
                    file = Path(preview.path).with_suffix(suffix).name
                    _copy_if_there(source.previews / file, made.previews / file)
    except BaseException:
        shutil.rmtree(made.path, ignore_errors=True)
        raise
    return made


@dataclass(frozen=True)
class Rewound:
    """The step that a run went back to, and where the `count` newer checkpoints and the log are, if any."""

    step: int
    count: int
    aside: Path | None


def rewind(run: RunDirectory, checkpoint: Path, changes: Mapping[str, SettingValue]) -> Rewound:
    """Make a checkpoint the newest of its run, which then continues from it.

    What is newer is set aside in a folder of the run.  Raises as `branch` does, and RunError while the run
    is being trained.
    """
    owner = find_owner(checkpoint)
    if owner is not None and owner.path != run.path:
        raise RunError(f"{printable(str(checkpoint))} is of {printable(owner.name)}; make a new run from it.")
    with _explaining(run, "rewound"):
        run.lock.acquire()
        try:
            point, manifest = _continued(run, checkpoint, changes)
            data = read_bounded(checkpoint, LARGEST_BYTES)
            target = run.checkpoints / CheckpointFile.name(point.step)
            newer = [each.path for each in checkpoint_files(run.checkpoints) if each.step > point.step]
            if target != checkpoint and is_file(target):
                newer.append(target)
            best = run.checkpoints / BEST_FILE
            if best != checkpoint and is_file(best) and not _is_before(best, point):
                newer.append(best)
            aside = _set_aside(run, newer)
            write_atomically(target, data)
            run.change(manifest)
            _cut_log(run, manifest, point)
        finally:
            run.lock.release()
    return Rewound(point.step, len(newer), aside)


def _set_aside(run: RunDirectory, files: list[Path]) -> Path | None:
    """Move these to a new folder of the run, beside a copy of its log."""
    if not files:
        return None
    number = 1
    while (run.path / f"{ASIDE}-{number:03}").exists():
        number += 1
    folder = run.path / f"{ASIDE}-{number:03}"
    folder.mkdir()
    _copy(run.events, folder / run.events.name, is_run=True)
    with open_folder(run.checkpoints) as here, open_folder(folder) as there:
        for file in files:
            os.rename(file.name, file.name, src_dir_fd=here, dst_dir_fd=there)
    return folder


# -- what a checkpoint is of ------------------------------------------------------------------------------


def _continued(
    run: RunDirectory, checkpoint: Path, changes: Mapping[str, SettingValue]
) -> tuple[ResumePoint, RunManifest]:
    """How far a checkpoint has come, and the description of its run when that continues from there."""
    manifest = run.read_manifest()
    name = printable(checkpoint.name)
    state = migrate(read_checkpoint(checkpoint), name, manifest.split.validation_files)
    point = ResumePoint.read(state, name)
    if reason := _misfit(state, manifest):
        raise CheckpointError(f"{printable(str(checkpoint))} does not fit {printable(run.name)}: {reason}.")
    manifest = manifest.with_settings(changes, point.step)
    if manifest.total_steps <= point.step:
        raise RunFinishedError(run.path, manifest.config.epochs)
    return point, manifest


def _misfit(state: State, manifest: RunManifest) -> str:
    """Why a run of this description could not have saved this state; empty if it could."""
    config = manifest.config
    before: Any = state.get("config")
    if not isinstance(before, Mapping):
        return "it does not hold the settings that it was made with"
    for name, setting in SETTINGS.items():
        if setting.fixed and name in before and name != "batch_size":
            try:
                value = setting.check(before[name])
            except (ConfigError, TypeError):
                return f"its {name} is impossible"
            if value != getattr(config, name):
                return f"its {name} is {setting.show(value)}, not {setting.show(getattr(config, name))}"
    if state.get("spectrogram") != dataclasses.asdict(manifest.spectrogram):
        return "it was made with another spectrogram"
    try:
        fits = Progress(**state["progress"]).fits(manifest.total_steps, config.batch_size)
    except (LookupError, TypeError):
        fits = False
    return "" if fits else "its step or batch size is impossible"


def _is_before(best: Path, point: ResumePoint) -> bool:
    """Whether the best checkpoint of a run is of that point or of one before."""
    try:
        return int(read_checkpoint(best)["step"]) <= point.step
    except (CheckpointError, LookupError, TypeError, ValueError):
        return False


# -- files ------------------------------------------------------------------------------------------------


def _log_of(run: RunDirectory, checkpoint: Path) -> Path:
    """The log of what led to a checkpoint: beside it, where it was set aside."""
    beside = checkpoint.parent / run.events.name
    return beside if is_file(beside) else run.events


def _cut_log(run: RunDirectory, manifest: RunManifest, point: ResumePoint) -> None:
    """Let the log end at a point, as that of a run which was cancelled there."""
    with contextlib.closing(EventLog(run.events)) as log:
        log.keep(partial(is_past, point=point))
        log.append(
            StateChanged(
                RunState.CANCELLED.value,
                point.step,
                point.validated_epochs,
                manifest.total_steps,
                manifest.config.epochs,
            )
        )


def _copy(source: Path, target: Path, is_run: bool = False) -> None:
    """`is_run` as in `core.files`, of both."""
    with os.fdopen(open_regular(source, is_run=is_run), "rb") as file:
        write_atomically(target, iter(partial(file.read, BLOCK_BYTES), b""), is_run=is_run)


def _copy_if_there(source: Path, target: Path, is_run: bool = False) -> None:
    with contextlib.suppress(FileNotFoundError):
        _copy(source, target, is_run)


@contextlib.contextmanager
def _explaining(run: RunDirectory, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RunError(
            f"{printable(run.name)} cannot be {what} ({error.strerror}); "
            "free some space and check its permissions."
        ) from error
