"""Where new sounds should come from: ways to draw latents, of a model that is fitted in seconds.

It is the principal components of the training sounds, so that ten splits by file can tell them apart.

    python benchmarks/sampling.py [FOLDER] [--files N] [--seeds 10]

The columns are those of quality.py, MMD² less the floor's.  `neighbours` is the share of the training sounds
that a new one varies as, `bandwidth` by how much: 0 gives training sounds as the model reconstructs them.
"""

import argparse
import statistics
from dataclasses import replace
from pathlib import Path

import quality
import quality_models

from core.model.reconstruction import Reconstruction, reconstruct
from core.synthesis.latents import LatentDistribution, fit_latents, nearest_sounds

SHARES = (0.1, 0.25, 0.4, 0.6, 1.0)
BANDWIDTHS = (0.1, 0.4, 0.6, 0.8, 1.0)
PCA_CROPS = 2048


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path, default=quality_models.SONIC_PI)
    parser.add_argument("--files", type=int, help="of the folder, drawn by the seed")
    parser.add_argument("--seeds", type=int, default=10)
    arguments = parser.parse_args()
    report = quality_models.scan_folder(arguments.folder)
    found: dict[str, list[quality.Scores]] = {}
    for seed in range(arguments.seeds):
        sounds = quality_models.split_sounds(report, arguments.folder, seed, arguments.files)
        model = quality_models.linear(quality_models.LATENTS, PCA_CROPS)(sounds, 0).eval()
        training, held_out = reconstruct(model, sounds.train), reconstruct(model, sounds.held_out)
        for name, fitted in ways(training).items():
            scores = quality.measure_samples(model, fitted, training, held_out, seed)
            found.setdefault(name, []).append(scores)
    print("| neighbours | bandwidth | MMD² less the floor's | memory | diversity |")
    print("|---|---|---|---|---|")
    for name, scores in found.items():
        mmd = statistics.mean(each.mmd_fitted - each.floor for each in scores)
        memory = statistics.mean(each.memory for each in scores)
        diversity = statistics.mean(each.diversity for each in scores)
        print(f"| {name} | {mmd:.1f} | {memory:.2f} | {diversity:.2f} |", flush=True)


def ways(training: Reconstruction) -> dict[str, LatentDistribution]:
    """By what the table calls them; first what the program does."""
    fitted = fit_latents(training)
    everyone = nearest_sounds(training.log_mel, len(training.log_mel))
    named = {f"the program's | {fitted.bandwidth:g}": fitted}
    for share in SHARES:
        count = max(1, round(share * len(everyone)))
        for bandwidth in BANDWIDTHS:
            kernels = replace(fitted, neighbours=everyone[:, :count], bandwidth=bandwidth)
            named[f"{share:g} | {bandwidth:g}"] = kernels
    return named


if __name__ == "__main__":
    main()
