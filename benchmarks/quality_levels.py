"""Quiet sounds: does a folder 40 dB down give the same previews, and is a faint noise floor kept?

Trains with the program's own command, and reads the spectrograms beside its previews.  Called by quality.py.
"""

import itertools
import subprocess
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile
from quality_models import scan_folder

from core.runs import RunDirectory

SAMPLE_RATE = 48_000
FILES = 12
QUIETER_DB = -40.0
FLOOR_DB = -70.0  # RMS of the noise beneath the tones
FLOOR_FROM_S = 0.75  # of each second of those sounds: nothing but the noise
SETTINGS = ("epochs=12", "preview_samples=3", "preview_interval=12")
BEFORE = ("reference_gain=1", "latent_dim=64", "level=off", "detail=0", "train_pca=yes")

LogMel = npt.NDArray[np.float32]


def compare_levels(folder: Path, work: Path) -> None:
    """Print how far the previews of the same sounds at two levels differ."""
    names = [file.path for file in scan_folder(folder).usable_files]
    chosen = names[:: max(1, len(names) // FILES)][:FILES]
    previews = []
    for name, gain in (("as-they-are", 1.0), ("quiet", 10 ** (QUIETER_DB / 20))):
        copies = work / name
        copies.mkdir()
        for file in chosen:
            samples, rate = soundfile.read(folder / file)
            soundfile.write(copies / f"{Path(file).stem}.wav", gain * samples, rate, subtype="FLOAT")
        previews.append(train(copies, work / "runs"))
    print(
        f"\n{FILES} sounds, and the same {-QUIETER_DB:.0f} dB lower: difference of the previews' spectrograms"
    )
    for label in previews[0]:
        ours, theirs = (each[label] for each in previews)
        relative = np.sqrt(np.mean((ours - theirs) ** 2)) / np.sqrt(np.mean(ours**2))
        print(f"  {label}: {relative:.2%} of their root mean square")


def compare_floors(work: Path) -> None:
    """Print how well tones above a faint steady noise are reconstructed where there is only the noise."""
    folder = work / "floor"
    folder.mkdir()
    draws = np.random.default_rng(0)
    for number in range(FILES):
        noise = 10 ** (FLOOR_DB / 20) * draws.standard_normal(SAMPLE_RATE)
        soundfile.write(folder / f"tone-{number:02}.wav", burst(110 * 2 ** (number / 4)) + noise, SAMPLE_RATE)
    print(f"\nTones above a noise of {FLOOR_DB:.0f} dBFS, where only the noise is:")
    for name, settings in (("before", BEFORE), ("now", ())):
        previews = train(folder, work / "runs", *settings)
        gain = 1.0 if settings else 10_000.0
        original, decoded = (
            np.expm1(previews[label][:, frame(FLOOR_FROM_S) :]) / gain
            for label in ("resynthesis", "reconstruction")
        )
        level = 10 * np.log10(decoded.mean() / original.mean())
        by_band = 10 * np.log10((decoded.mean(1) + 1e-12) / original.mean(1))
        cells = 10 * np.log10(decoded + 1e-12)
        print(
            f"  {name}: {level:+.1f} dB, of single bands {by_band.min():+.1f} to {by_band.max():+.1f} dB, "
            f"deviation of cells {cells.std():.1f} dB (of the original {(10 * np.log10(original)).std():.1f})"
        )


def burst(frequency_hz: float) -> npt.NDArray[np.float64]:
    """A second of a decaying tone that ends before FLOOR_FROM_S."""
    time_s = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    envelope = np.exp(-time_s / 0.1) * (time_s < FLOOR_FROM_S - 0.1)
    return 0.7 * envelope * np.sin(2 * np.pi * frequency_hz * time_s)


def frame(seconds: float) -> int:
    return round(seconds * SAMPLE_RATE / 512) + 2  # clear of the window of what was before


numbers = itertools.count(1)


def train(folder: Path, runs: Path, *settings: str) -> dict[str, LogMel]:
    """Log-mel spectrograms [mels, frames] of the last previews of a run on these sounds, by label."""
    name = f"run-{next(numbers)}"
    assignments = [f"--set={each}" for each in (*SETTINGS, *settings)]
    words = (sys.executable, "-m", "sda_tui", "train", str(folder), "--runs", str(runs), "--name", name)
    subprocess.run([*words, *assignments], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    run = RunDirectory(runs / name)
    last = max(file.name for file in run.previews.glob("epoch-*.npy"))[: len("epoch-0000")]
    files = {"resynthesis": run.previews / "resynthesis.npy"}
    files |= {file.stem.removeprefix(f"{last}-"): file for file in sorted(run.previews.glob(f"{last}-*.npy"))}
    return {label: np.load(file) for label, file in files.items()}
