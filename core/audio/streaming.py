"""Sounds of any length in bounded memory: samples to log-mel frames, and frames back to samples."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from torch import Tensor, nn

from core.audio.inversion import MelInverter
from core.audio.reader import Samples
from core.audio.spectrogram import LogMelSpectrogram

BLOCK_FRAMES = 384  # that an inversion adds: 4 s, of which the context is a small part
CONTEXT_FRAMES = 16  # on both sides of a block, inverted with it
FADE_SAMPLES = 1024  # between two estimates of the same samples


def log_mel_frames(
    blocks: Iterable[Samples], spectrogram: LogMelSpectrogram, gain: float = 1.0
) -> Iterator[Tensor]:
    """The log-mel spectrogram of mono samples times `gain`, in pieces [mels, frames].

    Together they are the spectrogram of all samples at once, up to rounding.  A sound shorter than a window
    is padded to one.
    """
    config = spectrogram.config
    hop, around = config.hop_length, config.n_fft // 2 // config.hop_length
    device = next(spectrogram.buffers()).device

    def frames(samples: Samples, wanted: slice) -> Tensor:
        with torch.no_grad():
            log_mel: Tensor = spectrogram(torch.from_numpy(samples)[None].to(device) * gain)
        return log_mel[0, 0, :, wanted]

    # From `around` frames before the next one on, which are there already, or from the beginning.
    held, there = np.zeros(0, np.float32), 0
    for block in blocks:
        held = np.concatenate([held, block])
        while len(held) >= (end := there + BLOCK_FRAMES + around) * hop:
            yield frames(held[: end * hop], slice(there, there + BLOCK_FRAMES))
            held, there = held[(end - 2 * around) * hop :], around
    yield frames(np.pad(held, (0, max(0, config.n_fft - len(held)))), slice(there, None))


class StreamInverter:
    """Inverts a log-mel spectrogram of any length block by block, each continuing the one before.

    A block is inverted together with the frames before it, whose samples are known by then, and with those
    after it, whose samples the next block finds anew.
    """

    def __init__(self, inverter: MelInverter, draws: torch.Generator) -> None:
        self._inverter = inverter
        self._draws = draws
        self._hop = inverter.config.hop_length

    def __call__(
        self, pieces: Iterable[Tensor], cancelled: Callable[[], bool] = lambda: False
    ) -> Iterator[Samples]:
        """Pieces [mels, frames] to samples: `hop_length` for each frame but the last, and at least a window.

        Raises Cancelled.
        """
        held: Tensor | None = None
        known: Tensor | None = None  # the samples [1, samples] of the first of these frames
        for piece in pieces:
            held = piece if held is None else torch.cat([held, piece], dim=1)
            while held.shape[1] > (frames := self._block_frames(known)):
                waveform = self._invert(held[:, :frames], known, cancelled)
                end = (frames - CONTEXT_FRAMES) * self._hop
                yield _joined(waveform[:, : end - FADE_SAMPLES], known)
                known = waveform[:, end - CONTEXT_FRAMES * self._hop : end].clone()
                held = held[:, frames - 2 * CONTEXT_FRAMES :]
        if held is not None:
            shortest = self._inverter.config.n_fft // self._hop + 1
            held = nn.functional.pad(held, (0, max(0, shortest - held.shape[1])))
            yield _joined(self._invert(held, known, cancelled), known)

    @staticmethod
    def _block_frames(known: Tensor | None) -> int:
        return BLOCK_FRAMES + CONTEXT_FRAMES * (1 if known is None else 2)

    def _invert(self, frames: Tensor, known: Tensor | None, cancelled: Callable[[], bool]) -> Tensor:
        samples = (frames.shape[1] - 1) * self._hop
        with torch.no_grad():
            waveform: Tensor = self._inverter(frames[None, None], samples, [self._draws], cancelled, known)
        return waveform


def _joined(waveform: Tensor, known: Tensor | None) -> Samples:
    """What comes after the known samples, faded over the last of these."""
    if known is not None:
        waveform = waveform[:, known.shape[1] - FADE_SAMPLES :]
        rise = torch.linspace(0, 1, FADE_SAMPLES, device=waveform.device)
        fade = known[:, -FADE_SAMPLES:].lerp(waveform[:, :FADE_SAMPLES], rise)
        waveform = torch.cat([fade, waveform[:, FADE_SAMPLES:]], dim=1)
    samples: Samples = waveform[0].cpu().numpy()
    return samples
