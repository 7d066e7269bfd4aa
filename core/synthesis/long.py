"""Spectrograms longer than a chunk: chunks, each of which fades into the next."""

from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn

from core.errors import Cancelled
from core.synthesis.bundle import ModelBundle
from core.synthesis.encoded import EncodedSound, interpolate

CALM_FRAMES = 3  # on both sides of a moment
SHORTEST_FRAMES = 24  # a quarter of a second: shorter sounds in a row would buzz


def glide(
    bundle: ModelBundle,
    waypoints: Iterable[EncodedSound],
    leg_frames: float,
    frames: int,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[Tensor]:
    """A spectrogram from waypoint to waypoint, `leg_frames` apart, in pieces [mels, any] of `frames` in all.

    Of a sound shorter than a chunk only its own length is used, so that there are no gaps.  After the last
    waypoint the sound stays there.  Raises Cancelled.
    """

    def chunks() -> Iterator[Tensor]:
        ahead = iter(waypoints)
        first = next(ahead)
        second = next(ahead, first)
        passed = start = length = 0  # waypoints; first frame of the chunk before, and its length
        while True:
            if cancelled():
                raise Cancelled
            while (position := (start + length // 2) / leg_frames - passed) >= 1:
                first, second, passed = second, next(ahead, second), passed + 1
            chunk = _own_frames(bundle, interpolate(first, second, position))
            yield chunk
            start += length - min(length, chunk.shape[1]) // 2
            length = chunk.shape[1]

    return take_frames(crossfade(chunks()), frames)


def crossfade(chunks: Iterable[Tensor]) -> Iterator[Tensor]:
    """Chunks [mels, frames], each of which fades into the next over half of the shorter one's length."""
    rest: Tensor | None = None  # of the chunk before, after its own fade
    length = 0
    for chunk in chunks:
        shared = min(length, chunk.shape[1]) // 2
        if rest is not None:
            kept = rest.shape[1] - shared
            yield rest[:, :kept]
            rise = torch.arange(1, shared + 1, device=chunk.device) / (shared + 1)
            yield rest[:, kept:].lerp(chunk[:, :shared], torch.sin(rise * (torch.pi / 2)).square())
        rest, length = chunk[:, shared:], chunk.shape[1]
    if rest is not None:
        yield rest


def frames_of(bundle: ModelBundle, samples: int) -> int:
    """Frames that so many samples need: the last one is centred on their end, or after it."""
    return -(-samples // bundle.spectrogram.hop_length) + 1


def take_frames(pieces: Iterable[Tensor], frames: int) -> Iterator[Tensor]:
    """So many frames of the pieces [mels, any]."""
    for piece in pieces:
        yield piece[:, :frames]
        frames -= piece.shape[1]
        if frames <= 0:
            return


def _own_frames(bundle: ModelBundle, sound: EncodedSound) -> Tensor:
    """The frames [mels, any] of a chunk that are sound, cut where the next chunk begins in a calm moment."""
    log_mel = sound.log_mel(bundle)[0, 0]
    frames = round(sound.length_samples / bundle.spectrogram.hop_length)
    own = log_mel[:, : max(SHORTEST_FRAMES, frames)]
    half = own.shape[1] // 2
    return own[:, : 2 * min(range(half - half // 4, half + 1), key=_unrest(own).__getitem__)]


def _unrest(log_mel: Tensor) -> list[float]:
    """How loud it is and how much changes around each frame of a chunk [mels, frames], as a product."""
    power = log_mel.expm1().sum(0)
    flux = nn.functional.pad(log_mel.diff(dim=1).abs().mean(0), (1, 0))
    widest = nn.functional.max_pool1d(torch.stack([power, flux])[None], 2 * CALM_FRAMES + 1, 1, CALM_FRAMES)
    unrest: list[float] = widest[0].prod(0).tolist()
    return unrest
