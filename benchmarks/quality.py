"""How well each way of modelling a folder of sounds reconstructs held-out sounds, and makes new ones.

Splits the folder by file, trains every row for the same number of steps, and prints one table: mean and
spread over seeds, each of which has a split of its own.  Batches are of 32, MelSpecVAE's of 64 as published;
PCA is of 16 384 augmented crops however many steps there are.

    python benchmarks/quality.py [FOLDER] [--steps 600] [--seeds 3] [--files N] [--rows ours,pca] [--jobs 2]

Each job is a process that takes its share of the processors and one row of one seed at a time.

Columns, all measured on the default spectrogram (48 kHz, 128 mel bands, log(1 + power)):
  rmse        held-out log-mel root-mean-square error, one pass of the encoder; and relative to PCA
  refined     both after 60 gradient steps on the latent
  stft        multi-resolution STFT distance of the sound made from it (spectral convergence + log magnitude)
  mmd prior   squared maximum mean discrepancy, samples of N(0, I) against held-out sounds, x 1000
  mmd fitted  the same for samples from where the training latents lie; `floor`: training sounds
  diversity   mean distance between samples, relative to that between held-out sounds
  memory      distance of samples to the nearest training sound, relative to held-out sounds', each as the
              model reconstructs it, so that blur does not count as new
  kl, active  smallest KL divergence of a latent dimension, in nats; dimensions above 0.1
"""

import argparse
import logging
import math
import multiprocessing
import statistics
import tempfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from pathlib import Path

import numpy as np
import torch
from melspecvae import MelSpecVAE
from torch import Tensor

from core.audio.inversion import MelInverter
from core.audio.spectrogram import LogMelSpectrogram
from core.config import ModelConfig, SettingValue, SpectrogramConfig, find_preset
from core.data.batches import TrainingBatches
from core.data.demo import make_demo_sounds
from core.data.loading import load_sounds
from core.data.plan import replan
from core.data.report import ScanReport
from core.data.scan import scan
from core.data.store import ChunkStore, SampleBuffer
from core.device import has_bfloat16
from core.diagnostics.memorisation import nearness
from core.events import RunEvent
from core.model import VAE
from core.model.losses import active_dimensions, gaussian_kl
from core.model.pca import principal_components
from core.model.reconstruction import Reconstruction, reconstruct
from core.runs import RunDirectory, RunManifest
from core.seeding import generator
from core.synthesis.latents import LatentDistribution, fit_latents
from core.synthesis.refine import refine_latents
from core.synthesis.render import LARGEST_LOG_MEL
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
SAMPLES = 200
HELD_OUT_CHUNKS = 512
RESYNTHESISED = 24
PCA_CROPS = 16384  # as many as the best PCA wants
RESOLUTIONS = (512, 1024, 2048)
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


@dataclass(frozen=True)
class Scores:
    """One row of one seed; nan where a column makes no sense."""

    rmse: float = math.nan
    to_pca: float = math.nan
    refined: float = math.nan
    refined_to_pca: float = math.nan
    stft: float = math.nan
    mmd_prior: float = math.nan
    mmd_fitted: float = math.nan
    floor: float = math.nan
    diversity: float = math.nan
    memory: float = math.nan
    kl: float = math.nan
    active: float = math.nan


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
    heard = loaded.validation.chunks(spread(len(held_out), RESYNTHESISED))
    return Sounds(report, folder, seed, loaded.train, train, held_out, heard)


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
    """A model that the program trains with this preset, but for so many steps."""

    def fit(sounds: Sounds, steps: int) -> VAE:
        epochs = math.ceil(steps * BATCH / len(sounds.store) / 1000)
        config = find_preset(preset).config().with_settings({
            "seed": sounds.seed, "batch_size": BATCH, "latent_dim": LATENTS, "chunk_duration_s": CHUNK_S,
            "epochs": epochs, "augmentation_expansion": max(1, steps * BATCH // len(sounds.store) // epochs),
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


# -- measures ---------------------------------------------------------------------------------------------


def rmse(image: Tensor, log_mel: Tensor) -> float:
    return float((image - log_mel).square().mean().sqrt())


def features(log_mel: Tensor) -> Tensor:
    """Mean and deviation of each mel band: [chunks, 2 * mels]."""
    bands = log_mel.squeeze(1)
    return torch.cat([bands.mean(2), bands.std(2)], dim=1)


def mmd(ours: Tensor, theirs: Tensor, bandwidth: float) -> float:
    """Unbiased squared maximum mean discrepancy with a Gaussian kernel: Gretton et al., JMLR 2012."""

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return (-torch.cdist(a, b).square() / (2 * bandwidth**2)).exp()

    within = [
        (kernel(each, each).sum() - len(each)) / (len(each) * (len(each) - 1)) for each in (ours, theirs)
    ]
    return float(within[0] + within[1] - 2 * kernel(ours, theirs).mean())


def mean_distance(log_mel: Tensor) -> float:
    return float(torch.pdist(log_mel.flatten(1)).mean())


def stft_distance(ours: Tensor, theirs: Tensor) -> float:
    """Mean of spectral convergence and log-magnitude L1 over three resolutions: Yamamoto et al., 2020."""
    total = 0.0
    for size in RESOLUTIONS:
        window = torch.hann_window(size)
        a, b = (
            torch.stft(each, size, size // 4, window=window, return_complex=True).abs().clamp_min(1e-5)
            for each in (ours, theirs)
        )
        convergence = ((a - b).square().sum((1, 2)) / b.square().sum((1, 2)).clamp_min(1e-8)).sqrt().mean()
        total += float(convergence + (a.log() - b.log()).abs().mean())
    return total / len(RESOLUTIONS)


def measure(model: VAE, sounds: Sounds) -> Scores:
    reconstruction = reconstruct(model, sounds.held_out)
    error = rmse(reconstruction.decoded, sounds.held_out)
    if model.config.latent_dim == 0:
        return Scores(rmse=error)
    refined = torch.cat([
        model.decode(refine_latents(model, batch)).detach() for batch in sounds.held_out.split(BATCH)
    ])  # fmt: skip

    images = reconstruction.decoded[spread(len(reconstruction.decoded), RESYNTHESISED)].clamp(
        0, LARGEST_LOG_MEL
    )
    inverter, samples = MelInverter(SPECTROGRAM), sounds.held_out_waveform.shape[1]
    audio = torch.cat([inverter(each, samples, [generator(0, "phase")]) for each in images.split(1)])

    nats = gaussian_kl(reconstruction.mean, reconstruction.log_variance).mean(0)
    training = reconstruct(model, sounds.train)
    return replace(
        measure_samples(model, fit_latents(training), training, reconstruction, sounds.seed),
        rmse=error,
        refined=rmse(refined, sounds.held_out),
        stft=stft_distance(audio, sounds.held_out_waveform),
        kl=float(nats.min()),
        active=active_dimensions(nats),
    )


def measure_samples(
    model: VAE, fitted: LatentDistribution, training: Reconstruction, held_out: Reconstruction, seed: int
) -> Scores:
    """The columns about new sounds."""
    draws = generator(seed, "samples")
    with torch.no_grad():
        prior, ours = (
            torch.cat([model.decode(batch) for batch in latents.split(BATCH)]).clamp(0, LARGEST_LOG_MEL)
            for latents in (torch.randn(SAMPLES, LATENTS, generator=draws), fitted.draw(SAMPLES, draws))
        )
    known = training.log_mel[spread(len(training.log_mel), SAMPLES)]
    bandwidth = float(torch.pdist(features(torch.cat([known, held_out.log_mel]))).median())
    mmd_prior, mmd_fitted, floor = (
        1000 * mmd(features(each), features(held_out.log_mel), bandwidth) for each in (prior, ours, known)
    )
    return Scores(
        mmd_prior=mmd_prior,
        mmd_fitted=mmd_fitted,
        floor=floor,
        diversity=mean_distance(ours) / mean_distance(held_out.log_mel),
        memory=nearness(model, fitted, training, held_out, seed),
    )


# -- table ------------------------------------------------------------------------------------------------


def show(name: str, scores: list[Scores]) -> None:
    cells = []
    for field in fields(Scores):
        values = [getattr(each, field.name) for each in scores]
        if any(map(math.isnan, values)):
            cells.append(f"{'':>13}")
            continue
        spread_of = statistics.stdev(values) if len(values) > 1 else 0.0
        cells.append(f"{statistics.mean(values):7.3f}±{spread_of:<5.3f}")
    print(f"{name:14}", *cells, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--files", type=int, help="of the folder, drawn by the seed")
    parser.add_argument("--rows", default=",".join(ROWS))
    parser.add_argument("--jobs", type=int, default=1, help="a job of all needs up to 4 GB of memory")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as demo:
        folder = arguments.folder or (SONIC_PI if SONIC_PI.is_dir() else make_demo_sounds(Path(demo)))
        task = Task(scan_folder(folder), folder, arguments.files, arguments.steps)
        rows = arguments.rows.split(",")
        print(f"{arguments.files or len(task.report.usable_files)} sounds, {task.steps} steps")
        print(f"{'':14}", *(f"{field.name.replace('_', ' '):>13}" for field in fields(Scores)))
        compare(task, rows, range(arguments.seeds), arguments.jobs)


@dataclass(frozen=True)
class Task:
    """What is the same in every row and for every seed."""

    report: ScanReport
    folder: Path
    files: int | None
    steps: int

    def scores(self, row: str, seed: int) -> Scores:
        sounds = split_sounds(self.report, self.folder, seed, self.files)
        return measure(ROWS[row](sounds, self.steps), sounds)


def compare(task: Task, rows: list[str], seeds: range, jobs: int) -> None:
    """Print each row as soon as it is complete, those that PCA's errors are known for relative to them."""
    threads = max(1, torch.get_num_threads() // jobs)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, initializer=prepare_job, initargs=(threads,)) as pool:
        under_way = {name: [pool.submit(task.scores, name, seed) for seed in seeds] for name in rows}
        pca = [math.nan for _ in seeds]
        for name, futures in under_way.items():
            scores = [future.result() for future in futures]
            if name == "pca":
                pca = [each.rmse for each in scores]
            relative = [
                replace(each, to_pca=each.rmse / error, refined_to_pca=each.refined / error)
                for each, error in zip(scores, pca, strict=True)
            ]
            show(name, relative)


def prepare_job(threads: int) -> None:
    torch.set_num_threads(threads)
    logging.getLogger("core").setLevel(logging.ERROR)  # the warnings of these short runs


if __name__ == "__main__":
    main()
