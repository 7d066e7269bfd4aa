"""How well mel spectrograms are turned back into sound, ours against torchaudio's.

Takes the first second of every sixth sound of a folder (48 kHz, mono), inverts its true mel spectrogram, and
prints what is lost, as means over the sounds: the mean absolute difference of the natural logarithms of the
magnitudes, clamped at 1e-5 (STFT: Hann 2048, hop 512; full scale 1), the spectral convergence (norm of the
magnitudes' difference over the true norm) and the root-mean-square error of log(1 + mel power).  All: less is
better.  The time is of one thread and relative to the first row; the inversions take turns, so that a busy
machine slows all of them.

    python benchmarks/inversion.py [FOLDER]
"""

import argparse
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
import torchaudio
from torch import Tensor

from core.audio.inversion import QUALITIES, MelInverter
from core.audio.reader import Decoders, decode_mono
from core.audio.spectrogram import LogMelSpectrogram
from core.config import SpectrogramConfig
from core.errors import AudioFileError

DEFAULT_FOLDER = Path("/usr/share/sonic-pi/samples")  # Debian's package sonic-pi-samples
EVERY = 6
SMALLEST_MAGNITUDE = 1e-5
CONFIG = SpectrogramConfig(reference_gain=1.0)  # that of the figures in RESULTS.md
SAMPLES = CONFIG.sample_rate
BEST_BOUNDS = (0.33, 0.30, 0.08, 10.0)  # what is asked of "best": the three errors, and the time

Inversion = Callable[[Tensor], Tensor]


def read_sounds(folder: Path) -> Tensor:
    """[sounds, samples] of the first second each, padded with silence."""
    sounds = []
    with Decoders() as decoders:
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            try:
                with decoders.open(path) as file:
                    sound = torch.from_numpy(decode_mono(file, CONFIG.sample_rate))[:SAMPLES]
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


def own_inversion(quality: str) -> Inversion:
    inverter = MelInverter(CONFIG, QUALITIES[quality])
    return lambda log_mel: inverter(log_mel, SAMPLES, [torch.Generator().manual_seed(0)])


def magnitudes(sound: Tensor) -> Tensor:
    window = torch.hann_window(CONFIG.n_fft)
    return torch.stft(sound, CONFIG.n_fft, CONFIG.hop_length, window=window, return_complex=True).abs()


def log_magnitude(magnitude: Tensor) -> Tensor:
    return magnitude.clamp_min(SMALLEST_MAGNITUDE).log()


def measure(sounds: Tensor, inversions: Mapping[str, Inversion]) -> dict[str, list[float]]:
    """Log-magnitude L1, spectral convergence, log-mel RMSE and seconds of each: means over the sounds."""
    to_mel = LogMelSpectrogram(CONFIG)
    for invert in inversions.values():  # the first call of any allocates
        invert(to_mel(sounds[:1]))
    rows: dict[str, list[list[float]]] = {name: [] for name in inversions}
    for sound in sounds.split(1):
        log_mel = to_mel(sound)
        for name, invert in inversions.items():
            started_s = time.perf_counter()
            again = invert(log_mel)
            seconds = time.perf_counter() - started_s
            true, rebuilt = magnitudes(sound), magnitudes(again)
            log_l1 = float((log_magnitude(rebuilt) - log_magnitude(true)).abs().mean())
            convergence = float(torch.linalg.norm(rebuilt - true) / torch.linalg.norm(true))
            mel_error = float((to_mel(again) - log_mel).square().mean().sqrt())
            rows[name].append([log_l1, convergence, mel_error, seconds])
    return {name: torch.tensor(row, dtype=torch.float64).mean(0).tolist() for name, row in rows.items()}


@torch.no_grad()
def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, nargs="?", default=DEFAULT_FOLDER)
    sounds = read_sounds(parser.parse_args().folder)
    torch.set_num_threads(1)
    torch.manual_seed(0)  # torchaudio's first phase is drawn from the global generator
    peer = "torchaudio InverseMelScale + Griffin-Lim 64"
    measured = measure(
        sounds,
        {
            peer: torchaudio_inversion(),
            "ours, fast": own_inversion("fast"),
            "ours, best": own_inversion("best"),
        },
    )
    relative = {name: (*row[:3], row[3] / measured[peer][3]) for name, row in measured.items()}
    bounds = {"ours, fast": relative[peer], "ours, best": BEST_BOUNDS}
    print(f"{len(sounds)} sounds; torchaudio takes {measured[peer][3]:.2f} s for one\n")
    print("| inversion | log-magnitude L1 | spectral convergence | log-mel RMSE | time |")
    print("|---|---|---|---|---|")
    for name, row in relative.items():
        print(table_row(name, row))
        if name in bounds:
            met = all(value <= bound for value, bound in zip(row, bounds[name], strict=True))
            print(table_row(f"bounds of that: {'met' if met else 'MISSED'}", bounds[name], "≤ "))


def table_row(name: str, values: Sequence[float], sign: str = "") -> str:
    *errors, time_ratio = values
    return f"| {name} | {' | '.join(f'{sign}{error:.3f}' for error in errors)} | {sign}{time_ratio:.2f} |"


if __name__ == "__main__":
    main()
