"""Folders of sounds to measure with, and what is done to them before training."""

from pathlib import Path

import numpy as np
import soundfile

from core.data.report import ScanReport
from core.data.scan import scan


def write_files(folder: Path, count: int, duration_s: float) -> Path:
    """Stereo noise at 44.1 kHz, all different."""
    folder.mkdir(parents=True)
    noise = np.random.default_rng(0).normal(0, 0.1, (round(duration_s * 44_100) + count, 2))
    for index in range(count):
        soundfile.write(folder / f"{index:04}.wav", noise[index : len(noise) - count + index], 44_100)
    return folder


def scan_folder(folder: Path) -> ScanReport:
    *_, report = scan(folder, 1.0)
    assert isinstance(report, ScanReport)
    return report
