"""Previews: the same clip and the same latents each time, so that what changes is the model."""

import io
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from core.atomic import write_atomically
from core.audio.reader import Samples
from core.audio.writing import write_wav
from core.config import SpectrogramConfig
from core.errors import Cancelled
from core.events import PreviewKind, PreviewReady
from core.seeding import generator
from core.synthesis.bundle import ModelBundle
from core.synthesis.refine import STEP_SIZE, refine_latents
from core.synthesis.render import SoundRenderer
from core.threads import one_core_threads

ENVELOPE_POINTS = 120
QUICK_REFINEMENT_STEPS = 14  # nearly nine tenths of what 60 gain


class PreviewSpectrogram(NamedTuple):
    """Kind, label and log-mel [1, mels, frames] of a preview, and the file that a sample is drawn around."""

    kind: PreviewKind
    label: str
    log_mel: Tensor
    around: str = ""


class PreviewRenderer:
    """Renders what a model makes of one clip and of a few latents.

    `clip` [samples] is the sound at the level of training, to which `gain` brought it, `clip_log_mel`
    [1, 1, mels, frames] its spectrogram; `clip_name` is shown beside it.  `is_substitute` says that the run
    began with another clip, which is gone; `has_clip` False, that the clip is not written again whatever is
    there.  `inversion` is one of QUALITIES.

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
        is_substitute: bool = False,
        inversion: str = "fast",
        gain: float = 1.0,
        has_clip: bool = True,
    ) -> None:
        self._folder = folder
        self._spectrogram = spectrogram
        self._clip = clip.cpu()
        self._clip_log_mel = clip_log_mel
        self._clip_name = clip_name
        is_written = (folder / f"{PreviewKind.RESYNTHESIS}.wav").exists() and not is_substitute
        self._clip_epoch = 0.0 if is_written else math.inf  # the one that the clip itself comes with
        if not has_clip:
            self._clip_epoch = -math.inf
        self._samples = samples
        self._seed = seed
        self._renderer = SoundRenderer(spectrogram, inversion, clip_log_mel.device, gain)

    def render(
        self, bundle: ModelBundle, epoch: int, step: int, cancelled: Callable[[], bool]
    ) -> Iterator[PreviewReady]:
        """Write the previews of an epoch, and yield each when it is there.

        The original clip and its resynthesis never change: they come once, with epoch 0 unless they could
        not be written then.  Raises Cancelled within a few iterations; the files of an epoch are written
        again when it is repeated.
        """
        due = preview_spectrograms(bundle, self._clip_log_mel, self._samples, self._seed, cancelled)
        if is_clip_due := epoch <= self._clip_epoch:
            label = f"{PreviewKind.ORIGINAL} · {self._clip_name}"
            yield self._write(PreviewKind.ORIGINAL, label, self._clip.numpy(), epoch, step)
            kind = PreviewKind.RESYNTHESIS
            due.insert(0, PreviewSpectrogram(kind, kind, self._clip_log_mel[0]))
        log_mels = torch.stack([each.log_mel for each in due])
        draws = [phase_generator(self._seed, each.label) for each in due]
        sounds = self._renderer(log_mels, len(self._clip), draws, cancelled)
        for (kind, label, log_mel, around), samples in zip(due, sounds, strict=True):
            near = bundle.nearest_path(log_mel.unsqueeze(0)) if kind is PreviewKind.SAMPLE else ""
            yield self._write(kind, label, samples, epoch, step, log_mel, near, around)
            if cancelled():
                raise Cancelled
        if is_clip_due:
            self._clip_epoch = epoch

    def _write(
        self,
        kind: PreviewKind,
        label: str,
        samples: Samples,
        epoch: int,
        step: int,
        log_mel: Tensor | None = None,
        near: str = "",
        around: str = "",
    ) -> PreviewReady:
        """Write the WAV, and beside it the mel from which a better inversion could make it again."""
        is_of_all_epochs = epoch == 0 and kind in (PreviewKind.ORIGINAL, PreviewKind.RESYNTHESIS)
        what = label.replace(" ", "-") if kind is PreviewKind.SAMPLE else kind
        name = what if is_of_all_epochs else f"epoch-{epoch:04}-{what}"
        path = self._folder / f"{name}.wav"
        self._folder.mkdir(exist_ok=True)  # it may have been deleted
        write_wav(path, samples, self._spectrogram.sample_rate)
        if log_mel is not None:
            buffer = io.BytesIO()
            np.save(buffer, log_mel.squeeze(0).cpu().numpy())
            write_atomically(path.with_suffix(".npy"), buffer.getvalue())
        duration_s = len(samples) / self._spectrogram.sample_rate
        relative = f"{self._folder.name}/{path.name}"
        return PreviewReady(epoch, step, kind, label, relative, duration_s, _envelope(samples), near, around)


def preview_spectrograms(
    bundle: ModelBundle,
    clip_log_mel: Tensor,
    samples: int,
    seed: int,
    cancelled: Callable[[], bool] = lambda: False,
) -> list[PreviewSpectrogram]:
    """What the model makes of a clip [1, 1, mels, frames], and so many new sounds of this seed.

    Raises Cancelled between steps of refinement.
    """
    nearest = _nearest_latents(bundle, clip_log_mel, cancelled)
    # Each by itself: more samples leave the first ones as they are.
    draws = [bundle.draw(1, generator(seed, "preview latents", number)) for number in range(samples)]
    kind = PreviewKind.RECONSTRUCTION
    made = [PreviewSpectrogram(kind, kind, bundle.reconstruct(clip_log_mel, nearest)[0])]
    for number, drawn in enumerate(draws, 1):
        around = bundle.origin(int(drawn.sources)).path
        label = f"{PreviewKind.SAMPLE} {number}"
        made.append(PreviewSpectrogram(PreviewKind.SAMPLE, label, bundle.decode_drawn(drawn)[0], around))
    return made


def phase_generator(seed: int, label: str) -> torch.Generator:
    """Draws the first phases of the preview with this label, the same at each epoch."""
    return generator(seed, f"preview phase {label}")


def _nearest_latents(bundle: ModelBundle, clip_log_mel: Tensor, cancelled: Callable[[], bool]) -> Tensor:
    """Latents [1, latent] of the clip.  A single sound takes several cores longer than one."""
    arguments = bundle.model, clip_log_mel, QUICK_REFINEMENT_STEPS, STEP_SIZE, cancelled
    if bundle.device.type != "cpu":
        return refine_latents(*arguments)
    with one_core_threads(1, "latents") as executor:
        return executor.submit(refine_latents, *arguments).result()


def _envelope(samples: Samples) -> tuple[float, ...]:
    """Peaks of equally long stretches, relative to the highest."""
    peaks = np.array([np.abs(part).max(initial=0.0) for part in np.array_split(samples, ENVELOPE_POINTS)])
    highest = peaks.max()
    scaled = peaks / highest if highest > 0 else peaks
    return tuple(round(float(peak), 3) for peak in scaled)
