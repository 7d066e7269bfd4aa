"""The sounds that models are compared on, and the models."""

import math
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from melspecvae import MelSpecVAE
from torch import Tensor

from core.audio.spectrogram import LogMelSpectrogram
from core.config import ModelConfig, SettingValue, SpectrogramConfig, find_preset
from core.data.batches import TrainingBatches
from core.data.loading import load_sounds
from core.data.plan import replan
from core.data.report import ScanReport
from core.data.scan import scan
from core.data.store import ChunkStore, SampleBuffer
from core.device import has_bfloat16
from core.events import RunEvent
from core.model import VAE
from core.model.losses import gaussian_kl
from core.model.pca import principal_components
from core.runs import RunDirectory, RunManifest
from core.seeding import generator
from core.training.control import Control
from core.training.state import ResumePoint
from core.training.task import SetupContext
from core.training.trainer import Trainer
from core.training.vae_task import VaeTask

SONIC_PI = Path("/usr/share/sonic-pi/samples")  # Debian's package sonic-pi-samples
SPECTROGRAM = SpectrogramConfig()
CHUNK_S = 1.0
LATENTS = 64
BATCH = 32
HELD_OUT_CHUNKS = 512
RESYNTHESISED = 24
PCA_CROPS = 16384  # as many as the best PCA wants
MELSPECVAE_BATCH = 64
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Sounds:
    """One split, and the log-mel spectrograms [chunks, 1, mels, frames] of its two sides."""

    report: ScanReport
    folder: Path
    seed: int
    store: ChunkStore
    train: Tensor
    held_out: Tensor
    held_out_waveform: Tensor

    def crops(self, count: int) -> Tensor:
        """Augmented training crops [count, 1, mels, frames]."""
        config = find_preset("balanced").config().resolved(len(self.store))
        batches = TrainingBatches(self.store, LogMelSpectrogram(SPECTROGRAM), config, 1, CPU)
        return batches.random_crops(count)


# -- data -------------------------------------------------------------------------------------------------


def scan_folder(folder: Path) -> ScanReport:
    return next(event for event in scan(folder, CHUNK_S) if isinstance(event, ScanReport))


def split_sounds(report: ScanReport, folder: Path, seed: int, files: int | None) -> Sounds:
    """The split of this seed, of so many files drawn by it or of all."""
    usable = tuple(file for file in report.files if file.usable)
    if files is not None:
        drawn = np.random.default_rng(seed).choice(len(usable), min(files, len(usable)), replace=False)
        usable = tuple(usable[index] for index in sorted(drawn))
    report = replan(replace(report, files=usable), CHUNK_S, seed)
    samples = round(CHUNK_S * SPECTROGRAM.sample_rate)
    loaded = load_sounds(
        folder,
        report.split,
        SPECTROGRAM.sample_rate,
        samples,
        CPU,
        SampleBuffer(),
        lambda: False,
        lambda *_: None,
    )
    to_mel = LogMelSpectrogram(SPECTROGRAM)
    train, held_out = (
        torch.cat([to_mel(store.chunks(index)) for index in spread(len(store), limit).split(BATCH)])
        for store, limit in ((loaded.train, 4 * HELD_OUT_CHUNKS), (loaded.validation, HELD_OUT_CHUNKS))
    )
    waveform = loaded.validation.chunks(spread(len(held_out), RESYNTHESISED))
    return Sounds(report, folder, seed, loaded.train, train, held_out, waveform)


def spread(count: int, limit: int) -> Tensor:
    return torch.linspace(0, count - 1, min(count, limit)).round().long()


# -- rows -------------------------------------------------------------------------------------------------


class Linear(VAE):
    """Principal component analysis; with no components, the mean."""

    def __init__(self, crops: Tensor, count: int) -> None:
        super().__init__(ModelConfig(SPECTROGRAM.n_mels, crops.shape[-1], count, 0.0))
        found = principal_components(crops.flatten(1), count, torch.Generator().manual_seed(0))
        self.found = replace(found, deviations=found.deviations.clamp_min(1e-3))
        self.variance = (found.residual / self.found.deviations.square()).clamp(1e-4, 1)
        self.shape = crops.shape[1:]

    def posterior(self, normalised: Tensor) -> tuple[Tensor, Tensor]:
        found = self.found
        mean = (normalised.flatten(1) - found.mean) @ found.directions / found.deviations
        return mean, self.variance.log().expand_as(mean)

    def decode_normalised(self, latent: Tensor) -> Tensor:
        found = self.found
        return (found.mean + (latent * found.deviations) @ found.directions.T).view(-1, *self.shape)


def linear(count: int, crops: int = PCA_CROPS) -> Callable[[Sounds, int], VAE]:
    def fit(sounds: Sounds, _: int) -> VAE:
        return Linear(sounds.crops(crops) if count else sounds.train, count)

    return fit


def engine(preset: str, **settings: SettingValue) -> Callable[[Sounds, int], VAE]:
    """A model that the program trains with this preset, but for so many steps of `batch_size`."""

    def fit(sounds: Sounds, steps: int) -> VAE:
        chunks = steps * int(settings.get("batch_size") or BATCH)
        epochs = math.ceil(chunks / len(sounds.store) / 1000)
        config = find_preset(preset).config().with_settings({
            "seed": sounds.seed, "batch_size": BATCH, "latent_dim": LATENTS, "chunk_duration_s": CHUNK_S,
            "epochs": epochs, "augmentation_expansion": max(1, chunks // len(sounds.store) // epochs),
            "preview_samples": 0, "preview_interval": 100_000, **settings,
        })  # fmt: skip
        with tempfile.TemporaryDirectory() as folder:
            manifest = RunManifest.from_scan(sounds.report, preset, config)
            run = RunDirectory.create(Path(folder), "quality", manifest)
            control = Control(run.requests)
            context = SetupContext(run, manifest, CPU, True, lambda: False, lambda _: None)
            trainer = Trainer(run, manifest, VaeTask.set_up(context), control, Silent())
            trainer.train()
            trainer.close()
        return trainer.state.ema_model

    return fit


class Silent:
    """A reporter that reports to nobody."""

    def emit(self, event: RunEvent) -> None: ...

    def rewind(self, point: ResumePoint) -> None: ...


def melspecvae(sounds: Sounds, steps: int) -> VAE:
    """Adam at 5e-4, batches of 64, one million times the mean squared error plus KL; no augmentation."""
    torch.manual_seed(sounds.seed)
    lowest, highest = float(sounds.train.min()), float(sounds.train.max())
    model = MelSpecVAE(*sounds.train.shape[-2:], LATENTS, lowest, highest)
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=has_bfloat16(CPU))  # as the program's own
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-4)
    for step in range(steps):
        draws = generator(sounds.seed, "melspecvae", step)
        batch = sounds.train[torch.randint(len(sounds.train), (MELSPECVAE_BATCH,), generator=draws)]
        noise = torch.randn(MELSPECVAE_BATCH, LATENTS, generator=draws)
        with autocast:
            output = model(batch, noise)
        squared_error = (output.reconstruction - batch).square().mean() / model.scale.square()
        kl = gaussian_kl(output.mean, output.log_variance).sum(1).mean()
        optimizer.zero_grad()
        (1e6 * squared_error + kl).backward()
        optimizer.step()
    return model


ROWS: dict[str, Callable[[Sounds, int], VAE]] = {
    "mean": linear(0),
    "pca": linear(LATENTS),
    "usual": engine("balanced", model="convolutional", loss="mse"),
    "convolutional": engine("balanced", model="convolutional"),
    "melspecvae": melspecvae,
    "conservative": engine("conservative"),
    "balanced": engine("balanced"),
    "aggressive": engine("aggressive"),
}
