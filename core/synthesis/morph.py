"""A sound of any length through a model: encoded in overlapping chunks, changed, decoded."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from core.audio.offset import OffsetMeter
from core.audio.reader import Decoders, Samples, mono_blocks
from core.audio.spectrogram import LogMelSpectrogram
from core.audio.streaming import log_mel_frames
from core.config import MorphSettings
from core.data.split import QUIETEST_PEAK
from core.errors import AudioFileError, Cancelled, SourceError
from core.synthesis.bundle import ModelBundle
from core.synthesis.long import crossfade, frames_of, take_frames
from core.synthesis.previews import QUICK_REFINEMENT_STEPS
from core.text import printable

CHUNKS_AT_A_TIME = 8
LARGEST_CHANGE = 10 ** (24 / 10)  # of power, where the level of the original is kept
TINY = 1e-9


@dataclass(frozen=True)
class Recording:
    """A file that has been measured, to be read again: mono at the model's rate."""

    path: Path
    samples: int
    offset: float
    gain: float

    @classmethod
    def measure(
        cls,
        path: Path,
        bundle: ModelBundle,
        cancelled: Callable[[], bool],
        notify: Callable[[str], object] = lambda _: None,
    ) -> Self:
        """`notify` gets a sentence if only the beginning is used.  Raises SourceError, Cancelled."""
        meter = OffsetMeter(bundle.spectrogram.sample_rate)
        for block in _blocks(path, bundle, cancelled, notify):
            meter.add(block)
        if meter.peak < QUIETEST_PEAK:
            raise SourceError.of_file(path, "it is silent")
        return cls(path, meter.samples, meter.offset, bundle.level.gain_of_foreign(meter.peak))

    def log_mel(self, bundle: ModelBundle, cancelled: Callable[[], bool]) -> Iterator[Tensor]:
        """Its spectrogram at the level of training, in pieces [mels, any].  Raises SourceError, Cancelled."""
        spectrogram = LogMelSpectrogram(bundle.spectrogram).to(bundle.device)
        offset = np.float32(self.offset)
        blocks = (block - offset for block in _blocks(self.path, bundle, cancelled))
        return log_mel_frames(blocks, spectrogram, self.gain)


def morph(
    bundle: ModelBundle,
    recording: Recording,
    settings: MorphSettings,
    change: Tensor | None = None,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[Tensor]:
    """The spectrogram of a recording after the model, in pieces [mels, any] that hold all its samples.

    With amount 0 it is the recording's own; with 1 it is its reconstruction, moved by `change` [1, latent].
    In between, what decoding leaves out of the recording is kept by as much as the amount is below 1.
    Raises SourceError, Cancelled.
    """
    width = bundle.model.config.n_frames

    def morphed() -> Iterator[Tensor]:
        for chunks in _batches(_overlapping(recording.log_mel(bundle, cancelled), width)):
            if cancelled():
                raise Cancelled
            yield from _followed(chunks, _morph_chunks(bundle, chunks, settings, change, cancelled), settings)

    frames = frames_of(bundle, recording.samples)
    return take_frames(crossfade(morphed()), frames)


def _morph_chunks(
    bundle: ModelBundle,
    log_mel: Tensor,
    settings: MorphSettings,
    change: Tensor | None,
    cancelled: Callable[[], bool],
) -> Tensor:
    """Chunks [batch, 1, mels, frames] after the model."""
    amount = settings.amount
    if amount == 0:
        return log_mel
    latent = bundle.encode(log_mel, QUICK_REFINEMENT_STEPS, cancelled)
    moved = latent if change is None else latent + amount * change
    wet = bundle.reconstruct(log_mel, moved)
    if amount == 1:
        return wet
    dry = bundle.decode(moved, bundle.residual_of(log_mel, latent))
    return dry.lerp(wet, amount)


def _followed(original: Tensor, changed: Tensor, settings: MorphSettings) -> Iterator[Tensor]:
    """The changed chunks [batch, 1, mels, frames] one by one, with the original's level if wanted."""
    for before, after in zip(original[:, 0], changed[:, 0], strict=True):
        yield after if settings.follow == "off" else _match_level(before, after, settings.follow)


def _match_level(original: Tensor, changed: Tensor, follow: str) -> Tensor:
    """A chunk [mels, frames] whose power is that of another: in all, or from frame to frame."""
    wanted, power = original.expm1().sum(0), changed.expm1().sum(0)  # [frames]
    if follow == "level":
        wanted, power = wanted.sum(), power.sum()
    ratio = ((wanted + TINY) / (power + TINY)).clamp(1 / LARGEST_CHANGE, LARGEST_CHANGE)
    return (changed.expm1() * ratio).log1p()


def _overlapping(pieces: Iterable[Tensor], width: int) -> Iterator[Tensor]:
    """Chunks [mels, width], each beginning in the middle of the one before; the last is padded."""
    held: Tensor | None = None
    step = width - width // 2  # as far apart as `crossfade` lays chunks of this length
    for piece in pieces:
        held = piece if held is None else torch.cat([held, piece], dim=1)
        while held.shape[1] >= width:
            yield held[:, :width]
            held = held[:, step:]
    if held is not None:
        yield nn.functional.pad(held, (0, width - held.shape[1]))


def _batches(chunks: Iterable[Tensor]) -> Iterator[Tensor]:
    """Some chunks [mels, frames] at a time: [batch, 1, mels, frames]."""
    batch: list[Tensor] = []
    for chunk in chunks:
        batch.append(chunk)
        if len(batch) == CHUNKS_AT_A_TIME:
            yield torch.stack(batch).unsqueeze(1)
            batch = []
    if batch:
        yield torch.stack(batch).unsqueeze(1)


def _blocks(
    path: Path,
    bundle: ModelBundle,
    cancelled: Callable[[], bool],
    notify: Callable[[str], object] = lambda _: None,
) -> Iterator[Samples]:
    try:
        with Decoders(cancelled) as decoders, decoders.open(path) as sound:
            yield from mono_blocks(sound, bundle.spectrogram.sample_rate)
            if sound.is_longer_than_read:
                hours = sound.duration_s / 3600
                notify(f"Of {printable(path.name)} only the first {hours:g} h are used.")
    except AudioFileError as error:
        raise SourceError.of_file(path, str(error)) from error
