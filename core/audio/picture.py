"""A sound file as a picture: loudness of frequency bands over time.  Imports no torch."""

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from core.files import open_regular

BANDS, FRAMES = 64, 256
WINDOW, LOWEST_HZ = 2048, 40.0
RANGE_DB = 80.0  # below the loudest cell
BRIGHTEST = 255
LONGEST_SAMPLES = 60 * 48_000

Levels = npt.NDArray[np.uint8]


def draw_spectrogram(path: Path) -> Levels:
    """The first minute of a sound [BANDS, frames], lowest band first: from 0 to its loudest, 255.

    Bands are equally wide on a logarithmic scale, and at least as wide as the window can resolve.  Raises
    OSError or soundfile.LibsndfileError if it cannot be read, ValueError if it holds nothing.
    """
    with os.fdopen(open_regular(path), "rb") as file:
        samples, rate = soundfile.read(file, LONGEST_SAMPLES, dtype="float32", always_2d=True)
    mono = samples.mean(1)
    if not len(mono) or not np.isfinite(mono).all():
        raise ValueError("it holds no sound")
    hop = max(1, len(mono) // FRAMES)
    padded = np.pad(mono, WINDOW // 2)
    starts = np.arange(0, len(mono), hop)[:FRAMES]
    frames = padded[starts[:, None] + np.arange(WINDOW)] * np.hanning(WINDOW)
    power = np.abs(np.fft.rfft(frames)) ** 2  # [frames, bins]
    edges = np.geomspace(LOWEST_HZ, rate / 2, BANDS + 1) / rate * WINDOW
    first = np.minimum(edges[:-1].astype(int), power.shape[1] - 1)
    last = np.maximum(first + 1, np.ceil(edges[1:]).astype(int))
    sums = np.concatenate([np.zeros((len(power), 1)), np.cumsum(power, axis=1)], axis=1)
    last = np.minimum(last, power.shape[1])
    bands = (sums[:, last] - sums[:, first]) / (last - first)
    level_db = 10 * np.log10(bands / max(bands.max(), 1e-20) + 1e-20)
    levels: Levels = (np.clip(level_db / RANGE_DB + 1, 0, 1) * BRIGHTEST).round().astype(np.uint8)
    return levels.T
