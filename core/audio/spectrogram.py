"""Waveform to log-mel spectrogram."""

import warnings

import torch
import torchaudio
from torch import Tensor, nn

from core.config import SpectrogramConfig

PITCH_STEPS = 4  # filterbanks per semitone of pitch shift
PITCH_RANGE_SEMITONES = 4.0


class LogMelSpectrogram(nn.Module):
    """log(1 + mel power) of a batch of sounds, with an optional pitch shift of each.

    The shift moves the mel filterbank instead of the sound: a filter centred on f reads the spectrum at
    f / ratio, so pitch and formants move by `ratio` and time does not.  It costs as much as no shift.
    """

    filterbanks: Tensor

    def __init__(self, config: SpectrogramConfig) -> None:
        super().__init__()
        self.config = config
        self.stft = torchaudio.transforms.Spectrogram(
            n_fft=config.n_fft, hop_length=config.hop_length, power=None
        )
        count = round(PITCH_RANGE_SEMITONES * PITCH_STEPS)
        banks = [mel_filterbank(config, 2 ** (step / PITCH_STEPS / 12)) for step in range(-count, count + 1)]
        self.register_buffer("filterbanks", torch.stack(banks), persistent=False)

    def forward(self, waveform: Tensor, pitch_semitones: Tensor | None = None) -> Tensor:
        """[batch, samples] at ±1 full scale to [batch, 1, mels, frames], frames = samples // hop + 1.

        `pitch_semitones` [batch] is rounded to a quarter of a semitone and limited to ±4.
        """
        spectrum = self.stft(waveform)  # [batch, bins, frames], complex
        squares = torch.view_as_real(spectrum).square()  # in one pass: both parts lie side by side
        power = squares[..., 0] + squares[..., 1]
        unshifted = len(self.filterbanks) // 2
        if pitch_semitones is None:
            mel = self.filterbanks[unshifted] @ power
        else:
            step = (pitch_semitones * PITCH_STEPS).round().long().clamp(-unshifted, unshifted)
            mel = torch.bmm(self.filterbanks[step + unshifted], power)
        log_mel: Tensor = mel.log1p().unsqueeze(1)
        return log_mel


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
