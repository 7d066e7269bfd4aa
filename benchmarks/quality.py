"""How well each way of modelling a folder of sounds reconstructs held-out sounds, and makes new ones.

Splits the folder by file, trains every row for the same number of steps, and prints the scores of each seed,
which has a split of its own, as soon as they are there; last a table, mean and spread over seeds.  Batches
are of 32, MelSpecVAE's of 64 as published; PCA is of 16 384 augmented crops however many steps there are.

    python benchmarks/quality.py [FOLDER] [--steps 600] [--seeds 3] [--files N] [--rows ours,pca] [--jobs 2]
    python benchmarks/quality.py [FOLDER] --device cuda --jobs 16
    python benchmarks/quality.py [FOLDER] --levels

FOLDER `speech` is 30 sentences that espeak-ng speaks.  `--models DIR` keeps what was trained, and takes what
is there.  `--levels` measures quiet sounds instead.  Each job is a process that takes its share of the
processors and one row of one seed at a time.  They share the `--device`, which models are trained, decoded
and inverted on; the judges listen on the CPU.

Measures; less is better unless it says otherwise:
  rmse        held-out log-mel root-mean-square error, one pass of the encoder, with the reference gain k of
              the row's spectrogram; `to pca`: relative to as many principal components of the same
              spectrogram
  refined     both after 60 gradient steps on the latent; `textured`: with the detail that a preview gets
  rmse k ...  the first in spectrograms of these k, whichever the row's is
  judge       distance to held-out sounds by the network of judges.py: of held-out sounds reconstructed (as
              `textured`), and of new ones after inversion; `floor`: of training sounds as they are
  modulation  the same by the judge without learned weights
  nearest     distance of new sounds to the nearest training sound by the network, relative to held-out
              sounds': 1 is as new as those, 0 a copy
  diversity   mean distance between new sounds, relative to that between held-out ones: near 1
  detail      mean change along both axes of new sounds' spectrograms, relative to held-out ones': near 1
  memory      distance of new sounds to the nearest training sound in log-mel, relative to held-out sounds',
              as the program warns by: near 1
  bands mmd   squared maximum mean discrepancy of means and deviations of mel bands, x 1000: it sees drift,
              not blur; `prior`: samples of N(0, I); `floor`: training sounds
  stft        multi-resolution STFT distance of reconstructions (spectral convergence + log magnitude)
  kl, active  smallest KL divergence of a latent dimension, in nats; dimensions above 0.1
New sounds are those of three seeds of the sampler.
"""

import argparse
import hashlib
import logging
import math
import multiprocessing
import statistics
import tempfile
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, fields, replace
from pathlib import Path

import judges
import numpy as np
import torch
from quality_levels import compare_floors, compare_levels
from quality_measures import (
    JUDGED,
    REFERENCE,
    Panel,
    at_gain,
    bands,
    change,
    mean_distance,
    rmse,
    stft_distance,
)
from quality_models import (
    BATCH,
    CHUNK_SAMPLES,
    CPU,
    ROWS,
    SONIC_PI,
    Row,
    Sounds,
    scan_folder,
    split_sounds,
    spread,
)
from speech import make_speech
from torch import Tensor

from core.audio.levels import Level
from core.audio.reader import Samples
from core.config import SpectrogramConfig
from core.data.demo import make_demo_sounds
from core.data.report import ScanReport
from core.device import be_deterministic, choose_device
from core.diagnostics.memorisation import nearness
from core.model import VAE
from core.model.losses import active_dimensions, gaussian_kl
from core.model.reconstruction import Reconstruction, reconstruct
from core.seeding import generator
from core.synthesis.bundle import ModelBundle
from core.synthesis.latents import fit_latents
from core.synthesis.refine import refine_latents
from core.synthesis.render import SoundRenderer
from core.synthesis.sounds import TrainingSounds

SAMPLER_SEEDS = 3
GAINS = (1.0, 10_000.0)


@dataclass(frozen=True)
class Scores:
    """One row of one seed; nan where a measure makes no sense."""

    rmse: float = math.nan
    to_pca: float = math.nan
    refined: float = math.nan
    refined_to_pca: float = math.nan
    textured: float = math.nan
    rmse_k_1: float = math.nan
    rmse_k_10000: float = math.nan
    judge_reconstructions: float = math.nan
    judge_new: float = math.nan
    judge_floor: float = math.nan
    modulation_reconstructions: float = math.nan
    modulation_new: float = math.nan
    modulation_floor: float = math.nan
    nearest: float = math.nan
    diversity: float = math.nan
    detail: float = math.nan
    memory: float = math.nan
    bands_mmd_prior: float = math.nan
    bands_mmd_new: float = math.nan
    bands_mmd_floor: float = math.nan
    stft: float = math.nan
    kl: float = math.nan
    active: float = math.nan


# -- measures ---------------------------------------------------------------------------------------------


def render(log_mel: Tensor, spectrogram: SpectrogramConfig) -> list[Samples]:
    """The sounds of spectrograms, by the fast inversion on their device."""
    renderer = SoundRenderer(spectrogram, "fast", log_mel.device)
    log_mel = log_mel.clamp(0, spectrogram.largest_log_mel)
    return renderer(log_mel, CHUNK_SAMPLES, [generator(0, "phase") for _ in log_mel])


def measure(model: VAE, row: Row, sounds: Sounds) -> Scores:
    """All that is computed with the model is computed on its device."""
    spectrogram = row.spectrogram
    held_out = sounds.held_out(spectrogram).to(model.band_mean.device)
    reconstruction = reconstruct(model, held_out)
    scores = Scores(
        rmse=rmse(reconstruction.decoded, held_out),
        **{
            f"rmse_k_{gain:.0f}": rmse(
                *(at_gain(each, spectrogram, gain) for each in (reconstruction.decoded, held_out))
            )
            for gain in GAINS
        },
    )
    if model.config.latent_dim == 0:
        return scores
    latents = torch.cat([refine_latents(model, batch) for batch in held_out.split(BATCH)])
    bundle, training = bundle_of(model, row, sounds)
    refined = bundle.decode(latents)
    textured = bundle.reconstruct(held_out, latents)
    nats = gaussian_kl(reconstruction.mean, reconstruction.log_variance).mean(0)
    panel = Panel(sounds)
    chosen = spread(len(held_out), JUDGED)
    audio = render(textured[chosen], spectrogram)
    return replace(
        scores,
        **measure_new(bundle, training, reconstruction, panel),
        refined=rmse(refined, held_out),
        textured=rmse(textured, held_out),
        judge_reconstructions=panel.distance("judge", panel.points("judge", audio)),
        judge_floor=panel.floor("judge"),
        modulation_reconstructions=panel.distance("modulation", panel.points("modulation", audio)),
        modulation_floor=panel.floor("modulation"),
        stft=stft_distance(torch.from_numpy(np.stack(audio)), sounds.held_out_store.chunks(chosen)),
        kl=float(nats.min()),
        active=active_dimensions(nats),
    )


def bundle_of(model: VAE, row: Row, sounds: Sounds) -> tuple[ModelBundle, Reconstruction]:
    """The model as the program would keep it, and what it makes of the training sounds."""
    log_mel = sounds.train(row.spectrogram).to(model.band_mean.device)
    training = reconstruct(model, log_mel[spread(len(log_mel), REFERENCE)])
    fitted = fit_latents(training, sounds=TrainingSounds.quantised(training.log_mel))
    fitted = row.distribution(**vars(fitted))
    return ModelBundle(model, row.spectrogram, fitted, CHUNK_SAMPLES, Level(), row.detail), training


def measure_new(
    bundle: ModelBundle, training: Reconstruction, held_out: Reconstruction, panel: Panel
) -> dict[str, float]:
    """The measures of new sounds, each the mean over seeds of the sampler."""
    found: dict[str, list[float]] = {}
    for seed in range(SAMPLER_SEEDS):
        new = bundle.sample(JUDGED, generator(seed, "samples"))
        audio = render(new, bundle.spectrogram)
        judged = {name: panel.points(name, audio) for name in ("judge", "modulation")}
        prior = bundle.decode(
            torch.randn(JUDGED, bundle.model.config.latent_dim, generator=generator(seed, "prior"))
        )
        points = [bands(each).cpu().numpy() for each in (prior, new, training.log_mel, held_out.log_mel)]
        width = judges.kernel_width(judges.join(points[2], points[3]))
        mmd = [judges.distance(each, points[3], width) for each in points[:3]]
        for name, value in {
            "judge_new": panel.distance("judge", judged["judge"]),
            "modulation_new": panel.distance("modulation", judged["modulation"]),
            "nearest": panel.nearest("judge", judged["judge"]),
            "diversity": mean_distance(new) / mean_distance(held_out.log_mel),
            "detail": change(new) / change(held_out.log_mel),
            "memory": nearness(new, training, held_out, bundle.detail),
            "bands_mmd_prior": mmd[0],
            "bands_mmd_new": mmd[1],
            "bands_mmd_floor": mmd[2],
        }.items():
            found.setdefault(name, []).append(value)
    return {name: statistics.mean(values) for name, values in found.items()}


# -- table ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Task:
    """What is the same in every row and for every seed."""

    report: ScanReport
    folder: Path
    files: int | None
    steps: int
    models: Path | None
    device: torch.device = CPU

    def scores(self, name: str, seed: int) -> Scores:
        sounds = self.sounds(name, seed)
        return measure(self.model(name, sounds), ROWS[name], sounds)

    def sounds(self, name: str, seed: int) -> Sounds:
        """The split of this seed at the level of a row."""
        return split_sounds(self.report, self.folder, seed, self.files, ROWS[name].level)

    def model(self, name: str, sounds: Sounds) -> VAE:
        """That of a row on the device, trained, or read from the folder of models."""
        if self.models is None:
            return ROWS[name].fit(sounds, self.steps, self.device).eval()
        size = self.files or len(self.report.usable_files)
        content = hashlib.sha256("".join(file.content_hash for file in self.report.usable_files).encode())
        key = f"{self.folder.name}-{content.hexdigest()[:8]}-{size}-{self.steps}-{name}-{sounds.seed}"
        file = self.models / f"{key}.pt"
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            torch.save(ROWS[name].fit(sounds, self.steps, self.device).eval().cpu(), file)
        kept: VAE = torch.load(file, weights_only=False)  # written by this script
        return kept.to(self.device)


def describe(scores: list[Scores], name: str) -> str:
    values = [getattr(each, name) for each in scores]
    if any(map(math.isnan, values)):
        return ""
    spread_of = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{statistics.mean(values):.3f} ± {spread_of:.3f}"


def compare(task: Task, rows: list[str], seeds: range, jobs: int) -> dict[str, list[Scores]]:
    """Train and measure all rows; the scores of each seed are printed as soon as they are there."""
    threads = max(1, torch.get_num_threads() // jobs)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(jobs, context, initializer=prepare_job, initargs=(threads,)) as pool:
        under_way = {pool.submit(task.scores, name, seed): (name, seed) for name in rows for seed in seeds}
        scores = {}
        for future in as_completed(under_way):
            name, seed = under_way[future]
            scores[name, seed] = future.result()
            print(f"{name}, split {seed}: {list_scores(scores[name, seed])}", flush=True)
    return {name: [relative_to_pca(scores, name, seed) for seed in seeds] for name in rows}


def list_scores(scores: Scores) -> str:
    values = {field.name: getattr(scores, field.name) for field in fields(Scores)}
    return ", ".join(f"{name} {value:.3f}" for name, value in values.items() if not math.isnan(value))


def relative_to_pca(scores: dict[tuple[str, int], Scores], name: str, seed: int) -> Scores:
    """Those of a row, relative also to its row of principal components if that is among them."""
    each, pca = scores[name, seed], scores.get((ROWS[name].pca, seed))
    if pca is None:
        return each
    return replace(each, to_pca=each.rmse / pca.rmse, refined_to_pca=each.refined / pca.rmse)


def print_table(found: dict[str, list[Scores]]) -> None:
    print(f"\n| | {' | '.join(found)} |")
    print("|---" * (1 + len(found)) + "|")
    for field in fields(Scores):
        cells = [describe(scores, field.name) for scores in found.values()]
        print(f"| {field.name.replace('_', ' ')} | {' | '.join(cells)} |")


def prepare_job(threads: int) -> None:
    torch.set_num_threads(threads)
    be_deterministic(False)  # as the program's runs
    torch.backends.cudnn.allow_tf32 = False  # models are measured as exactly as on a CPU
    logging.getLogger("core").setLevel(logging.ERROR)  # the warnings of these short runs


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", help="of sounds, or speech")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--files", type=int, help="of the folder, drawn by the seed")
    parser.add_argument("--rows", default="mean,pca-before,before,pca,balanced,usual")
    parser.add_argument("--models", type=Path, help="folder in which trained models are kept")
    parser.add_argument("--levels", action="store_true", help="measure quiet sounds")
    parser.add_argument("--jobs", type=int, default=1, help="a job of all needs up to 4 GB of memory")
    parser.add_argument("--device", default="cpu", help="for all but the judges: cpu, cuda, cuda:1, mps")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        if arguments.folder == "speech":
            folder = make_speech(Path(made) / "speech")
        elif arguments.folder:
            folder = Path(arguments.folder)
        else:
            folder = SONIC_PI if SONIC_PI.is_dir() else make_demo_sounds(Path(made))
        if arguments.levels:
            compare_levels(folder, Path(made))
            compare_floors(Path(made))
            return
        report = scan_folder(folder)
        device = choose_device(arguments.device)
        task = Task(report, folder, arguments.files, arguments.steps, arguments.models, device)
        print(
            f"{arguments.files or len(report.usable_files)} sounds, {task.steps} steps, {device}", flush=True
        )
        print_table(compare(task, arguments.rows.split(","), range(arguments.seeds), arguments.jobs))


if __name__ == "__main__":
    main()
