"""Log-mel spectrogram to a waveform: mel to linear spectrum, then a phase for it, then both together."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor, nn

from core.audio.spectrogram import mel_filterbank
from core.config import SpectrogramConfig
from core.errors import Cancelled

TINY = 1e-10
UPDATES = 10  # of the first spectrum; 3 are too few (log-mel RMSE 0.115 for 0.086), 30 gain nothing
INERTIA = 0.99 / (1 + 0.99)  # of the previous spectrum; more, as the method's authors use, was worse here


@dataclass(frozen=True)
class InversionQuality:
    """Number of random phases to start from, iterations of each, and further iterations of the best one."""

    starts: int
    iterations: int
    refinements: int


QUALITIES: Mapping[str, InversionQuality] = MappingProxyType({
    "fast": InversionQuality(starts=1, iterations=48, refinements=16),
    "best": InversionQuality(starts=4, iterations=48, refinements=128),
})  # fmt: skip


class MelInverter(nn.Module):
    """Estimates the waveform whose log-mel spectrogram is given.

    First a non-negative power spectrum by multiplicative updates that minimise the generalised
    Kullback-Leibler divergence (Lee & Seung, "Algorithms for Non-negative Matrix Factorization", NIPS 2000).
    They start from a flat spectrum, since they keep the holes of a sharper one, such as the clamped
    pseudo-inverse.  Then a phase by the fast Griffin-Lim algorithm (Perraudin, Balazs & Søndergaard, "A fast
    Griffin-Lim algorithm", WASPAA 2013).  Last both together: the same iterations, but the magnitude is
    the signal's own after one update towards the mel spectrogram.
    """

    filterbank: Tensor
    coverage: Tensor
    window: Tensor

    def __init__(self, config: SpectrogramConfig, quality: InversionQuality = QUALITIES["fast"]) -> None:
        super().__init__()
        self.config = config
        self.quality = quality
        filterbank = mel_filterbank(config).T.contiguous()  # [bins, mels]
        self.register_buffer("filterbank", filterbank, persistent=False)
        self.register_buffer("coverage", filterbank.sum(1).clamp_min(TINY), persistent=False)
        self.register_buffer("window", torch.hann_window(config.n_fft), persistent=False)

    def forward(
        self,
        log_mel: Tensor,
        samples: int,
        generators: Sequence[torch.Generator],
        cancelled: Callable[[], bool] = lambda: False,
        known: Tensor | None = None,
    ) -> Tensor:
        """[batch, 1, mels, frames] of LogMelSpectrogram's logarithms, below about 80, to [batch, samples].

        The initial phases of each sound are drawn from its own generator, so the same call returns the same
        sounds.  `known` [batch, fewer samples] is how the sounds begin, which the rest then continues.
        Raises Cancelled within a few iterations.
        """
        mel = self.mel_power(log_mel)
        quality = self.quality
        beginning = known.repeat_interleave(quality.starts, dim=0) if known is not None else None
        magnitude = self.power_spectrum(mel).sqrt().repeat_interleave(quality.starts, dim=0)
        shape = (quality.starts, *magnitude.shape[1:])
        phase = torch.cat([torch.rand(shape, generator=each) for each in generators])
        phase = phase.to(magnitude.device) * (2 * torch.pi)
        spectrum = torch.polar(magnitude, phase)
        spectrum = self.griffin_lim(
            spectrum, samples, quality.iterations, lambda _: magnitude, cancelled, beginning
        )
        spectrum = self._nearest(spectrum, samples, mel)
        spectrum = self.griffin_lim(
            spectrum,
            samples,
            quality.refinements,
            lambda rebuilt: self.fitted_magnitude(rebuilt, mel),
            cancelled,
            known,
        )
        return self.inverse_stft(spectrum, samples)

    def _nearest(self, spectrum: Tensor, samples: int, mel: Tensor) -> Tensor:
        """For each sound the start whose signal has the smallest log-mel error."""
        starts = self.quality.starts
        rebuilt = self.stft(self.inverse_stft(spectrum, samples))
        again, wanted = squared(rebuilt) @ self.filterbank, mel.repeat_interleave(starts, dim=0)
        gain = self.config.reference_gain
        error = ((again * gain).log1p() - (wanted * gain).log1p()).square().mean((1, 2))
        best = error.view(-1, starts).argmin(1)
        return spectrum[torch.arange(len(best), device=best.device) * starts + best]

    def mel_power(self, log_mel: Tensor) -> Tensor:
        """Log-mel spectrograms [batch, 1, mels, frames] to mel power [batch, frames, mels]."""
        power = log_mel.squeeze(1).mT.expm1() / self.config.reference_gain
        return power.clamp_min(0).contiguous()

    def power_spectrum(self, mel: Tensor) -> Tensor:
        """Mel power [batch, frames, mels] to a non-negative power spectrum [batch, frames, bins]."""
        power = mel.new_ones(*mel.shape[:2], len(self.filterbank))
        for _ in range(UPDATES):
            power = self._update(power, mel)
        return power

    def fitted_magnitude(self, spectrum: Tensor, mel: Tensor) -> Tensor:
        """The magnitude of a complex spectrum [batch, frames, bins] after an update towards the mel power."""
        return self._update(squared(spectrum), mel).sqrt()

    def _update(self, power: Tensor, mel: Tensor) -> Tensor:
        ratio = mel / (power @ self.filterbank).clamp_min(TINY)
        return power * (ratio @ self.filterbank.T) / self.coverage

    def griffin_lim(
        self,
        spectrum: Tensor,
        samples: int,
        iterations: int,
        magnitude: Callable[[Tensor], Tensor],
        cancelled: Callable[[], bool] = lambda: False,
        known: Tensor | None = None,
    ) -> Tensor:
        """Move a complex spectrum [batch, frames, bins] nearer to that of a real signal.

        After each projection on the spectra of signals, those that begin with `known` if it is given,
        `magnitude` returns the magnitude to set.
        """
        previous = torch.zeros_like(spectrum)
        for _ in range(iterations):
            if cancelled():
                raise Cancelled
            spectrum, previous = self.iterate(spectrum, previous, samples, magnitude, known)
        return spectrum

    def iterate(
        self,
        spectrum: Tensor,
        previous: Tensor,
        samples: int,
        magnitude: Callable[[Tensor], Tensor],
        known: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """One iteration of `griffin_lim`, and the projection that is the `previous` of the next one."""
        waveform = self.inverse_stft(spectrum, samples)
        if known is not None:
            waveform[:, : known.shape[1]] = known
        rebuilt = self.stft(waveform)
        direction = torch.sub(rebuilt, previous, alpha=INERTIA)
        length = squared(direction).clamp_min(TINY**2).sqrt()
        return direction * (magnitude(rebuilt) / length), rebuilt

    # torch.stft and torch.istft return the same, but take twice the time.

    def stft(self, waveform: Tensor) -> Tensor:
        """[batch, samples] to a complex spectrum [batch, frames, bins], centred, as LogMelSpectrogram's."""
        half = self.config.n_fft // 2
        padded = nn.functional.pad(waveform.unsqueeze(1), (half, half), mode="reflect").squeeze(1)
        frames = padded.unfold(1, self.config.n_fft, self.config.hop_length) * self.window
        spectrum: Tensor = torch.fft.rfft(frames)
        return spectrum

    def inverse_stft(self, spectrum: Tensor, samples: int) -> Tensor:
        """The signal [batch, samples] whose STFT is nearest to the spectrum [batch, frames, bins]."""
        frames = torch.fft.irfft(spectrum, n=self.config.n_fft) * self.window
        envelope = self._overlap_add(self.window.square().expand(1, *frames.shape[1:]), samples)
        return self._overlap_add(frames, samples) / envelope

    def _overlap_add(self, frames: Tensor, samples: int) -> Tensor:
        """Windows [batch, frames, n_fft] to [batch, samples].  The hop must divide the window."""
        batch, count, width = frames.shape
        hop = self.config.hop_length
        parts = frames.view(batch, count, width // hop, hop).unbind(2)
        total = frames.new_zeros(batch, count + len(parts) - 1, hop)
        for offset, part in enumerate(parts):
            total[:, offset : offset + count] += part
        return total.flatten(1)[:, width // 2 : width // 2 + samples]


def squared(spectrum: Tensor) -> Tensor:
    """|z|² without the square root of abs()."""
    return torch.addcmul(spectrum.real.square(), spectrum.imag, spectrum.imag)
