"""Encoder and decoder as networks of their own, with level, spectrogram and normalisation inside."""

import torch
from torch import Tensor, nn

from core.audio.levels import LARGEST_GAIN, NORMALISED_PEAK, SMALLEST_PEAK, Level
from core.audio.spectrogram import mel_filterbank
from core.config import SpectrogramConfig
from core.model import VAE, copy_model
from core.synthesis.bundle import ModelBundle
from core.synthesis.render import audible


class Encoder(nn.Module):
    """Waveforms [batch, chunk_samples] at ±1 full scale to the means of their latents [batch, latent].

    The same as `ModelBundle.log_mel` and then `ModelBundle.encode` with no steps of refinement.
    """

    def __init__(self, bundle: ModelBundle, precision: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.leveling = Leveling(bundle.level)
        self.analysis = Analysis(bundle.spectrogram, precision)
        self.model = fixed_copy(bundle.model)

    def forward(self, waveform: Tensor) -> Tensor:
        mean, _ = self.model.encode(self.analysis(self.leveling(waveform)))
        return mean


class Decoder(nn.Module):
    """Latents [batch, latent] to log-mel and mel power spectrograms.

    The first [batch, 1, mels, frames] is what `ModelBundle.decode` gives.  The second [batch, mels, frames]
    is the power of the sound at the dataset's own level, before any gain, which programs that invert mel
    spectrograms take.
    """

    def __init__(self, bundle: ModelBundle) -> None:
        super().__init__()
        self.model = decoding_part(bundle.model)
        self.spectrogram = bundle.spectrogram
        self.gain = bundle.level.gain

    def forward(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        log_mel = audible(self.model.decode(latent), self.spectrogram)
        power = log_mel.squeeze(1).expm1() / (self.spectrogram.reference_gain * self.gain**2)
        return log_mel, power


def fixed_copy(model: VAE) -> VAE:
    """A copy of a model in evaluation mode, without gradients, whatever the program that loads it does."""
    return copy_model(model).eval().requires_grad_(False)


def decoding_part(model: VAE) -> VAE:
    """Such a copy, with only the weights that decoding needs."""
    part = fixed_copy(model)
    for name in part.encoder_parts:
        delattr(part, name)
    return part


class Leveling(nn.Module):
    """Brings waveforms [batch, samples] to the level that the model knows, as `Level.gain_of_foreign`."""

    def __init__(self, level: Level) -> None:
        super().__init__()
        self.level = level

    def forward(self, waveform: Tensor) -> Tensor:
        return waveform * self.gains(waveform)

    def gains(self, waveform: Tensor) -> Tensor:
        """The gain of each, [batch, 1]."""
        peak = waveform.abs().amax(1, keepdim=True)
        if self.level.mode == "off":
            return torch.full_like(peak, self.level.gain)
        to_normalised = (NORMALISED_PEAK / peak.clamp_min(SMALLEST_PEAK)).clamp(max=LARGEST_GAIN)
        gain = torch.where(peak > SMALLEST_PEAK, to_normalised, torch.ones_like(peak))
        return gain if self.level.mode == "file" else gain.clamp(max=self.level.gain)


class Analysis(nn.Module):
    """Waveforms [batch, samples] to log-mel spectrograms [batch, 1, mels, frames], as LogMelSpectrogram's.

    One filterbank instead of all that pitch shifts need.  `precision` is that of the Fourier transform, for
    programs whose transform is less exact than torch's.
    """

    window: Tensor
    filterbank: Tensor

    def __init__(self, config: SpectrogramConfig, precision: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.config = config
        self.precision = precision
        self.register_buffer("window", torch.hann_window(config.n_fft, dtype=precision))
        self.register_buffer("filterbank", mel_filterbank(config))  # [mels, bins]

    def forward(self, waveform: Tensor) -> Tensor:
        half = self.config.n_fft // 2
        padded = nn.functional.pad(waveform.unsqueeze(1), (half, half), mode="reflect").squeeze(1)
        padded = padded.to(self.precision)
        frames = padded.unfold(1, self.config.n_fft, self.config.hop_length) * self.window
        parts = torch.view_as_real(torch.fft.rfft(frames))  # [batch, frames, bins, 2]
        power = parts.square().sum(-1).mT.float()
        return torch.matmul(self.filterbank, power).mul(self.config.reference_gain).log1p().unsqueeze(1)
