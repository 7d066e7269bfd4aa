"""Independent judges of sounds, for benchmarks alone: no model here was made to please them.

Each turns sounds into points; the distance of two sets of sounds is the squared maximum mean discrepancy of
their points, x 1000.

`NetworkJudge` is the embedding of a network that classifies sound effects (Ma & Lerch, "Representation
learning for the automatic indexing of sound effects libraries", ISMIR 2022), of the package `aisfx`, whose
wheel holds the weights (CC BY 4.0).  It is fetched from the package index once, compared with its hash, and
kept as plain arrays.

`ModulationJudge` has no learned weights: it has statistics like those by which listeners distinguish textures
(McDermott & Simoncelli, "Sound texture perception via statistics of the auditory periphery", Neuron 2011):
moments of each band's envelope, how it moves, and which bands move together.
"""

import hashlib
import io
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import numpy.typing as npt
import platformdirs
import torch
from torch import Tensor, nn

from core.atomic import write_atomically
from core.audio.reader import Samples

PACKAGE = "aisfx==0.1.2"
WHEEL_SHA256 = "bfe219950715af179e9a1653e7117cc1852baef267cd6596c42cad74afe1d194"
CHECKPOINT = "aisfx/models/checkpoint.pth"
PREFIX = "embedding_net."
CHANNELS = (64, 128, 256, 512)
NETWORK_RATE, NETWORK_FFT, NETWORK_HOP, NETWORK_BANDS = 44_100, 2048, 1024, 96
NETWORK_FRAMES = 100  # 2.3 s; shorter sounds are padded with silence
NETWORK_LARGEST = 9.457798957824707  # of its training sounds' log10(1 + 10⁴ mel power)
BATCH = 16

BANDS, ENVELOPE_HOP = 32, 240  # mel bands, and samples between two values of an envelope: 200 Hz at 48 kHz
DYNAMIC_RANGE_DB = 80.0
MODULATION_OCTAVES_HZ = (0.5, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 100.0)
NEIGHBOURS = (1, 2, 3, 5, 8)  # how many bands apart

Points = npt.NDArray[np.float32]
Judge = Callable[[Sequence[Samples], int], Points]  # of sounds and their sample rate


class NetworkJudge:
    """Sounds to embeddings [sounds, 512]."""

    name = "network"

    def __call__(self, sounds: Sequence[Samples], sample_rate: int) -> Points:
        network = _network()
        spectrograms = torch.from_numpy(np.stack([self._spectrogram(each, sample_rate) for each in sounds]))
        with torch.no_grad():
            points: Points = torch.cat([network(batch) for batch in spectrograms.split(BATCH)]).numpy()
        return points

    def _spectrogram(self, sound: Samples, sample_rate: int) -> npt.NDArray[np.float32]:
        """[frames, bands], as the network was trained on."""
        resampled = librosa.resample(normalised(sound), orig_sr=sample_rate, target_sr=NETWORK_RATE)
        power = librosa.feature.melspectrogram(
            y=resampled, sr=NETWORK_RATE, n_fft=NETWORK_FFT, hop_length=NETWORK_HOP, n_mels=NETWORK_BANDS,
            fmin=0.0, fmax=NETWORK_RATE / 2, htk=True, norm=1, power=2.0,
        )[:, :NETWORK_FRAMES]  # fmt: skip
        scaled = np.log10(1 + 1e4 * power.T) / NETWORK_LARGEST
        return np.pad(scaled, ((0, NETWORK_FRAMES - len(scaled)), (0, 0))).astype(np.float32)


class ModulationJudge:
    """Sounds to the statistics of their envelopes [sounds, statistics], each in units of its deviation among
    the sounds of `reference`."""

    name = "modulation"

    def __init__(self, reference: Sequence[Samples], sample_rate: int) -> None:
        known = np.stack([self._statistics(each, sample_rate) for each in reference])
        self._mean, self._deviation = known.mean(0), known.std(0).clip(1e-3)

    def __call__(self, sounds: Sequence[Samples], sample_rate: int) -> Points:
        found = np.stack([self._statistics(each, sample_rate) for each in sounds])
        points: Points = ((found - self._mean) / self._deviation).clip(-8, 8).astype(np.float32)
        return points

    def _statistics(self, sound: Samples, sample_rate: int) -> npt.NDArray[np.float64]:
        power = librosa.feature.melspectrogram(
            y=normalised(sound), sr=sample_rate, n_fft=1024, hop_length=ENVELOPE_HOP, n_mels=BANDS, power=2.0
        )
        level = librosa.power_to_db(power, ref=1.0, amin=1e-10, top_db=None)  # [bands, frames]
        level = np.maximum(level, level.max() - DYNAMIC_RANGE_DB) / 20
        mean, deviation = level.mean(1), level.std(1)
        centred = level - mean[:, None]
        skew = (centred**3).mean(1) / (deviation**3 + 0.05)
        spectrum = np.abs(np.fft.rfft(centred * np.hanning(centred.shape[1]), axis=1)) ** 2
        rates = np.fft.rfftfreq(centred.shape[1], ENVELOPE_HOP / sample_rate)
        octaves = np.searchsorted(MODULATION_OCTAVES_HZ, rates)
        moving = np.stack([
            np.log10(spectrum[:, octaves == octave].mean(1) + 1e-3)
            for octave in range(1, len(MODULATION_OCTAVES_HZ))
        ])  # fmt: skip
        together = [
            (centred[:-apart] * centred[apart:]).mean(1) / (deviation[:-apart] * deviation[apart:] + 0.01)
            for apart in NEIGHBOURS
        ]
        return np.concatenate([mean, deviation, skew, *moving, *together])


def normalised(sound: Samples) -> Samples:
    """The sound with its peak at 1, so that level does not count; silence stays silence."""
    peak = float(np.abs(sound).max(initial=0.0))
    return sound / peak if peak > 0 else sound


def join(*sets: Points) -> Points:
    return np.concatenate(sets)


def kernel_width(points: Points) -> float:
    """The median distance between real sounds: one for all that is judged among them."""
    return float(torch.pdist(torch.from_numpy(points)).median())


def distance(ours: Points, theirs: Points, width: float) -> float:
    """Unbiased squared maximum mean discrepancy, x 1000, Gaussian kernel: Gretton et al., JMLR 2012."""
    a, b = torch.from_numpy(ours), torch.from_numpy(theirs)

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        return (-torch.cdist(x, y).square() / (2 * width**2)).exp()

    within = [(kernel(x, x).sum() - len(x)) / (len(x) * (len(x) - 1)) for x in (a, b)]
    return 1000 * float(within[0] + within[1] - 2 * kernel(a, b).mean())


def nearest(ours: Points, known: Points) -> float:
    """Median cosine distance of each to the nearest known sound."""
    a, b = (nn.functional.normalize(torch.from_numpy(each), dim=1) for each in (ours, known))
    return float((1 - a @ b.T).amin(1).median())


@cache
def _network() -> nn.Module:
    """Blocks of two convolutions, each but the last halved; mean over bands, then maximum over time."""
    layers: list[nn.Module] = [nn.Unflatten(1, (1, -1))]
    for number, (inputs, outputs) in enumerate(zip((1, *CHANNELS), CHANNELS, strict=False), 1):
        for index, channels in enumerate((inputs, outputs), 1):
            block = nn.Sequential()
            block.add_module(f"conv{index}", nn.Conv2d(channels, outputs, 3, padding=1, bias=False))
            block.add_module(f"bn{index}", nn.BatchNorm2d(outputs))
            layers += [block, nn.ReLU()]
        if number < len(CHANNELS):
            layers.append(nn.MaxPool2d(2))
    network = nn.Sequential(*layers)
    weights = _weights()
    blocks = [layer for layer in network if isinstance(layer, nn.Sequential)]
    for number, block in enumerate(blocks):
        prefix = f"conv_block{number // 2 + 1}."
        block.load_state_dict({
            name: torch.from_numpy(weights[prefix + name]) for name in block.state_dict()
        })  # fmt: skip
    return nn.Sequential(network, _Pooled()).eval()


class _Pooled(nn.Module):
    def forward(self, features: Tensor) -> Tensor:
        return features.mean(3).amax(2)


def _weights() -> dict[str, npt.NDArray[np.float32]]:
    """Those of the embedding, converted when first asked for."""
    kept = platformdirs.user_cache_path("sda-tui-benchmarks") / f"{PACKAGE}.npz"
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        buffer = io.BytesIO()
        np.savez(buffer, **_convert(_fetch()))  # type: ignore[arg-type]
        write_atomically(kept, buffer.getvalue())
    with np.load(kept, allow_pickle=False) as archive:
        return dict(archive)


def _fetch() -> bytes:
    """The checkpoint in the package's wheel.  Raises RuntimeError if it is not the one that is known."""
    with tempfile.TemporaryDirectory() as folder:
        command = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, PACKAGE)
        subprocess.run(command, check=True)
        (wheel,) = Path(folder).iterdir()
        if hashlib.sha256(wheel.read_bytes()).hexdigest() != WHEEL_SHA256:
            raise RuntimeError(f"{wheel.name} is not the file that these benchmarks were made with")
        with zipfile.ZipFile(wheel) as archive:
            return archive.read(CHECKPOINT)


def _convert(checkpoint: bytes) -> dict[str, npt.NDArray[np.float32]]:
    """Its arrays by name.  Nothing in it is executed but what makes a number of numpy's."""
    allowed: list[Any] = [
        (np.float64(0).__reduce__()[0], "numpy.core.multiarray.scalar"),
        np.dtype,
        type(np.dtype(np.int64)),
    ]
    with torch.serialization.safe_globals(allowed):
        state, _ = torch.load(io.BytesIO(checkpoint), map_location="cpu", weights_only=True)
    return {
        name.removeprefix(PREFIX): weight.numpy() for name, weight in state.items() if name.startswith(PREFIX)
    }
