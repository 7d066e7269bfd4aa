"""Where new sounds should come from: ways to draw latents, and how much detail to add to what they decode to.

Of one model: that of quality.py's row `balanced`, or with `--row pca` principal components, which are fitted
in seconds.

    python benchmarks/sampling.py [FOLDER] [--row balanced] [--steps 600] [--files N] [--seeds 3]

The columns are those of quality.py, means over splits and three seeds of the sampler each.  A new sound
varies as so many `neighbours` of a training sound, by `bandwidth` times their deviation; `detail` is how much
it gets of what decoding leaves out of training sounds.  `--models DIR` as in quality.py.
"""

import argparse
import statistics
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import quality
import quality_measures
import quality_models

from core.model.reconstruction import Reconstruction, reconstruct
from core.synthesis.bundle import ModelBundle
from core.synthesis.latents import nearest_sounds

COLUMNS = ("judge_new", "modulation_new", "nearest", "diversity", "detail", "bands_mmd_new")
NEIGHBOURS = (8, 16, 32)
BANDWIDTHS = (0.4, 0.8, 1.2, 1.6, 2.0)
DETAILS = (0.0, 0.5, 1.0)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", nargs="?", type=Path, default=quality_models.SONIC_PI)
    parser.add_argument("--row", default="balanced", help="of quality.py")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--files", type=int, help="of the folder, drawn by the seed")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--models", type=Path, help="folder in which trained models are kept")
    arguments = parser.parse_args()
    report = quality_models.scan_folder(arguments.folder)
    task = quality.Task(report, arguments.folder, arguments.files, arguments.steps, arguments.models)
    row = quality_models.ROWS[arguments.row]
    found: dict[str, list[dict[str, float]]] = {}
    for seed in range(arguments.seeds):
        sounds = task.sounds(arguments.row, seed)
        model = task.model(arguments.row, sounds)
        panel = quality_measures.Panel(sounds)
        held_out = reconstruct(model, sounds.held_out(row.spectrogram))
        bundle, training = quality.bundle_of(model, row, sounds)
        for name, each in ways(bundle, training):
            scores = quality.measure_new(each, training, held_out, panel)
            found.setdefault(name, []).append(scores)
            shown = ", ".join(f"{column} {scores[column]:.2f}" for column in COLUMNS)
            print(f"split {seed}, {name}: {shown}", flush=True)
    print(f"\n| neighbours | bandwidth | detail | {' | '.join(each.replace('_', ' ') for each in COLUMNS)} |")
    print("|---" * (3 + len(COLUMNS)) + "|")
    for name, splits in found.items():
        means = (statistics.mean(each[column] for each in splits) for column in COLUMNS)
        print(f"| {name} | {' | '.join(f'{mean:.2f}' for mean in means)} |")


def ways(bundle: ModelBundle, training: Reconstruction) -> Iterator[tuple[str, ModelBundle]]:
    """By what the table calls them; first what the program does."""
    fitted = bundle.latents
    count, bandwidth = fitted.neighbours.shape[1], fitted.bandwidth
    yield f"{count} | {bandwidth:.2g} | 1", bundle
    for detail in DETAILS[:-1]:
        yield f"{count} | {bandwidth:.2g} | {detail:g}", replace(bundle, detail=detail)
    for count in NEIGHBOURS:
        nearest = nearest_sounds(training.log_mel, min(count, len(training.log_mel)))
        for bandwidth in BANDWIDTHS:
            latents = replace(fitted, neighbours=nearest, bandwidth=bandwidth)
            yield f"{count} | {bandwidth:g} | 1", replace(bundle, latents=latents)


if __name__ == "__main__":
    main()
