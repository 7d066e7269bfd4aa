"""Waveform to log-mel spectrogram."""

import warnings
from collections.abc import Sequence

import torch
import torchaudio
from torch import Tensor, nn

from core.config import SpectrogramConfig

PITCH_STEPS = 4  # filterbanks per semitone of pitch shift
PITCH_RANGE_SEMITONES = 6.0  # what the strongest augmentation asks for
FILTERS_IN_BLOCK = 32
SOUNDS_AT_A_TIME = 4  # on a CPU, whose caches hold the spectra of this many


class LogMelSpectrogram(nn.Module):
    """log(1 + reference gain · mel power) of a batch of sounds, with an optional pitch shift of each.

    The shift moves the mel filterbank instead of the sound: a filter centred on f reads the spectrum at
    f / ratio, so pitch and formants move by `ratio` and time does not.  It costs as much as no shift.
    """

    def __init__(self, config: SpectrogramConfig) -> None:
        super().__init__()
        self.config = config
        self.stft = torchaudio.transforms.Spectrogram(
            n_fft=config.n_fft, hop_length=config.hop_length, power=None
        )
        count = round(PITCH_RANGE_SEMITONES * PITCH_STEPS)
        banks = [mel_filterbank(config, 2 ** (step / PITCH_STEPS / 12)) for step in range(-count, count + 1)]
        self.unshifted = count
        blocks = torch.split(torch.stack(banks), FILTERS_IN_BLOCK, dim=1)
        self.filters = nn.ModuleList(FilterBlock(block) for block in blocks)

    def forward(self, waveform: Tensor, pitch_semitones: Tensor | None = None) -> Tensor:
        """[batch, samples] at ±1 full scale to [batch, 1, mels, frames], frames = samples // hop + 1.

        `pitch_semitones` [batch] is rounded to a quarter of a semitone and limited to ±6.
        """
        if not waveform.is_cpu or len(waveform) <= SOUNDS_AT_A_TIME:
            return self._log_mel(waveform, pitch_semitones)
        parts = torch.split(waveform, SOUNDS_AT_A_TIME)
        shifts: Sequence[Tensor | None] = [None] * len(parts)
        if pitch_semitones is not None:
            shifts = torch.split(pitch_semitones, SOUNDS_AT_A_TIME)
        return torch.cat([self._log_mel(*each) for each in zip(parts, shifts, strict=True)])

    def _log_mel(self, waveform: Tensor, pitch_semitones: Tensor | None) -> Tensor:
        spectrum = self.stft(waveform)  # [batch, bins, frames], complex
        squares = torch.view_as_real(spectrum).square()  # in one pass: real and imaginary parts are adjacent
        power = squares[..., 0] + squares[..., 1]
        bank: int | Tensor = self.unshifted
        if pitch_semitones is not None:
            step = (pitch_semitones * PITCH_STEPS).round().long()
            bank = step.clamp(-self.unshifted, self.unshifted) + self.unshifted
        mel = torch.cat([block(power, bank) for block in self.filters], dim=1)
        return (mel * self.config.reference_gain).log1p().unsqueeze(1)


class FilterBlock(nn.Module):
    """Neighbouring filters of several banks [banks, mels, bins], applied only to the bins that one of them
    reads: about a third of the work of all bins."""

    filters: Tensor

    def __init__(self, filters: Tensor) -> None:
        super().__init__()
        read = filters.amax((0, 1)).nonzero()
        self.bins = slice(int(read.min()), int(read.max()) + 1)
        self.register_buffer("filters", filters[..., self.bins].contiguous(), persistent=False)

    def forward(self, power: Tensor, bank: int | Tensor) -> Tensor:
        """Power [batch, bins, frames] to mel [batch, mels, frames], by one bank or by those of [batch]."""
        return torch.matmul(self.filters[bank], power[:, self.bins])


def mel_filterbank(config: SpectrogramConfig, pitch_ratio: float = 1.0) -> Tensor:
    """Triangular mel filters [mels, bins] with peak 1, read at frequencies divided by `pitch_ratio`.

    Slaney's mel scale (see SpectrogramConfig); `torchaudio.functional.melscale_fbanks` is its source.
    """
    bins = config.n_fft // 2 + 1
    with warnings.catch_warnings():
        if pitch_ratio < 1:  # a sound that moves down has nothing near Nyquist: the highest filters are empty
            warnings.simplefilter("ignore")
        filters: Tensor = torchaudio.functional.melscale_fbanks(
            n_freqs=bins,
            f_min=config.f_min_hz,
            f_max=config.f_max_hz,
            n_mels=config.n_mels,
            sample_rate=round(config.sample_rate * pitch_ratio),  # stretches the bins' frequencies
            norm=None,
            mel_scale="slaney",
        )
    return filters.T.contiguous()
