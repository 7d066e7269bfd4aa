"""What a VAE is trained with, built from a run's description before the first step."""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from core.audio.spectrogram import LogMelSpectrogram
from core.data.batches import TrainingBatches
from core.data.clip import read_clip, write_clip
from core.data.loading import LoadedSounds, decoding_bytes, load_sounds
from core.data.store import ChunkStore, SampleBuffer
from core.device import fits_memory, has_room_for
from core.errors import Cancelled, ConfigError
from core.events import LoadProgress, WarningKind
from core.model import VAE, build_model
from core.runs import RunDirectory, RunManifest
from core.seeding import derive_seed, generator
from core.synthesis.previews import PreviewRenderer
from core.synthesis.sounds import Origin
from core.text import printable
from core.training.start import load_start_model
from core.training.task import Messages, SetupContext

logger = logging.getLogger(__name__)

EVALUATION_CHUNKS = 256  # at most, of either side, evenly spread: bounds the cost of validation
CROPS = 4096  # augmented chunks that the model starts from, at most
CROPS_PER_CHUNK = 8
CROPS_PER_LATENT = 8
CROP_BYTES = 256 << 20  # of them at most, which long chunks would exceed
SPECTROGRAM_BATCH = 32
PROGRESS_INTERVAL_S = 0.1
SHOWN_PROBLEMS = 3  # of files; the log has all
INT16_BYTES = 2
FLOAT32_BYTES = 4


@dataclass(frozen=True)
class TrainingSetup:
    """What a VAE is trained with.

    The two sets are fixed log-mel spectrograms [chunks, 1, mels, frames] to measure on; `origins` says where
    those of the first come from, and `validation_file` [chunks] is the number of the file of each of the
    second in `Split.validation_paths`.  `warnings` holds what was found wrong with the sounds.
    """

    model: VAE
    batches: TrainingBatches
    training_set: Tensor
    origins: Sequence[Origin]
    validation_set: Tensor
    validation_file: Tensor
    previews: PreviewRenderer
    warnings: Messages


def build_setup(context: SetupContext) -> TrainingSetup:
    """Decode the sounds, measure them and make the model, all as the manifest says.

    The model of a run that is not new is left as it is, for a checkpoint to be loaded into.  Raises
    DatasetError if nothing is left to train on, ConfigError if the preview clip of a new run cannot be read,
    CheckpointError if the model that a new run starts from cannot, Cancelled within a second.
    """
    run, manifest, device, cancelled = context.run, context.manifest, context.device, context.cancelled
    config = manifest.config
    spectrogram = LogMelSpectrogram(manifest.spectrogram).to(device)
    own_clip, clip_problem = _own_clip(run, manifest, cancelled)
    sounds = _load(context)
    for problem in sounds.problems:
        logger.warning("%s", problem)
    batches = TrainingBatches(sounds.train, spectrogram, config, manifest.steps_per_epoch, device)

    torch.manual_seed(derive_seed(config.seed, "weights"))
    model = build_model(config.model_config(manifest.spectrogram), device)
    if context.is_new and manifest.parent is not None:
        load_start_model(run, model)
    elif context.is_new:
        _initialise(model, batches, config.seed, cancelled, context.emit)

    if own_clip is not None:
        clip = own_clip * manifest.level.gain_of_foreign(float(own_clip.abs().max()))
        clip_name = f"{Path(config.preview_clip).name} (own file)"
    else:
        loudest = sounds.validation.loudest(cancelled)
        clip = sounds.validation.chunks(torch.tensor([loudest]))[0]
        clip_name = sounds.validation.path_of(loudest)
    training_set = _fixed_chunks(sounds.train, EVALUATION_CHUNKS, spectrogram, device, cancelled)
    previews = PreviewRenderer(
        folder=run.previews,
        spectrogram=manifest.spectrogram,
        clip=clip,
        clip_log_mel=spectrogram(clip.unsqueeze(0).to(device)),
        clip_name=printable(clip_name),
        samples=config.preview_samples,
        inversion=config.preview_inversion,
        gain=manifest.gain,
        seed=config.seed,
        is_substitute=bool(clip_problem),
    )
    return TrainingSetup(
        model=model,
        batches=batches,
        training_set=training_set,
        origins=_origins(sounds.train),
        validation_set=_fixed_chunks(sounds.validation, EVALUATION_CHUNKS, spectrogram, device, cancelled),
        validation_file=_files_of_chunks(sounds.validation, manifest.split.validation_paths),
        previews=previews,
        warnings={
            WarningKind.UNREADABLE: " ".join(sounds.problems[:SHOWN_PROBLEMS]),
            WarningKind.CLIP: clip_problem,
        },
    )


def _own_clip(
    run: RunDirectory, manifest: RunManifest, cancelled: Callable[[], bool]
) -> tuple[Tensor | None, str]:
    """The clip that the user named, [samples], or None; and a message if it cannot be used any more.

    The run keeps a copy of what it began with, so that its previews stay comparable whatever becomes of the
    file.  Raises ConfigError if that of a run that has not trained yet cannot be read.
    """
    sample_rate = manifest.spectrogram.sample_rate
    length_samples = manifest.config.chunk_samples(manifest.spectrogram)
    if not manifest.config.preview_clip:
        return None, ""
    try:
        return torch.from_numpy(read_clip(run.clip, sample_rate, length_samples, cancelled)), ""
    except ConfigError as error:
        if run.has_trained():  # the file itself may be another by now
            return None, f"{error} Previews continue with a held-out clip."
    clip = read_clip(Path(manifest.config.preview_clip), sample_rate, length_samples, cancelled)
    try:
        write_clip(run.clip, clip, sample_rate)
    except OSError as error:
        logger.warning("the preview clip could not be copied into the run (%s)", error.strerror)
    return torch.from_numpy(clip), ""


def _load(context: SetupContext) -> LoadedSounds:
    run, manifest, device = context.run, context.manifest, context.device
    sample_rate = manifest.spectrogram.sample_rate
    excerpts = (*manifest.split.train, *manifest.split.validation)
    size_bytes = round(sum((each.stop_s - each.start_s) * sample_rate * INT16_BYTES for each in excerpts))
    return load_sounds(
        Path(manifest.folder),
        manifest.split,
        sample_rate,
        manifest.config.chunk_samples(manifest.spectrogram),
        device if has_room_for(device, size_bytes) else torch.device("cpu"),
        SampleBuffer()
        if fits_memory(size_bytes + decoding_bytes(manifest.split, sample_rate))
        else SampleBuffer(run.path),
        context.cancelled,
        _at_intervals(context.emit, "decoding"),
        context.locations,
    )


def _initialise(
    model: VAE,
    batches: TrainingBatches,
    seed: int,
    cancelled: Callable[[], bool],
    emit: Callable[[LoadProgress], None],
) -> None:
    """Show the model many augmented training sounds at once."""
    config = model.config
    affordable = CROP_BYTES // (FLOAT32_BYTES * config.n_mels * config.n_frames)
    wanted = max(CROPS_PER_CHUNK * batches.chunks, CROPS_PER_LATENT * config.latent_dim)
    count = min(CROPS, wanted, affordable)
    progress = _at_intervals(emit, "measuring")
    crops = batches.random_crops(count, cancelled, lambda done: progress(done, count))
    model.initialise(crops, generator(seed, "principal components"), cancelled)


def _at_intervals(emit: Callable[[LoadProgress], None], phase: str) -> Callable[[int, int], None]:
    """A callback with the number done and the total, which emits them not too often."""
    emitted_s = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal emitted_s
        if done == total or time.monotonic() - emitted_s > PROGRESS_INTERVAL_S:
            emitted_s = time.monotonic()
            emit(LoadProgress(phase, done, total))

    return progress


def _fixed_chunks(
    store: ChunkStore,
    limit: int,
    spectrogram: LogMelSpectrogram,
    device: torch.device,
    cancelled: Callable[[], bool],
) -> Tensor:
    batches = torch.split(_spread(len(store), limit), SPECTROGRAM_BATCH)
    return torch.cat([_log_mel(store, index, spectrogram, device, cancelled) for index in batches])


def _origins(store: ChunkStore) -> list[Origin]:
    """Where each of the fixed chunks comes from."""
    chunks = _spread(len(store), EVALUATION_CHUNKS).tolist()
    return [Origin(printable(store.path_of(chunk)), store.length_of(chunk)) for chunk in chunks]


def _files_of_chunks(store: ChunkStore, paths: Sequence[str]) -> Tensor:
    """The number of the file [chunks] that each of the fixed chunks is from.

    Training sounds, which take the place of held-out ones that are all gone, have the number after the last.
    """
    numbers = {path: number for number, path in enumerate(paths)}
    chunks = _spread(len(store), EVALUATION_CHUNKS).tolist()
    return torch.tensor([numbers.get(store.path_of(chunk), len(paths)) for chunk in chunks])


def _log_mel(
    store: ChunkStore,
    index: Tensor,
    spectrogram: LogMelSpectrogram,
    device: torch.device,
    cancelled: Callable[[], bool],
) -> Tensor:
    if cancelled():
        raise Cancelled
    log_mel: Tensor = spectrogram(store.chunks(index).to(device))
    return log_mel


def _spread(count: int, limit: int) -> Tensor:
    """Up to `limit` of the indices below `count`, evenly spread."""
    return torch.linspace(0, count - 1, min(count, limit)).round().long()
