"""Records the curves that the overfitting detector is tested on, by really training: one small run each.

    OMP_NUM_THREADS=1 python -m tests.record_curves [NAME …] [--folder DIR]

Without names it records all of them again, from Debian's `sonic-pi-samples`, into `tests/data/curves.json`.
Each takes one to three minutes of one CPU.  The numbers differ a little between machines and versions of
PyTorch; what the curves show does not.
"""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.config import SettingValue, TrainingConfig
from core.events import EpochFinished
from core.runs import RunDirectory, RunManifest
from tests.conftest import SONIC_PI, scan_folder
from tests.training import end, of, train

SHORTEST = 110  # of the 165 files: long ones are many chunks
CURVES = Path(__file__).parent / "data" / "curves.json"

COMMON: dict[str, SettingValue] = {
    "model": "convolutional",
    "chunk_duration_s": 0.25,
    "latent_dim": 16,
    "preview_interval": 100_000,
    "preview_samples": 0,
    "checkpoint_interval": 100_000,
}
UNDEFENDED: dict[str, SettingValue] = {
    "augmentation_expansion": 1,
    "augmentation_strength": 0.0,
    "random_crop_probability": 0.0,
    "dropout": 0.0,
    "weight_decay": 0.0,
    "learning_rate": 5e-4,
    "batch_size": 8,
    "epochs": 60,
}
HEALTHY = {"learning_rate": 5e-4, "batch_size": 16, "epochs": 40, "augmentation_expansion": 2}
NOISY = {"learning_rate": 2e-2, "batch_size": 4, "epochs": 60, "augmentation_expansion": 1}
REFINED: dict[str, SettingValue] = {"model": "pca_unet"}
TINY = {"learning_rate": 5e-4, "batch_size": 2, "epochs": 60, "augmentation_expansion": 2}


@dataclass(frozen=True)
class Recipe:
    """A run on so many of the shorter files; the seed draws them too."""

    files: int
    settings: Mapping[str, SettingValue]
    seed: int


RECIPES = {
    f"{kind}-{seed}": Recipe(files, settings, seed)
    for kind, files, settings, seeds in (
        ("overfitting", 12, UNDEFENDED, (1, 2, 3, 5, 8)),
        ("improving", 12, UNDEFENDED, (4,)),  # these twelve sounds get on without any defence
        ("flat", 12, UNDEFENDED, (6,)),  # these neither gain nor lose in the second half
        ("recovering", 12, UNDEFENDED, (7,)),  # these get worse, then better than ever
        ("healthy", 40, HEALTHY, (1, 2, 3, 4)),
        ("noisy", 12, NOISY, (1, 2, 3, 4, 5)),
        ("tiny", 3, TINY, (1, 2, 3, 4, 5, 6, 7)),
        ("overfitting-refined", 12, UNDEFENDED | REFINED, (1, 2)),
        ("recovering-refined", 12, UNDEFENDED | REFINED, (3,)),
        ("healthy-refined", 40, HEALTHY | REFINED, (1,)),
        ("noisy-refined", 12, NOISY | REFINED | {"learning_rate": 5e-3}, (1,)),  # Muon moves further
        ("tiny-refined", 3, TINY | REFINED, (1,)),
    )
    for seed in seeds
}


Curve = dict[str, list[float] | int]


def record(name: str, sounds: Path) -> Curve:
    """Train as the recipe of this name says; its losses and errors after each epoch."""
    recipe = RECIPES[name]
    files = random.Random(recipe.seed).sample(
        sorted(sounds.glob("*.flac"), key=lambda path: path.stat().st_size)[:SHORTEST], recipe.files
    )
    config = TrainingConfig().with_settings({**COMMON, **recipe.settings, "seed": recipe.seed})
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "sounds"
        folder.mkdir()
        for file in files:
            (folder / file.name).symlink_to(file)
        report = scan_folder(folder, config.chunk_duration_s)
        manifest = RunManifest.from_scan(report, "balanced", config)
        run = RunDirectory.create(Path(scratch), name, manifest)
        events = train(run)
        if end(events).state != "finished":
            raise SystemExit(f"{name}: {end(events).message}")
        epochs = of(EpochFinished, events)
    curve: Curve = {
        name: [float(f"{getattr(epoch, name):.5g}") for epoch in epochs]
        for name in ("train_loss", "validation_loss", "train_error", "validation_error")
    }
    return {**curve, "validation_files": len(manifest.split.validation)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(RECIPES)}")
    parser.add_argument("--folder", type=Path, default=SONIC_PI)
    parser.add_argument("--output", type=Path, default=CURVES)
    arguments = parser.parse_args()
    for name in arguments.names or RECIPES:
        started_s = time.monotonic()
        curve = record(name, arguments.folder)
        curves = json.loads(arguments.output.read_text()) if arguments.output.exists() else {}
        curves[name] = curve
        arguments.output.parent.mkdir(exist_ok=True)
        lines = [f"{json.dumps(key)}: {json.dumps(curves[key])}" for key in sorted(curves)]
        arguments.output.write_text("{\n" + ",\n".join(lines) + "\n}\n")
        print(
            f"{name}: {len(curve['train_loss'])} epochs in {time.monotonic() - started_s:.0f} s", flush=True
        )


if __name__ == "__main__":
    main()
