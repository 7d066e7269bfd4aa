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
from core.checkpoints.archive import State, parse_checkpoint, read_sealed
from core.config import SETTINGS, SettingValue, SpectrogramConfig
from core.disk import explain_write_error
from core.errors import CheckpointError, ConfigError, RunError, RunFinishedError, RunStoppedError
from core.events import PreviewReady, RunState, StateChanged
from core.files import open_folder, open_regular
from core.paths import is_file
from core.runs import EventLog, Parent, RunDirectory, RunManifest, find_owner, read_events
from core.runs.checkpoints import BEST_FILE, CheckpointFile, checkpoint_files
from core.runs.directory import REWOUND, is_rewound
from core.runs.find import is_run, next_name
from core.text import printable
from core.training.changes import find_changes, redefine_loss
from core.training.migration import migrate
from core.training.reporter import is_past
from core.training.state import Progress, ResumePoint

BLOCK_BYTES = 1 << 20
MEL_SUFFIX = ".npy"


def branch(
    run: RunDirectory, checkpoint: Path, name: str, changes: Mapping[str, SettingValue]
) -> RunDirectory:
    """Make a run beside `run` that continues from a checkpoint of it, perhaps with other settings.

    It has the log and the previews up to there, of the run that the checkpoint lies in.  That run, which may
    be trained meanwhile, does not change.  Raises CheckpointError if the checkpoint cannot be read or is not
    of such a run, ConfigError if a setting cannot change so, RunError, of which RunFinishedError or
    RunStoppedError if nothing is left to train.
    """
    data = read_sealed(checkpoint)
    point, manifest = _continued(run, checkpoint, data, changes)
    source = find_owner(checkpoint) or run
    if source.read_manifest().split != manifest.split:
        raise CheckpointError(f"{printable(str(checkpoint))} is of a run on other sounds.")
    parent = Parent(source.name, checkpoint.name, point.step)
    made = RunDirectory.create(run.path.parent, name, dataclasses.replace(manifest, parent=parent))
    try:
        with _explaining(run, "copied"):
            write_atomically(made.checkpoints / CheckpointFile.continued_name(checkpoint, point.step), data)
            if best := _read_until(_beside(checkpoint, source.checkpoints / BEST_FILE), point):
                write_atomically(made.checkpoints / BEST_FILE, best)
            _copy(_beside(checkpoint, source.events), made.events)
            _cut_log(made, manifest, point)
            _copy_if_there(source.clip, made.clip)
            _copy_if_there(source.preview_stars, made.preview_stars)
            for preview, _ in read_events(made.events, PreviewReady):
                for suffix in (Path(preview.path).suffix, MEL_SUFFIX):
                    file = Path(preview.path).with_suffix(suffix).name
                    # An fsync for each of hundreds would take minutes.
                    _copy_if_there(source.previews / file, made.previews / file, is_durable=False)
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
            data = read_sealed(checkpoint)
            point, manifest = _continued(run, checkpoint, data, changes)
            target = run.checkpoints / CheckpointFile.continued_name(checkpoint, point.step)
            newer = [each.path for each in checkpoint_files(run.checkpoints) if each.step > point.step]
            if target != checkpoint and is_file(target):
                newer.append(target)
            best, log = run.checkpoints / BEST_FILE, _beside(checkpoint, run.events)
            former_best = _beside(checkpoint, best)
            best_data = _read_until(former_best, point)
            if is_file(best) and best != checkpoint and (best_data is None or former_best != best):
                newer.append(best)
            aside = _set_aside(run, newer) if newer or log != run.events else None
            write_atomically(target, data)
            if best_data is not None and former_best != best:
                write_atomically(best, best_data)
            run.change(manifest)
            if log != run.events:
                _copy(log, run.events)
            _cut_log(run, manifest, point)
        finally:
            run.lock.release()
    return Rewound(point.step, len(newer), aside)


def _set_aside(run: RunDirectory, files: list[Path]) -> Path:
    """Move these to a new folder of the run, beside a copy of its log."""
    folder = run.path / next_name(run.path, REWOUND)
    folder.mkdir()
    _copy(run.events, folder / run.events.name)
    with open_folder(run.checkpoints) as here, open_folder(folder) as there:
        for file in files:
            os.rename(file.name, file.name, src_dir_fd=here, dst_dir_fd=there)
    return folder


# -- what a checkpoint is of ------------------------------------------------------------------------------


def _continued(
    run: RunDirectory, checkpoint: Path, data: bytes, changes: Mapping[str, SettingValue]
) -> tuple[ResumePoint, RunManifest]:
    """How far a checkpoint has come, which has these bytes, and the description of its run from there on."""
    manifest = run.read_manifest()
    name = printable(checkpoint.name)
    state = migrate(parse_checkpoint(data, checkpoint.name), name, manifest.split.validation_files)
    point = ResumePoint.read(state, name)
    if reason := _misfit(state, manifest):
        raise CheckpointError(f"{printable(str(checkpoint))} does not fit {printable(run.name)}: {reason}.")
    manifest = manifest.with_settings(changes, point.step)
    if manifest.total_steps <= point.step:
        raise RunFinishedError(run.path, manifest.config.epochs)
    progress, patience = Progress(**state["progress"]), manifest.config.early_stopping
    change = find_changes(manifest.config, state["config"], progress)
    forgets_best = change is not None and redefine_loss(change)
    if not forgets_best and 0 < patience <= progress.epochs_without_best:
        raise RunStoppedError(run.path, progress.validated_epochs, progress.best_epoch, patience)
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
    try:
        if SpectrogramConfig.from_dict(state["spectrogram"]) != manifest.spectrogram:
            return "it was made with another spectrogram"
        fits = Progress(**state["progress"]).fits(manifest.total_steps, config.batch_size)
    except (LookupError, TypeError):
        fits = False
    return "" if fits else "its step or batch size is impossible"


def _read_until(best: Path, point: ResumePoint) -> bytes | None:
    """The best checkpoint of a run, if it is of that point or of one before."""
    try:
        data = read_sealed(best)
        return data if int(parse_checkpoint(data, best.name)["step"]) <= point.step else None
    except (CheckpointError, ArithmeticError, LookupError, TypeError, ValueError):
        return None


# -- files ------------------------------------------------------------------------------------------------


def _beside(checkpoint: Path, file: Path) -> Path:
    """A file of the run that led to a checkpoint: the one set aside with it, if it was."""
    aside = checkpoint.parent / file.name
    return aside if is_rewound(checkpoint.parent.name) and is_file(aside) else file


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


def _copy(source: Path, target: Path, is_durable: bool = True) -> None:
    with os.fdopen(open_regular(source, is_run=is_run(source.parent)), "rb") as file:
        parts = iter(partial(file.read, BLOCK_BYTES), b"")
        write_atomically(target, parts, is_durable, is_run=is_run(target.parent))


def _copy_if_there(source: Path, target: Path, is_durable: bool = True) -> None:
    with contextlib.suppress(FileNotFoundError):
        _copy(source, target, is_durable)


@contextlib.contextmanager
def _explaining(run: RunDirectory, what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RunError(f"{printable(run.name)} cannot be {what} {explain_write_error(error)}.") from error
