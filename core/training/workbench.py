"""Everything that a trainer works with, made from a run's description before the first step."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from core.audio.spectrogram import LogMelSpectrogram
from core.data.batches import TrainingBatches
from core.data.report import printable
from core.data.store import ChunkStore, LoadedSounds, SampleArena, load_sounds
from core.device import fits_memory, has_room_for
from core.errors import Cancelled
from core.events import LoadProgress
from core.model.vae import VAE
from core.run import RunDirectory, RunManifest
from core.seeding import derive_seed
from core.training.preview import PreviewRenderer

EVALUATION_CHUNKS = 512  # at most, of either side, evenly spread: bounds the cost of validation
STATISTICS_CHUNKS = 2048  # at most, evenly spread: the mean of a band needs no more
SPECTROGRAM_BATCH = 32
SMALLEST_SCALE = 0.05  # of log-mel: a dataset of one constant sound must not be blown up
PROGRESS_INTERVAL_S = 0.1
INT16_BYTES = 2


@dataclass(frozen=True)
class Workbench:
    """The two sets are fixed log-mel spectrograms [chunks, 1, mels, frames] to measure on."""

    model: VAE
    batches: TrainingBatches
    training_set: Tensor
    validation_set: Tensor
    previews: PreviewRenderer
    problems: tuple[str, ...]


def prepare(
    run: RunDirectory,
    manifest: RunManifest,
    device: torch.device,
    cancelled: Callable[[], bool],
    emit: Callable[[LoadProgress], None],
) -> Workbench:
    """Decode the sounds, measure them and make the model, all as the manifest says.

    Raises DatasetError if nothing is left to train on, Cancelled within a second.
    """
    config = manifest.config
    spectrogram = LogMelSpectrogram(manifest.spectrogram).to(device)
    sounds = _load(run, manifest, device, cancelled, emit)
    band_mean, scale = _statistics(sounds.train, spectrogram, device, cancelled, emit)

    torch.manual_seed(derive_seed(config.seed, "weights"))
    model = VAE(config.model_config(manifest.spectrogram))
    model.set_normalisation(band_mean, scale)
    model.to(device)

    clip = sounds.validation.loudest(cancelled)
    clip_waveform = sounds.validation.chunks(torch.tensor([clip]))
    previews = PreviewRenderer(
        folder=run.previews,
        spectrogram=manifest.spectrogram,
        clip=clip_waveform[0],
        clip_log_mel=spectrogram(clip_waveform.to(device)),
        clip_name=printable(sounds.validation.path_of(clip)),
        latent_dim=config.latent_dim,
        samples=config.preview_samples,
        seed=config.seed,
    )
    return Workbench(
        model=model,
        batches=TrainingBatches(sounds.train, spectrogram, config, manifest.steps_per_epoch, device),
        training_set=_fixed_chunks(sounds.train, EVALUATION_CHUNKS, spectrogram, device, cancelled),
        validation_set=_fixed_chunks(sounds.validation, EVALUATION_CHUNKS, spectrogram, device, cancelled),
        previews=previews,
        problems=sounds.problems,
    )


def _load(
    run: RunDirectory,
    manifest: RunManifest,
    device: torch.device,
    cancelled: Callable[[], bool],
    emit: Callable[[LoadProgress], None],
) -> LoadedSounds:
    sample_rate = manifest.spectrogram.sample_rate
    excerpts = (*manifest.split.train, *manifest.split.validation)
    size_bytes = round(sum((each.stop_s - each.start_s) * sample_rate * INT16_BYTES for each in excerpts))
    told_s = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal told_s
        if done == total or time.monotonic() - told_s > PROGRESS_INTERVAL_S:
            told_s = time.monotonic()
            emit(LoadProgress("decoding", done, total))

    return load_sounds(
        Path(manifest.folder),
        manifest.split,
        sample_rate,
        manifest.config.chunk_samples(manifest.spectrogram),
        device if has_room_for(device, size_bytes) else torch.device("cpu"),
        SampleArena() if fits_memory(size_bytes) else SampleArena(run.path),
        cancelled,
        progress,
    )


def _statistics(
    store: ChunkStore,
    spectrogram: LogMelSpectrogram,
    device: torch.device,
    cancelled: Callable[[], bool],
    emit: Callable[[LoadProgress], None],
) -> tuple[Tensor, Tensor]:
    """Mean of each mel band [mels] and the deviation around them [] over the training chunks."""
    chunks = _spread(len(store), STATISTICS_CHUNKS)
    total = torch.zeros(spectrogram.config.n_mels, dtype=torch.float64)
    total_square = torch.zeros_like(total)
    frames = 0
    for index in torch.split(chunks, SPECTROGRAM_BATCH):
        log_mel = _log_mel(store, index, spectrogram, device, cancelled).squeeze(1).cpu().double()
        total += log_mel.sum(dim=(0, 2))
        total_square += log_mel.square().sum(dim=(0, 2))
        frames += log_mel.shape[0] * log_mel.shape[2]
    emit(LoadProgress("measuring", len(chunks), len(chunks)))
    mean = total / frames
    variance = (total_square / frames - mean.square()).clamp_min(0).mean()
    return mean.float(), variance.sqrt().float().clamp_min(SMALLEST_SCALE)


def _fixed_chunks(
    store: ChunkStore,
    limit: int,
    spectrogram: LogMelSpectrogram,
    device: torch.device,
    cancelled: Callable[[], bool],
) -> Tensor:
    batches = torch.split(_spread(len(store), limit), SPECTROGRAM_BATCH)
    return torch.cat([_log_mel(store, index, spectrogram, device, cancelled) for index in batches])


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
