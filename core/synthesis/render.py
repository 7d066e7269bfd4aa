"""Log-mel spectrograms to sounds, several at a time."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import torch
from torch import Tensor

from core.audio.inversion import QUALITIES, MelInverter
from core.audio.reader import Samples
from core.audio.streaming import StreamInverter
from core.config import SpectrogramConfig
from core.threads import one_core_threads


class SoundRenderer:
    """Inverts log-mel spectrograms on a device.

    `quality` is one of QUALITIES; `gain` is that with which the sounds were trained on, and is taken back.
    """

    def __init__(
        self, spectrogram: SpectrogramConfig, quality: str, device: torch.device, gain: float = 1.0
    ) -> None:
        self.device = inversion_device(device)
        self._gain = gain
        self._inverter = MelInverter(spectrogram, QUALITIES[quality]).to(self.device)

    def __call__(
        self,
        log_mel: Tensor,
        samples: int,
        generators: Sequence[torch.Generator],
        cancelled: Callable[[], bool] = lambda: False,
    ) -> list[Samples]:
        """[count, 1, mels, frames] to so many sounds of [samples]; each draws its phases from its generator.

        On a GPU all at once, which takes half the time of one by one; on a CPU one on each core.  The same
        call gives the same sounds.  Raises Cancelled within a few iterations.
        """
        log_mel = log_mel.to(self.device)

        def invert(which: slice) -> Tensor:
            with torch.no_grad():
                waveforms: Tensor = self._inverter(log_mel[which], samples, generators[which], cancelled)
            return waveforms / self._gain

        if self.device.type == "cuda":
            return list(invert(slice(None)).cpu().numpy())
        with one_core_threads(min(len(log_mel), torch.get_num_threads()), "inversion") as executor:
            each = executor.map(invert, [slice(number, number + 1) for number in range(len(log_mel))])
            return [waveform.squeeze(0).numpy() for waveform in each]


def stream_renderer(
    spectrogram: SpectrogramConfig, quality: str, device: torch.device, draws: torch.Generator
) -> Callable[[Iterable[Tensor], Callable[[], bool]], Iterator[Samples]]:
    """Inverts a log-mel spectrogram of any length on a device; see `StreamInverter`."""
    where = inversion_device(device)
    invert = StreamInverter(MelInverter(spectrogram, QUALITIES[quality]).to(where), draws)
    return lambda pieces, cancelled: invert((piece.to(where) for piece in pieces), cancelled)


def inversion_device(device: torch.device) -> torch.device:
    """Complex arithmetic has gaps on MPS."""
    return torch.device("cpu") if device.type == "mps" else device


def audible(log_mel: Tensor, spectrogram: SpectrogramConfig) -> Tensor:
    """Log-mel spectrograms without what no sound has: numbers that are not finite, negative or huge."""
    return log_mel.nan_to_num().clamp(0.0, spectrogram.largest_log_mel)
