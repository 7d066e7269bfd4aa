"""A run that continues with other settings than its checkpoint was made with."""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from core.checkpoints.archive import read_checkpoint
from core.config import SETTINGS, SettingValue, TrainingConfig
from core.errors import CheckpointError
from core.events import CheckpointSaved, SettingsChanged
from core.files import rename
from core.paths import is_file
from core.runs.checkpoints import BEST_FILE, CheckpointFile, CheckpointKind
from core.training.state import Progress

logger = logging.getLogger(__name__)


def find_changes(config: TrainingConfig, before: object, progress: Progress) -> SettingsChanged | None:
    """How the settings differ from those that a checkpoint was made with, if they do."""
    former = config.former_values(before) if isinstance(before, Mapping) else {}
    if not former:
        return None
    now = {name: getattr(config, name) for name in former}
    return SettingsChanged(
        progress.validated_epochs, progress.step, before=_assignments(former), now=_assignments(now)
    )


def redefine_loss(change: SettingsChanged) -> bool:
    """Whether losses before and after this change cannot be compared."""
    return any(SETTINGS[each.partition("=")[0]].redefines_loss for each in change.now.split())


def keep_former_best(folder: Path, step: int) -> CheckpointSaved | None:
    """Give the best checkpoint of a run at this step the name of one saved by hand, which is kept.

    Nothing is done if there is none, if it is of a later step, which is about to happen again, or if that
    step has a kept one already.
    """
    best = folder / BEST_FILE
    if not is_file(best):
        return None
    try:
        state: Mapping[str, Any] = read_checkpoint(best)
        best_step, epoch = int(state["step"]), int(state["epoch"])
        kept = folder / CheckpointFile.name(best_step, CheckpointKind.BY_HAND)
        if best_step > step or kept.exists():
            return None
        size_bytes = best.lstat().st_size
        rename(best, kept.name)
    except (CheckpointError, LookupError, OSError, TypeError, ValueError) as error:
        logger.warning("the best checkpoint so far is not kept apart (%s)", error)
        return None
    return CheckpointSaved(epoch, best_step, f"{folder.name}/{kept.name}", "best", size_bytes)


def _assignments(values: Mapping[str, SettingValue]) -> str:
    return " ".join(f"{name}={SETTINGS[name].show(value)}" for name, value in values.items())
