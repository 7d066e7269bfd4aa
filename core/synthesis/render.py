"""Previews: the same clip and the same latents each time, so that what changes is the model."""

import io
import math
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from core.atomic import write_atomically
from core.audio.files import Samples, write_wav
from core.audio.inversion import QUALITIES, MelInverter
from core.config import SpectrogramConfig
from core.errors import Cancelled
from core.events import PreviewKind, PreviewReady
from core.model import VAE
from core.seeding import generator
from core.synthesis.latents import LatentDistribution
from core.synthesis.refine import refine_latents
from core.threads import one_core_threads

LARGEST_LOG_MEL = 16.0  # more than full scale can give; keeps expm1 of an untrained model's output finite
ENVELOPE_POINTS = 120
QUICK_REFINEMENT = 14, 0.05  # steps and their size: nearly nine tenths of what 60 such steps gain

Spectrogram = tuple[
    PreviewKind, str, Tensor
]  # kind, label and log-mel spectrogram [1, mels, frames] of a preview


class PreviewRenderer:
    """Renders what a model makes of one clip and of a few latents.

    `clip` [samples] is the sound at ±1 full scale, `clip_log_mel` [1, 1, mels, frames] its spectrogram;
    `clip_name` is shown beside it.  `stands_in` says that the run began with another clip, which is gone;
    `inversion` is one of QUALITIES.

    Its new sounds come from the same draws for the whole run, each model's from where its latents lie.
    """

    def __init__(
        self,
        folder: Path,
        spectrogram: SpectrogramConfig,
        clip: Tensor,
        clip_log_mel: Tensor,
        clip_name: str,
        samples: int,
        seed: int,
        stands_in: bool = False,
        inversion: str = "fast",
    ) -> None:
        self._folder = folder
        self._spectrogram = spectrogram
        self._clip = clip.cpu()
        self._clip_log_mel = clip_log_mel
        self._clip_name = clip_name
        is_written = (folder / f"{PreviewKind.RESYNTHESIS}.wav").exists() and not stands_in
        self._clip_epoch = 0.0 if is_written else math.inf  # the one that the clip itself comes with
        self._samples = samples
        self._seed = seed
        # Complex arithmetic has gaps on MPS.
        device = clip_log_mel.device
        self._device = torch.device("cpu") if device.type == "mps" else device
        self._inverter = MelInverter(spectrogram, QUALITIES[inversion]).to(self._device)

    def render(
        self, model: VAE, fitted: LatentDistribution, epoch: int, step: int, cancelled: Callable[[], bool]
    ) -> Iterator[PreviewReady]:
        """Write the previews of an epoch and tell of each; `fitted` is where its new sounds come from.

        The original clip and its resynthesis never change: they come once, with epoch 0 unless they could
        not be written then.  Raises Cancelled within a few iterations; the files of an epoch are written
        again when it is repeated.
        """
        due = self._spectrograms(model, fitted, cancelled)
        if is_clip_due := epoch <= self._clip_epoch:
            label = f"{PreviewKind.ORIGINAL} · {self._clip_name}"
            yield self._write(PreviewKind.ORIGINAL, label, self._clip.numpy(), epoch, step)
            kind = PreviewKind.RESYNTHESIS
            due.insert(0, (kind, kind, self._clip_log_mel[0].to(self._device)))
        for (kind, label, log_mel), samples in zip(due, self._waveforms(due, cancelled), strict=True):
            yield self._write(kind, label, samples, epoch, step, log_mel)
            if cancelled():
                raise Cancelled
        if is_clip_due:
            self._clip_epoch = epoch

    @torch.no_grad()
    def _spectrograms(
        self, model: VAE, fitted: LatentDistribution, cancelled: Callable[[], bool]
    ) -> list[Spectrogram]:
        """What the model makes."""
        nearest = self._nearest(model, cancelled)
        # Each by itself: more samples leave the first ones as they are.
        draws = [generator(self._seed, "preview latents", number) for number in range(self._samples)]
        decoded = model.decode(torch.cat([nearest, *(fitted.draw(1, each) for each in draws)]))
        labels: list[tuple[PreviewKind, str]] = [(PreviewKind.RECONSTRUCTION, PreviewKind.RECONSTRUCTION)]
        labels += [(PreviewKind.SAMPLE, f"{PreviewKind.SAMPLE} {1 + n}") for n in range(self._samples)]
        log_mels = decoded.nan_to_num().clamp(0, LARGEST_LOG_MEL).to(self._device)
        return [(kind, label, log_mel) for (kind, label), log_mel in zip(labels, log_mels, strict=True)]

    def _nearest(self, model: VAE, cancelled: Callable[[], bool]) -> Tensor:
        """Latents [1, latent] of the clip.  A single sound takes several cores longer than one."""
        arguments = model, self._clip_log_mel, *QUICK_REFINEMENT, cancelled
        if self._clip_log_mel.device.type != "cpu":
            return refine_latents(*arguments)
        with one_core_threads(1, "latents") as executor:
            return executor.submit(refine_latents, *arguments).result()

    def _waveforms(self, due: Sequence[Spectrogram], cancelled: Callable[[], bool]) -> list[Samples]:
        """On a GPU all at once, which takes half the time of one by one; on a CPU one on each core."""
        draws = [generator(self._seed, f"preview phase {label}") for _, label, _ in due]
        log_mels = torch.stack([log_mel for _, _, log_mel in due])

        def invert(which: slice) -> Tensor:
            with torch.no_grad():
                waveforms: Tensor = self._inverter(log_mels[which], len(self._clip), draws[which], cancelled)
            return waveforms

        if self._device.type == "cuda":
            return list(invert(slice(None)).cpu().numpy())
        with one_core_threads(min(len(due), torch.get_num_threads()), "inversion") as executor:
            each = executor.map(invert, [slice(number, number + 1) for number in range(len(due))])
            return [waveform.squeeze(0).numpy() for waveform in each]

    def _write(
        self,
        kind: PreviewKind,
        label: str,
        samples: Samples,
        epoch: int,
        step: int,
        log_mel: Tensor | None = None,
    ) -> PreviewReady:
        """Write the WAV, and beside it the mel from which a better inversion could make it again."""
        is_of_all_epochs = epoch == 0 and kind in (PreviewKind.ORIGINAL, PreviewKind.RESYNTHESIS)
        what = label.replace(" ", "-") if kind is PreviewKind.SAMPLE else kind
        name = what if is_of_all_epochs else f"epoch-{epoch:04}-{what}"
        path = self._folder / f"{name}.wav"
        write_wav(path, samples, self._spectrogram.sample_rate)
        if log_mel is not None:
            buffer = io.BytesIO()
            np.save(buffer, log_mel.squeeze(0).cpu().numpy())
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
