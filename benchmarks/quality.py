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
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch
from quality_models import (
    BATCH,
    LATENTS,
    RESYNTHESISED,
    ROWS,
    SONIC_PI,
    SPECTROGRAM,
    Sounds,
    scan_folder,
    split_sounds,
    spread,
)
from torch import Tensor

from core.audio.inversion import MelInverter
from core.data.demo import make_demo_sounds
from core.data.report import ScanReport
from core.diagnostics.memorisation import nearness
from core.model import VAE
from core.model.losses import active_dimensions, gaussian_kl
from core.model.reconstruction import Reconstruction, reconstruct
from core.seeding import generator
from core.synthesis.latents import LatentDistribution, fit_latents
from core.synthesis.refine import refine_latents
from core.synthesis.render import LARGEST_LOG_MEL

SAMPLES = 200
RESOLUTIONS = (512, 1024, 2048)


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
        memory=nearness(ours, training, held_out),
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
