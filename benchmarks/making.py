"""What is made from a trained model: whether the sounds are what they should be, and how long they take.

    python benchmarks/making.py RUN [PART …] [--device D]

RUN is the directory of a run with a checkpoint.  Parts; without any, all but the last:
  sounds   200 new sounds: silent, not finite, clipped, or longer than what they are near to by a tenth;
           the two that are most alike, relative to the two most alike training sounds (log-mel); whether the
           same seed gives the same bytes
  journey  60 s between three sounds: the largest step of samples and the largest spectral flux at the joints
           of chunks and of blocks, relative to those elsewhere
  rate     100 sounds of a second: time relative to the inversion alone of as many, one of each in turn
  drift    an hour of drift: the peak of memory, and its growth after the first five minutes
"""

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import soundfile
import torch

from core.audio.spectrogram import LogMelSpectrogram
from core.config import GenerateSettings, JourneySettings, MakingRequest, MakingSettings, OutputSettings
from core.engine import set_environment
from core.seeding import generator
from core.synthesis.making import GPU_BATCH, Made, Maker, MakingProgress

COUNT, RATE_COUNT, ROUNDS = 200, 100, 3
SEED = 1
SILENT_PEAK = 1e-4
JOINT_FRAMES = 2  # on either side
HOUR_S, FIRST_S = 3600.0, 300


def make(maker: Maker, to: Path, settings: MakingSettings, *sources: str) -> list[Made]:
    return list(maker.make(MakingRequest(settings, sources), OutputSettings(), to))


def read(path: Path) -> np.ndarray:
    samples: np.ndarray = soundfile.read(path, dtype="float32")[0]
    return samples


def log_mel(maker: Maker, samples: np.ndarray) -> torch.Tensor:
    """[mels, frames] at the level of training."""
    waveform = torch.from_numpy(samples * maker.bundle.level.gain)[None]
    found: torch.Tensor = LogMelSpectrogram(maker.bundle.spectrogram)(waveform)[0, 0]
    return found


def sounds(maker: Maker, folder: Path) -> None:
    bundle = maker.bundle
    made = make(maker, folder / "a", GenerateSettings(count=COUNT, seed=SEED))
    samples = [read(each.path) for each in made]
    peaks = [float(np.abs(each).max()) for each in samples]
    longest = [bundle.origin(each.record["near"]["number"] - 1).length_samples for each in made]
    width = bundle.chunk_samples
    mels = torch.stack([log_mel(maker, np.pad(each, (0, width - len(each)))) for each in samples])
    kept = bundle.latents.sounds
    assert kept is not None
    training = kept.log_mel(torch.arange(len(kept), device=bundle.device)).cpu()
    nearest_new, nearest_training = (float(torch.pdist(each.flatten(1)).min()) for each in (mels, training))
    again = make(maker, folder / "b", GenerateSettings(count=COUNT // 10, first=COUNT // 2, seed=SEED))
    same = sum(each.path.read_bytes() == (folder / "a" / each.path.name).read_bytes() for each in again)
    print(f"| {COUNT} sounds: silent | {sum(peak < SILENT_PEAK for peak in peaks)} |")
    print(f"| not finite | {sum(not np.isfinite(each).all() for each in samples)} |")
    print(f"| clipped | {sum(peak >= 1 for peak in peaks)} |")
    over = sum(len(each) > 1.1 * most for each, most in zip(samples, longest, strict=True))
    print(f"| longer than what it is near to by a tenth | {over} |")
    print(f"| the two most alike, relative to training sounds' | {nearest_new / nearest_training:.2f} |")
    print(f"| made again, the same bytes | {same} of {len(again)} |", flush=True)


def journey(maker: Maker, folder: Path) -> None:
    chunks = len(maker.bundle.latents)
    sources = [f"#{number}" for number in (1, chunks // 2, chunks)]
    (made,) = make(maker, folder, JourneySettings(seconds=60.0, seed=SEED), *sources)
    samples = read(made.path)
    flux = log_mel(maker, samples).diff(dim=1).abs().mean(0).numpy()
    hop = maker.bundle.spectrogram.hop_length
    steps = np.abs(np.diff(samples))
    steps = np.array([part.max() for part in np.split(steps, range(hop, len(steps), hop))])[: len(flux)]
    half = maker.bundle.model.config.n_frames // 2
    for what, every in (("chunks", half), ("blocks", 384)):
        at = np.zeros(len(flux), bool)
        for joint in range(every, len(flux), every):
            at[joint - JOINT_FRAMES : joint + JOINT_FRAMES] = True
        at[: JOINT_FRAMES * 2] = False
        print(f"| 60 s: largest step at joints of {what} | {steps[at].max() / steps[~at].max():.2f} |")
        print(f"| largest flux at joints of {what} | {flux[at].max() / flux[~at].max():.2f} |", flush=True)


def rate(maker: Maker, folder: Path) -> None:
    bundle = maker.bundle
    size = GPU_BATCH if bundle.device.type == "cuda" else torch.get_num_threads()
    log_mels = bundle.sample(size, generator(SEED, "rate"))
    draws = [generator(SEED, "phase", number) for number in range(size)]
    make(maker, folder / "warm", GenerateSettings(count=size, seed=0, seconds=1.0))
    alone, whole = [], []
    for turn in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(-(-RATE_COUNT // size)):
            bundle.render(log_mels, draws)
        alone.append(time.perf_counter() - start)
        start = time.perf_counter()
        make(maker, folder / str(turn), GenerateSettings(count=RATE_COUNT, seed=turn, seconds=1.0))
        whole.append(time.perf_counter() - start)
    ratio = float(np.median(np.array(whole) / np.array(alone)))
    print(f"| {RATE_COUNT} sounds of a second, relative to their inversion | {ratio:.2f} |")
    print(f"| sounds a second | {RATE_COUNT / min(whole):.1f} |", flush=True)


def drift(maker: Maker, folder: Path) -> None:
    (made,) = make(maker, folder, JourneySettings(seconds=HOUR_S, seed=SEED))
    peak = peak_bytes()
    print(f"| an hour of drift: peak of memory | {peak / 1e6:.0f} MB |")
    print(f"| growth after the first five minutes | {(peak - after_first[0]) / 1e6:.0f} MB |")
    print(f"| its length | {made.duration_s:.1f} s |", flush=True)


after_first: list[int] = []


def note_memory(progress: MakingProgress) -> None:
    if progress.unit == "s" and progress.done >= FIRST_S and not after_first:
        after_first.append(peak_bytes())


def peak_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


PARTS = {part.__name__: part for part in (sounds, journey, rate, drift)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("run", type=Path)
    parser.add_argument("parts", nargs="*", metavar="PART", choices=[*PARTS, []])
    parser.add_argument("--device")
    arguments = parser.parse_args()
    set_environment()
    maker = Maker(arguments.run, device=arguments.device, progress=note_memory)
    print(
        f"| {arguments.run.name}, step {maker.bundle.provenance.step}, {maker.bundle.device} | |\n|---|---|"
    )
    for name in arguments.parts or list(PARTS)[:-1]:
        with tempfile.TemporaryDirectory() as folder:
            PARTS[name](maker, Path(folder))


if __name__ == "__main__":
    main()
