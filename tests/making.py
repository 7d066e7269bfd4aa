"""Sounds made from a trained model in tests, and how alike they are."""

from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import torch

from core.audio.spectrogram import LogMelSpectrogram
from core.config import MakingRequest, MakingSettings, OutputSettings
from core.synthesis.making import Made, Maker

FLOAT = OutputSettings(format="float")


def make(
    maker: Maker, to: Path, settings: MakingSettings, *sources: str | Path, **more: Any
) -> dict[str, Made]:
    """What is made, by the names of the files."""
    output = more.pop("output", FLOAT)
    is_replacing = more.pop("is_replacing", False)
    request = MakingRequest(settings, tuple(map(str, sources)), **more)
    return {made.path.name: made for made in maker.make(request, output, to, is_replacing)}


def read(path: Path) -> np.ndarray:
    samples, rate = soundfile.read(path, dtype="float32")
    assert rate == 48_000
    return samples


def log_mel(maker: Maker, samples: np.ndarray) -> torch.Tensor:
    return LogMelSpectrogram(maker.bundle.spectrogram)(torch.from_numpy(samples)[None])[0, 0]


def alike(first: torch.Tensor, second: torch.Tensor) -> float:
    frames = min(first.shape[1], second.shape[1])
    return float(np.corrcoef(first[:, :frames].flatten(), second[:, :frames].flatten())[0, 1])
