"""The figures of a run at one of its checkpoints, as they travel with its model."""

import contextlib

from core.errors import RunError
from core.events import EpochFinished, Metric
from core.runs.directory import RunDirectory
from core.runs.event_log import read_events
from core.runs.manifest import RunManifest


def checkpoint_figures(run: RunDirectory, epoch: int) -> dict[str, float | None]:
    """What the description and the log of a run say of its dataset and of its model after an epoch, by name.

    Numbers alone, no names of sounds.  What cannot be read is left out.
    """
    figures: dict[str, float | None] = {}
    with contextlib.suppress(RunError):
        figures |= _dataset(run.read_manifest())
    with contextlib.suppress(OSError):
        for event, _ in read_events(run.events, EpochFinished):
            if event.epoch == epoch:  # of one that a resume repeated, the last
                figures |= _model(event)
    return figures


def _dataset(manifest: RunManifest) -> dict[str, float | None]:
    split = manifest.split
    chunk_s = manifest.config.chunk_duration_s
    return {
        "files": len(manifest.files),
        "held_out_files": split.validation_files,
        "training_chunks": split.training_chunks,
        "held_out_chunks": split.validation_chunks,
        "training_duration_s": split.training_chunks * chunk_s,
    }


def _model(event: EpochFinished) -> dict[str, float | None]:
    scalars: dict[str, Metric] = {
        "train_loss": event.train_loss,
        "validation_loss": event.validation_loss,
        "train_rmse": event.train_error,
        "held_out_rmse": event.validation_error,
        "untrained_held_out_rmse": event.untrained_error,
        "quality": event.quality,
        "overfitting_gap": event.overfitting_gap,
        "elapsed_s": event.elapsed_s,
        **event.metrics,
    }
    return {name: value for name, value in scalars.items() if not isinstance(value, tuple)}
