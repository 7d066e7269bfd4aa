"""Do smaller models suit smaller folders: held-out error of several widths and latent dimensions.

Draws so many files of the folder, splits them by file as the program does, and trains each size for the
same number of steps with the preset and the batch that the program suggests for so many files; each seed is
another draw, split and start.  The table has the held-out log-mel error of each size relative to that of the
usual size on the same draw, mean ± standard error over seeds: what lies within twice that of 1 is scatter.
The last row is the usual size relative to principal component analysis of augmented crops, with as many
components.

    python benchmarks/small_folders.py [FOLDER] [--files 5,12,50] [--steps 300] [--seeds 3] [--jobs 1]
"""

import argparse
import math
import multiprocessing
import statistics
import tempfile
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from quality import prepare_job
from quality_measures import rmse
from quality_models import BATCH, CPU, SONIC_PI, SPECTROGRAM, engine, linear, scan_folder, split_sounds

from core.config import SettingValue, suggest_preset
from core.data.demo import make_demo_sounds
from core.data.report import ScanReport
from core.model.reconstruction import reconstruct

Sizes = dict[str, SettingValue]
USUAL: Sizes = {"width": 32}  # and as many latents as the program takes
SIZES: list[Sizes] = [
    {"width": 16}, {"latent_dim": 32}, {"latent_dim": 64}, {"latent_dim": 128}, {"latent_dim": 512}
]  # fmt: skip
PCA_CROPS = 2048


def errors(report: ScanReport, folder: Path, files: int, steps: int, seed: int) -> list[float]:
    """Held-out error of PCA, of the usual size, and of each of `SIZES`, on one draw of the files."""
    sounds = split_sounds(report, folder, seed, files)
    preset, _ = suggest_preset(files)
    batch = max(1, min(BATCH, len(sounds.store) // 4))
    models = [
        linear(None, crops=PCA_CROPS),
        *(engine(preset, **{**USUAL, **size, "batch_size": batch}) for size in ({}, *SIZES)),
    ]
    held_out = sounds.held_out(SPECTROGRAM)
    return [rmse(reconstruct(fit(sounds, steps, CPU), held_out).decoded, held_out) for fit in models]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--files", default="5,12,50")
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=1, help="a job needs up to 2 GB of memory")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as demo:
        folder = arguments.folder or (SONIC_PI if SONIC_PI.is_dir() else make_demo_sounds(Path(demo)))
        report = scan_folder(folder)
        counts = [int(count) for count in arguments.files.split(",")]
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(arguments.jobs, context, prepare_job, (1,)) as pool:
            futures = {
                count: [
                    pool.submit(errors, report, folder, count, arguments.steps, seed)
                    for seed in range(arguments.seeds)
                ]
                for count in counts
            }
            columns = []
            for count, draws in futures.items():
                columns.append([describe(ratios) for ratios in ratios_of([each.result() for each in draws])])
                print(f"{count} files:", *columns[-1], sep="\n  ", flush=True)
    print("| sizes |", " | ".join(f"{count} files" for count in counts), "|")
    print("|---" * (1 + len(counts)) + "|")
    names = [", ".join(f"{key}={value}" for key, value in size.items()) for size in SIZES]
    for name, *cells in zip([*names, "usual, relative to PCA"], *columns, strict=True):
        print(f"| {name} |", " | ".join(cells), "|")


def ratios_of(draws: list[list[float]]) -> list[list[float]]:
    """For each row of the table, the ratio on each draw."""
    by_size = [[each[2 + index] / each[1] for each in draws] for index in range(len(SIZES))]
    return [*by_size, [each[1] / each[0] for each in draws]]


def describe(ratios: list[float]) -> str:
    error = statistics.stdev(ratios) / math.sqrt(len(ratios)) if len(ratios) > 1 else math.nan
    return f"{statistics.mean(ratios):.3f} ± {error:.3f}"


if __name__ == "__main__":
    main()
