"""The sounds that models are compared on, and the models."""

import math
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from melspecvae import MelSpecVAE
from torch import Tensor

from core.audio.spectrogram import LogMelSpectrogram
from core.config import ModelConfig, SettingValue, SpectrogramConfig, find_preset, suggest_latents
from core.data.batches import TrainingBatches
from core.data.leveling import dataset_level, with_gains
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
from core.synthesis.latents import Drawn, LatentDistribution, nearest_sounds, pick
from core.training.control import Control
from core.training.state import ResumePoint
from core.training.task import SetupContext
from core.training.trainer import Trainer
from core.training.vae_task import VaeTask

SONIC_PI = Path("/usr/share/sonic-pi/samples")  # Debian's package sonic-pi-samples
SPECTROGRAM = SpectrogramConfig()
CHUNK_S = 1.0
CHUNK_SAMPLES = round(CHUNK_S * SPECTROGRAM.sample_rate)
LATENTS = 64
BATCH = 32
HELD_OUT_CHUNKS = 512
PCA_CROPS = 16384  # as many as the best PCA wants
MELSPECVAE_BATCH = 64
FORMER_NEIGHBOURS, FORMER_BANDWIDTH = 0.4, 0.8
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Sounds:
    """One split: the chunks of its two sides, at the level that they are trained at."""

    report: ScanReport
    folder: Path
    seed: int
    store: ChunkStore
    held_out_store: ChunkStore

    def train(self, spectrogram: SpectrogramConfig) -> Tensor:
        """Log-mel spectrograms [chunks, 1, mels, frames] of the training chunks."""
        return log_mels(self.store, 4 * HELD_OUT_CHUNKS, spectrogram)

    def held_out(self, spectrogram: SpectrogramConfig) -> Tensor:
        return log_mels(self.held_out_store, HELD_OUT_CHUNKS, spectrogram)

    def crops(self, count: int, spectrogram: SpectrogramConfig, device: torch.device) -> Tensor:
        """Augmented training crops [count, 1, mels, frames]."""
        config = find_preset("balanced").config().resolved(len(self.store))
        batches = TrainingBatches(self.store, LogMelSpectrogram(spectrogram).to(device), config, 1, device)
        return batches.random_crops(count)


# -- data -------------------------------------------------------------------------------------------------


def scan_folder(folder: Path) -> ScanReport:
    return next(event for event in scan(folder, CHUNK_S) if isinstance(event, ScanReport))


def split_sounds(
    report: ScanReport, folder: Path, seed: int, files: int | None, level: str = "dataset"
) -> Sounds:
    """The split of this seed, of so many files drawn by it or of all; `level` is the program's setting."""
    usable = tuple(file for file in report.files if file.usable)
    if files is not None:
        drawn = np.random.default_rng(seed).choice(len(usable), min(files, len(usable)), replace=False)
        usable = tuple(usable[index] for index in sorted(drawn))
    report = replan(replace(report, files=usable), CHUNK_S, seed)
    split = with_gains(report.split, dataset_level(level, usable), usable)
    loaded = load_sounds(
        folder,
        split,
        SPECTROGRAM.sample_rate,
        CHUNK_SAMPLES,
        CPU,
        SampleBuffer(),
        lambda: False,
        lambda *_: None,
    )
    return Sounds(report, folder, seed, loaded.train, loaded.validation)


def log_mels(store: ChunkStore, limit: int, spectrogram: SpectrogramConfig) -> Tensor:
    """Those of up to so many chunks, evenly spread [chunks, 1, mels, frames]."""
    to_mel = LogMelSpectrogram(spectrogram)
    return torch.cat([to_mel(store.chunks(index)) for index in spread(len(store), limit).split(BATCH)])


def spread(count: int, limit: int) -> Tensor:
    return torch.linspace(0, count - 1, min(count, limit)).round().long()


# -- rows -------------------------------------------------------------------------------------------------


class Linear(VAE):
    """Principal component analysis; with no components, the mean.  On the device of the crops."""

    mean: Tensor
    directions: Tensor
    deviations: Tensor
    variance: Tensor

    def __init__(self, crops: Tensor, count: int) -> None:
        super().__init__(ModelConfig(SPECTROGRAM.n_mels, crops.shape[-1], count, 0.0))
        found = principal_components(crops.flatten(1), count, torch.Generator().manual_seed(0))
        deviations = found.deviations.clamp_min(1e-3)
        self.register_buffer("mean", found.mean)
        self.register_buffer("directions", found.directions)
        self.register_buffer("deviations", deviations)
        self.register_buffer("variance", (found.residual / deviations.square()).clamp(1e-4, 1))
        self.shape = crops.shape[1:]
        self.to(crops.device)

    def posterior(self, normalised: Tensor) -> tuple[Tensor, Tensor]:
        mean = (normalised.flatten(1) - self.mean) @ self.directions / self.deviations
        return mean, self.variance.log().expand_as(mean)

    def decode_normalised(self, latent: Tensor) -> Tensor:
        return (self.mean + (latent * self.deviations) @ self.directions.T).view(-1, *self.shape)


class FormerDistribution(LatentDistribution):
    """How new sounds were drawn before: wider neighbourhoods, nearer to their centre, all latents alike."""

    def draw(self, count: int, generator: torch.Generator) -> Drawn:
        neighbours = self._wide()
        kernel = neighbours.shape[1]
        sources = pick(len(self.means), count, generator)
        weights = torch.randn(count, 1, kernel, generator=generator)
        noise = torch.randn(count, self.means.shape[1], generator=generator)
        sources, weights, noise = (each.to(self.means.device) for each in (sources, weights, noise))
        around = self.means[neighbours[sources]]
        centre = around.mean(1, keepdim=True)
        step = (weights @ (around - centre)).squeeze(1) / kernel**0.5 + noise * self.deviation
        nearer = 1 - (1 - FORMER_BANDWIDTH**2 / 2) ** 0.5
        start = self.means[sources].lerp(centre.squeeze(1), nearer)
        return Drawn(start + FORMER_BANDWIDTH * step, sources, sources)

    def _wide(self) -> Tensor:
        sounds = len(self.means)
        assert self.sounds is not None
        count = min(sounds, max(16, round(FORMER_NEIGHBOURS * sounds)))
        return nearest_sounds(self.sounds.log_mel(torch.arange(sounds)), count)


Fit = Callable[[Sounds, int, torch.device], VAE]


@dataclass(frozen=True)
class Row:
    """One way of modelling a folder: `fit(sounds, steps, device)` makes the model.

    `distribution` is how new sounds are drawn.  `pca` names the row of principal components of the same
    size, which its errors are given relative to.
    """

    fit: Fit
    spectrogram: SpectrogramConfig = SPECTROGRAM
    detail: float = 0.0
    level: str = "dataset"
    pca: str = ""
    distribution: type[LatentDistribution] = LatentDistribution


def linear(count: int | None, spectrogram: SpectrogramConfig = SPECTROGRAM, crops: int = PCA_CROPS) -> Fit:
    """So many components; None: as many as the program takes for the sounds."""

    def fit(sounds: Sounds, _: int, device: torch.device) -> VAE:
        components = suggest_latents(len(sounds.store)) if count is None else count
        if components == 0:
            return Linear(sounds.train(spectrogram).to(device), 0)
        return Linear(sounds.crops(crops, spectrogram, device), components)

    return fit


def engine(preset: str, **settings: SettingValue) -> Fit:
    """A model that the program trains with this preset, but for so many steps of `batch_size`."""

    def fit(sounds: Sounds, steps: int, device: torch.device) -> VAE:
        manifest = engine_manifest(sounds, steps, preset, settings)
        with tempfile.TemporaryDirectory() as folder:
            run = RunDirectory.create(Path(folder), "quality", manifest)
            control = Control(run.requests)
            context = SetupContext(run, manifest, device, True, lambda: False, lambda _: None)
            trainer = Trainer(run, manifest, VaeTask.set_up(context), control, Silent())
            trainer.train()
            trainer.close()
        model = trainer.state.ema_model
        assert isinstance(model, VAE)
        return model

    return fit


def engine_manifest(
    sounds: Sounds, steps: int, preset: str, settings: Mapping[str, SettingValue]
) -> RunManifest:
    """The run that trains for so many steps, without previews."""
    chunks = steps * int(settings.get("batch_size") or BATCH)
    epochs = math.ceil(chunks / len(sounds.store) / 1000)
    config = find_preset(preset).config().with_settings({
        "seed": sounds.seed, "batch_size": BATCH, "chunk_duration_s": CHUNK_S, "epochs": epochs,
        "augmentation_expansion": max(1, chunks // len(sounds.store) // epochs),
        "preview_samples": 0, "preview_interval": 100_000, **settings,
    })  # fmt: skip
    return RunManifest.from_scan(sounds.report, preset, config)


class Silent:
    """A reporter that reports to nobody."""

    def emit(self, event: RunEvent) -> None: ...

    def rewind(self, point: ResumePoint) -> None: ...


def melspecvae(sounds: Sounds, steps: int, device: torch.device) -> VAE:
    """Adam at 5e-4, batches of 64, one million times the mean squared error plus KL; no augmentation."""
    torch.manual_seed(sounds.seed)
    train = sounds.train(SPECTROGRAM).to(device)
    *_, mels, frames = train.shape
    model = MelSpecVAE(mels, frames, LATENTS, float(train.min()), float(train.max())).to(device)
    autocast = torch.autocast(device.type, torch.bfloat16, enabled=has_bfloat16(device))  # as ours
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-4)
    for step in range(steps):
        draws = generator(sounds.seed, "melspecvae", step)
        batch = train[torch.randint(len(train), (MELSPECVAE_BATCH,), generator=draws)]
        noise = torch.randn(MELSPECVAE_BATCH, LATENTS, generator=draws).to(device)
        with autocast:
            output = model(batch, noise)
        squared_error = (output.reconstruction - batch).square().mean() / model.scale.square()
        kl = gaussian_kl(output.mean, output.log_variance).sum(1).mean()
        optimizer.zero_grad()
        (1e6 * squared_error + kl).backward()
        optimizer.step()
    return model


def before() -> Row:
    """The default before levels, the reference gain, latents that follow the folder, and detail."""
    settings: dict[str, SettingValue] = {
        "reference_gain": 1.0, "latent_dim": 64, "level": "off", "detail": 0.0, "train_pca": True,
    }  # fmt: skip
    return Row(engine("balanced", **settings), BEFORE, 0.0, "off", "pca-before", FormerDistribution)


def ours(preset: str, pca: str = "pca", **settings: SettingValue) -> Row:
    return Row(engine(preset, **settings), detail=find_preset(preset).config().detail, pca=pca)


BEFORE = SpectrogramConfig(reference_gain=1.0)
ROWS: dict[str, Row] = {
    "mean": Row(linear(0)),
    "pca-before": Row(linear(64, BEFORE), BEFORE, 0.0, "off", "pca-before", FormerDistribution),
    "before": before(),
    "pca": Row(linear(None), pca="pca"),
    "pca-64": Row(linear(64), pca="pca-64"),
    "pca-256": Row(linear(256), pca="pca-256"),
    "usual": Row(engine("balanced", model="convolutional", loss="mse", latent_dim=64), pca="pca-64"),
    "convolutional": ours("balanced", "pca-64", model="convolutional", latent_dim=64),
    "melspecvae": Row(melspecvae, pca="pca-64"),
    "64": ours("balanced", "pca-64", latent_dim=64),
    "256": ours("balanced", "pca-256", latent_dim=256),
    "trained-pca": ours("balanced", train_pca=True),
    "file": replace(ours("balanced", level="file"), level="file"),
    "conservative": ours("conservative"),
    "balanced": ours("balanced"),
    "aggressive": ours("aggressive"),
}
