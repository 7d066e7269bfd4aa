"""Steps, disk space and computing of a run, before it begins."""

from dataclasses import dataclass

from core.config import TrainingConfig
from core.runs.manifest import RunManifest

CHECKPOINTS = 5  # three newest, the best, and one while it is being written
BYTES_PER_WEIGHT = 4
BYTES_PER_TRAINED_WEIGHT = 20  # the weight, its EMA, at most two moments, that of pending previews
BYTES_PER_STEP_EVENT = 270
WAV_BYTES_PER_SAMPLE = 2
MEL_BYTES_PER_VALUE = 4
KEPT_SOUNDS = 256  # training chunks in each checkpoint, a byte for each value


@dataclass(frozen=True)
class RunEstimate:
    """Steps in all and disk space at the end, previews and log included.

    `work` is the computing of a chunk relative to the model's default sizes.
    """

    steps_per_epoch: int
    total_steps: int
    previews: int
    disk_bytes: int
    weights: int
    work: float


def estimate_run(manifest: RunManifest) -> RunEstimate:
    """Estimate a run from its description."""
    config, spectrogram = manifest.config, manifest.spectrogram
    model = config.model_config(spectrogram)
    rounds = config.epochs // config.preview_interval + 2  # the untrained model's and the last epoch's
    previews = 2 + rounds * (1 + config.preview_samples)  # the original and its resynthesis come once
    preview_bytes = (
        config.chunk_samples(spectrogram) * WAV_BYTES_PER_SAMPLE
        + model.n_mels * model.n_frames * MEL_BYTES_PER_VALUE
    )
    fixed = model.parameter_count - model.trained_count
    kept = min(KEPT_SOUNDS, manifest.split.training_chunks) if config.detail > 0 else 0
    checkpoint_bytes = (
        model.trained_count * BYTES_PER_TRAINED_WEIGHT
        + fixed * BYTES_PER_WEIGHT
        + kept * model.n_mels * model.n_frames
    )
    disk_bytes = (
        CHECKPOINTS * checkpoint_bytes
        + previews * preview_bytes
        + manifest.total_steps * BYTES_PER_STEP_EVENT
    )
    default = TrainingConfig(model=config.model).resolved(manifest.split.training_chunks)
    work = model.multiply_adds / default.model_config(default.spectrogram).multiply_adds
    return RunEstimate(
        manifest.steps_per_epoch, manifest.total_steps, previews, disk_bytes, model.parameter_count, work
    )
