"""Log-mel spectrogram back to a waveform: mel to linear spectrum, then a phase for it."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from core.audio.spectrogram import mel_filterbank
from core.config import SpectrogramConfig
from core.errors import Cancelled

TINY = 1e-10


class MelInverter(nn.Module):
    """Estimates the waveform whose log-mel spectrogram is given.

    First a non-negative power spectrum by multiplicative updates that minimise the generalised
    Kullback-Leibler divergence (Lee & Seung, "Algorithms for Non-negative Matrix Factorization", NIPS 2000)
    from the clamped pseudo-inverse; then a phase by the fast Griffin-Lim algorithm (Perraudin, Balazs &
    Søndergaard, "A fast Griffin-Lim algorithm", WASPAA 2013).
    """

    filterbank: Tensor
    pseudo_inverse: Tensor
    coverage: Tensor
    window: Tensor

    def __init__(
        self, config: SpectrogramConfig, updates: int = 50, iterations: int = 64, momentum: float = 0.99
    ) -> None:
        super().__init__()
        self.config = config
        self.updates = updates
        self.iterations = iterations
        self.momentum = momentum
        filterbank = mel_filterbank(config)
        self.register_buffer("filterbank", filterbank, persistent=False)
        inverse = torch.linalg.pinv(filterbank.double()).float()
        self.register_buffer("pseudo_inverse", inverse, persistent=False)
        self.register_buffer("coverage", filterbank.sum(0).unsqueeze(1).clamp_min(TINY), persistent=False)
        self.register_buffer("window", torch.hann_window(config.n_fft), persistent=False)

    def forward(
        self,
        log_mel: Tensor,
        samples: int,
        generator: torch.Generator,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Tensor:
        """[batch, 1, mels, frames] of log(1 + mel power) to [batch, samples].

        The first phase is drawn from `generator`, so the same call gives the same sound.  Raises Cancelled
        within a few iterations.
        """
        magnitude = self.power_spectrum(log_mel).sqrt()
        return self.griffin_lim(magnitude, samples, generator, cancelled)

    def power_spectrum(self, log_mel: Tensor) -> Tensor:
        """[batch, 1, mels, frames] to a non-negative power spectrum [batch, bins, frames]."""
        mel = log_mel.squeeze(1).expm1().clamp_min(0)
        power = (self.pseudo_inverse @ mel).clamp_min(TINY)
        for _ in range(self.updates):
            ratio = mel / (self.filterbank @ power).clamp_min(TINY)
            power = power * (self.filterbank.T @ ratio) / self.coverage
        return power

    def griffin_lim(
        self,
        magnitude: Tensor,
        samples: int,
        generator: torch.Generator,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Tensor:
        """A waveform [batch, samples] whose STFT has about this magnitude [batch, bins, frames]."""
        config = self.config
        phase = torch.rand(magnitude.shape, generator=generator).to(magnitude.device) * (2 * torch.pi)
        direction = torch.polar(torch.ones_like(magnitude), phase)
        inertia = self.momentum / (1 + self.momentum)
        previous = torch.zeros_like(direction)
        for _ in range(self.iterations):
            if cancelled():
                raise Cancelled
            waveform = self._istft(magnitude * direction, samples)
            rebuilt = torch.stft(
                waveform, config.n_fft, config.hop_length, window=self.window, return_complex=True
            )
            direction = rebuilt - inertia * previous
            direction = direction / direction.abs().clamp_min(TINY)
            previous = rebuilt
        return self._istft(magnitude * direction, samples)

    def _istft(self, spectrum: Tensor, samples: int) -> Tensor:
        config = self.config
        return torch.istft(spectrum, config.n_fft, config.hop_length, window=self.window, length=samples)
