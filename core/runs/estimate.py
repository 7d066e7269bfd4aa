"""Steps, disk space, computing and time of a run, before it begins."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from core.config import TrainingConfig
from core.events import DeviceInfo, EpochFinished
from core.runs.manifest import RunManifest
from core.runs.summary import RunSummary

CHECKPOINTS = 5  # three newest, the best, and one while it is being written
BYTES_PER_WEIGHT = 4
BYTES_PER_TRAINED_WEIGHT = 20  # the weight, its EMA, at most two moments, that of pending previews
BYTES_PER_STEP_EVENT = 270
WAV_BYTES_PER_SAMPLE = 2
MEL_BYTES_PER_VALUE = 4
KEPT_SOUNDS = 256  # training chunks in each checkpoint, a byte for each value
EVALUATED_CHUNKS = 256  # of either side after an epoch, at most
FARTHEST_FACTOR = 4.0  # of the computing of a step, from the run that a time is estimated by
NEAR_FACTOR = 1.1
LEAST_STEPS = 20  # of a run whose speed is trusted


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


@dataclass(frozen=True)
class TimeEstimate:
    """Seconds from the first step to the last, by the speed of an earlier run on the same device.

    `is_scaled` if a step of that run took more or less computing, and its speed was scaled by that.
    """

    seconds: float
    run: str
    is_scaled: bool


def estimate_time(
    manifest: RunManifest, device: DeviceInfo, summaries: Iterable[RunSummary]
) -> TimeEstimate | None:
    """Estimate from the run that is most like it, of several alike the first; None if none is like it.

    Steps take time in proportion to their computing, evaluations to that of the chunks they measure; what
    else there is after an epoch, such as previews, is counted with the evaluation.
    """
    found: tuple[float, TimeEstimate] | None = None
    for summary in summaries:
        before, last = summary.manifest, summary.last_epoch
        if before is None or last is None or not _is_like(manifest, before, last, device):
            continue
        factor = _step_work(manifest) / _step_work(before)
        distance = abs(math.log(factor))
        if distance > math.log(FARTHEST_FACTOR) or (found is not None and distance >= found[0]):
            continue
        step_time_s = last.elapsed_s / last.step  # with all that comes after an epoch
        if summary.step_time_s is not None:
            step_time_s = min(step_time_s, summary.step_time_s)  # the last steps may have been slow ones
        overhead_s = max(0.0, last.elapsed_s - last.step * step_time_s) / last.epoch
        seconds = (
            manifest.total_steps * step_time_s * factor
            + manifest.config.epochs * overhead_s * _evaluation_work(manifest) / _evaluation_work(before)
        )
        is_scaled = distance > math.log(NEAR_FACTOR)
        found = distance, TimeEstimate(seconds, summary.name, is_scaled)
    return found[1] if found is not None else None


def _is_like(manifest: RunManifest, before: RunManifest, last: EpochFinished, device: DeviceInfo) -> bool:
    """Whether the speed of an earlier run says something: the same kind of model, on this device.

    Logs of older versions do not name the device, but say how much memory it has.
    """
    is_here = last.device == device.title if last.device else last.memory_total_bytes == device.memory_bytes
    is_measured = last.step >= LEAST_STEPS and last.epoch > 0 and last.elapsed_s > 0
    config, other = manifest.config, before.config
    is_alike = (config.model, config.deterministic) == (other.model, other.deterministic)
    return is_here and is_measured and is_alike


def _chunk_work(manifest: RunManifest) -> int:
    return manifest.config.model_config(manifest.spectrogram).multiply_adds


def _step_work(manifest: RunManifest) -> int:
    return manifest.config.batch_size * _chunk_work(manifest)


def _evaluation_work(manifest: RunManifest) -> int:
    chunks = sum(
        min(EVALUATED_CHUNKS, each)
        for each in (manifest.split.training_chunks, manifest.split.validation_chunks)
    )
    return max(1, chunks) * _chunk_work(manifest)
