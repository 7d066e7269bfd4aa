"""What the table of quality.py measures: errors of spectrograms, and distances by both judges."""

from functools import cached_property

import judges
import torch
from quality_models import Sounds, spread
from torch import Tensor

from core.audio.reader import Samples
from core.config import SpectrogramConfig

JUDGED = 100  # sounds of each kind, at most
REFERENCE = 256  # training chunks at most that new sounds come from and are compared with, as in the program
RESOLUTIONS = (512, 1024, 2048)
SAMPLE_RATE = SpectrogramConfig().sample_rate


def rmse(decoded: Tensor, log_mel: Tensor) -> float:
    return float((decoded - log_mel).square().mean().sqrt())


def at_gain(log_mel: Tensor, spectrogram: SpectrogramConfig, gain: float) -> Tensor:
    """The same spectrograms with another reference gain."""
    power = log_mel.clamp(0, spectrogram.largest_log_mel).expm1() / spectrogram.reference_gain
    return (power * gain).log1p()


def bands(log_mel: Tensor) -> Tensor:
    """Mean and deviation of each mel band: [chunks, 2 * mels]."""
    each = log_mel.squeeze(1)
    return torch.cat([each.mean(2), each.std(2)], dim=1)


def mean_distance(log_mel: Tensor) -> float:
    return float(torch.pdist(log_mel.flatten(1).cpu()).mean())


def change(log_mel: Tensor) -> float:
    """Mean absolute difference of neighbours along both axes."""
    return float(log_mel.diff(dim=2).abs().mean() + log_mel.diff(dim=3).abs().mean())


def stft_distance(ours: Tensor, theirs: Tensor) -> float:
    """Mean of spectral convergence and log-magnitude L1 over three resolutions: Yamamoto et al., 2020."""
    total = 0.0
    for size in RESOLUTIONS:
        window = torch.hann_window(size)
        a, b = (
            torch.stft(each, size, size // 4, window=window, return_complex=True).abs().clamp_min(1e-5)
            for each in (ours, theirs)
        )
        convergence = ((a - b).square().sum((1, 2)) / b.square().sum((1, 2)).clamp_min(1e-8)).sqrt().mean()
        total += float(convergence + (a.log() - b.log()).abs().mean())
    return total / len(RESOLUTIONS)


class Panel:
    """Both judges of one split, and what they make of its real sounds."""

    def __init__(self, sounds: Sounds) -> None:
        self._train, self.held_out = (
            list(store.chunks(spread(len(store), limit)).numpy())
            for store, limit in ((sounds.store, REFERENCE), (sounds.held_out_store, JUDGED))
        )
        self._judges: dict[str, judges.Judge] = {
            "judge": judges.NetworkJudge(),
            "modulation": judges.ModulationJudge(self._train, SAMPLE_RATE),
        }

    @cached_property
    def real(self) -> dict[str, tuple[judges.Points, judges.Points, float]]:
        """Training and held-out sounds, and the width of the kernel, by judge."""
        found = {}
        for name, judge in self._judges.items():
            train, held_out = judge(self._train, SAMPLE_RATE), judge(self.held_out, SAMPLE_RATE)
            found[name] = train, held_out, judges.kernel_width(judges.join(train, held_out))
        return found

    def floor(self, name: str) -> float:
        train, held_out, width = self.real[name]
        return judges.distance(train, held_out, width)

    def points(self, name: str, sounds: list[Samples]) -> judges.Points:
        return self._judges[name](sounds, SAMPLE_RATE)

    def distance(self, name: str, points: judges.Points) -> float:
        _, held_out, width = self.real[name]
        return judges.distance(points, held_out, width)

    def nearest(self, name: str, points: judges.Points) -> float:
        train, held_out, _ = self.real[name]
        return judges.nearest(points, train) / judges.nearest(held_out, train)
