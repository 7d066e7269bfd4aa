"""How well mel spectrograms are turned back into sound, ours against torchaudio's.

Takes the first second of every sixth sound of a folder (48 kHz, mono), inverts its true mel spectrogram, and
prints what is lost: the mean absolute difference of the natural logarithms of the magnitudes (from 1e-5), the
spectral convergence and the root-mean-square error of the log-mel spectrograms.  All: less is better.  The
time is relative to the first row.

    python benchmarks/inversion.py [FOLDER]
"""

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import torch
import torchaudio
from torch import Tensor

from core.audio.files import decode_mono
from core.audio.inversion import MelInverter
from core.audio.spectrogram import LogMelSpectrogram
from core.config import SpectrogramConfig
from core.errors import AudioFileError

DEFAULT_FOLDER = Path("/usr/share/sonic-pi/samples")  # Debian's package sonic-pi-samples
EVERY = 6
SMALLEST_MAGNITUDE = 1e-5
CONFIG = SpectrogramConfig()
SAMPLES = CONFIG.sample_rate

Inversion = Callable[[Tensor], Tensor]


def read_sounds(folder: Path) -> Tensor:
    """[sounds, samples] of the first second each, padded with silence."""
    sounds = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        try:
            sound = torch.from_numpy(decode_mono(path, CONFIG.sample_rate, lambda: False))[:SAMPLES]
        except AudioFileError:
            continue
        sounds.append(torch.nn.functional.pad(sound, (0, SAMPLES - len(sound))))
    return torch.stack(sounds[::EVERY])


def torchaudio_inversion() -> Inversion:
    """`InverseMelScale` (least squares) and 64 iterations of Griffin-Lim."""
    to_linear = torchaudio.transforms.InverseMelScale(
        n_stft=CONFIG.n_fft // 2 + 1, n_mels=CONFIG.n_mels, sample_rate=CONFIG.sample_rate, mel_scale="slaney"
    )
    griffin_lim = torchaudio.transforms.GriffinLim(
        n_fft=CONFIG.n_fft, hop_length=CONFIG.hop_length, n_iter=64, length=SAMPLES
    )

    def invert(log_mel: Tensor) -> Tensor:
        waveform: Tensor = griffin_lim(to_linear(log_mel.squeeze(1).expm1()))
        return waveform

    return invert


def own_inversion() -> Inversion:
    inverter = MelInverter(CONFIG)
    return lambda log_mel: inverter(log_mel, SAMPLES, torch.Generator().manual_seed(0))


def magnitudes(sound: Tensor) -> Tensor:
    window = torch.hann_window(CONFIG.n_fft)
    return torch.stft(sound, CONFIG.n_fft, CONFIG.hop_length, window=window, return_complex=True).abs()


def log_magnitude(magnitude: Tensor) -> Tensor:
    return magnitude.clamp_min(SMALLEST_MAGNITUDE).log()


def measure(sounds: Tensor, invert: Inversion) -> tuple[float, float, float, float]:
    """Log-magnitude L1, spectral convergence, log-mel RMSE (means over sounds) and seconds."""
    to_mel = LogMelSpectrogram(CONFIG)
    log_l1 = convergence = mel_error = seconds = 0.0
    for sound in sounds.split(1):
        log_mel = to_mel(sound)
        started_s = time.perf_counter()
        again = invert(log_mel)
        seconds += time.perf_counter() - started_s
        true, rebuilt = magnitudes(sound), magnitudes(again)
        log_l1 += float((log_magnitude(rebuilt) - log_magnitude(true)).abs().mean())
        convergence += float(torch.linalg.norm(rebuilt - true) / torch.linalg.norm(true))
        mel_error += float((to_mel(again) - log_mel).square().mean().sqrt())
    count = len(sounds)
    return log_l1 / count, convergence / count, mel_error / count, seconds


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?", default=DEFAULT_FOLDER)
    sounds = read_sounds(parser.parse_args().folder)
    print(f"{len(sounds)} sounds\n")
    print("| inversion | log-magnitude L1 | spectral convergence | log-mel RMSE | time |")
    print("|---|---|---|---|---|")
    first_s = None
    for name, invert in (
        ("torchaudio InverseMelScale + Griffin-Lim 64", torchaudio_inversion()),
        ("multiplicative updates + fast Griffin-Lim 64 (ours)", own_inversion()),
    ):
        *errors, seconds = measure(sounds, invert)
        first_s = first_s or seconds
        print(f"| {name} | {' | '.join(f'{error:.3f}' for error in errors)} | {seconds / first_s:.2f} |")


if __name__ == "__main__":
    main()
