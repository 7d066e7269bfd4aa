"""Previews: the same held-out clip and the same latents each time, so that what changes is the model."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.atomic import write_atomically
from core.audio.files import Samples, write_wav
from core.audio.inversion import MelInverter
from core.config import SpectrogramConfig
from core.errors import Cancelled
from core.events import PreviewReady
from core.model import VAE
from core.seeding import generator

LARGEST_LOG_MEL = 16.0  # more than full scale can give; keeps expm1 of an untrained model's output finite
ENVELOPE_POINTS = 120
ORIGINAL = "original"
RECONSTRUCTION = "reconstruction"
SAMPLE = "sample"


class PreviewRenderer:
    """Renders what a model makes of one clip and of a few latents.

    `clip` [samples] is the held-out sound at ±1 full scale, `clip_log_mel` [1, 1, mels, frames] its
    spectrogram; `clip_name` is shown beside it.
    """

    def __init__(
        self,
        folder: Path,
        spectrogram: SpectrogramConfig,
        clip: Tensor,
        clip_log_mel: Tensor,
        clip_name: str,
        latent_dim: int,
        samples: int,
        seed: int,
    ) -> None:
        self._folder = folder
        self._spectrogram = spectrogram
        self._clip = clip.cpu()
        self._clip_log_mel = clip_log_mel
        self._clip_name = clip_name
        self._latents = torch.randn(samples, latent_dim, generator=generator(seed, "preview latents"))
        self._seed = seed
        # Least squares are missing on MPS; and one clip at a time inverts as fast on a CPU as in batches.
        device = clip_log_mel.device
        self._device = torch.device("cpu") if device.type == "mps" else device
        self._inverter = MelInverter(spectrogram).to(self._device)

    def render(
        self, model: VAE, epoch: int, step: int, cancelled: Callable[[], bool]
    ) -> Iterator[PreviewReady]:
        """Write the previews of an epoch and tell of each.  Epoch 0 also has the original clip.

        Raises Cancelled within a few iterations; the files of an epoch are written again when it is repeated.
        """
        if epoch == 0:
            yield self._write(ORIGINAL, f"original · {self._clip_name}", self._clip.numpy(), epoch, step)
        for kind, label, log_mel in self._spectrograms(model):
            if cancelled():
                raise Cancelled
            samples = self._invert(log_mel, label, cancelled)
            yield self._write(kind, label, samples, epoch, step, log_mel)

    @torch.no_grad()
    def _spectrograms(self, model: VAE) -> list[tuple[str, str, Tensor]]:
        """Kind, label and log-mel spectrogram [1, 1, mels, frames] of each preview."""
        model.eval()
        mean, _ = model.encode(self._clip_log_mel)
        latents = torch.cat([mean, self._latents.to(mean.device)])
        decoded = model.decode(latents).clamp(0, LARGEST_LOG_MEL).to(self._device)
        labels = [(RECONSTRUCTION, RECONSTRUCTION)]
        labels += [(SAMPLE, f"{SAMPLE} {index}") for index in range(1, len(latents))]
        return [
            (kind, label, log_mel.unsqueeze(0))
            for (kind, label), log_mel in zip(labels, decoded, strict=True)
        ]

    @torch.no_grad()
    def _invert(self, log_mel: Tensor, label: str, cancelled: Callable[[], bool]) -> Samples:
        draws = generator(self._seed, f"preview phase {label}")
        waveform = self._inverter(log_mel, len(self._clip), draws, cancelled)
        samples: Samples = waveform.squeeze(0).cpu().numpy()
        return samples

    def _write(
        self, kind: str, label: str, samples: Samples, epoch: int, step: int, log_mel: Tensor | None = None
    ) -> PreviewReady:
        """Write the WAV, and beside it the mel from which a better inversion could make it again."""
        name = kind if kind == ORIGINAL else f"epoch-{epoch:04}-{label.replace(' ', '-')}"
        path = self._folder / f"{name}.wav"
        write_wav(path, samples, self._spectrogram.sample_rate)
        if log_mel is not None:
            buffer = io.BytesIO()
            np.save(buffer, log_mel.squeeze(0).squeeze(0).cpu().numpy())
            write_atomically(path.with_suffix(".npy"), buffer.getvalue())
        duration_s = len(samples) / self._spectrogram.sample_rate
        relative = f"{self._folder.name}/{path.name}"
        return PreviewReady(epoch, step, kind, label, relative, duration_s, _envelope(samples))


def _envelope(samples: Samples) -> tuple[float, ...]:
    """Peaks of equally long stretches, relative to the highest."""
    peaks = np.array([np.abs(part).max(initial=0.0) for part in np.array_split(samples, ENVELOPE_POINTS)])
    highest = peaks.max()
    scaled = peaks / highest if highest > 0 else peaks
    return tuple(round(float(peak), 3) for peak in scaled)
