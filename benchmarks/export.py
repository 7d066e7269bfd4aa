"""Exports of a trained run: sizes, times, differences from the checkpoint, and the time of a buffer in nn~.

python benchmarks/export.py RUN FOLDER-OF-SOUNDS
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnxruntime
import soundfile
import torch

from core.synthesis.export import (
    ModelSource,
    open_source,
    write_bundle,
    write_nn_tilde,
    write_onnx,
    write_programs,
)

SOUNDS = 28
REPEATS = 10
WARM_UP = 3  # TorchScript optimises in the first calls


def main() -> None:
    run, sounds = map(Path, sys.argv[1:])
    source = open_source(run)
    with tempfile.TemporaryDirectory() as folder:
        start = Path(folder) / "model-"
        exports: dict[str, Callable[[], list[Path]]] = {
            "bundle": lambda: [write_bundle(Path(folder) / "model.safetensors", source)],
            "onnx": lambda: write_onnx(start, source),
            "torch": lambda: write_programs(start, source),
            "nn": lambda: [write_nn_tilde(Path(folder) / "model.ts", source)],
        }
        print("| export | MB | s |\n|---|---|---|")
        for kind, write in exports.items():
            started_s = time.perf_counter()
            sizes = [f"{path.stat().st_size / 1e6:.1f}" for path in write()]
            print(f"| {kind} | {' + '.join(sizes)} | {time.perf_counter() - started_s:.1f} |", flush=True)
        compare(source, read_sounds(sounds, source.bundle.chunk_samples), start)
        time_buffers(Path(folder) / "model.ts")


def read_sounds(folder: Path, samples: int) -> torch.Tensor:
    """The first chunk of some of the sounds in a folder, [sounds, samples]."""
    files = sorted(path for path in folder.iterdir() if path.suffix in {".flac", ".wav"})
    chunks = []
    for path in files[:: max(1, len(files) // SOUNDS)][:SOUNDS]:
        sound = soundfile.read(path, samples, dtype="float32", always_2d=True)[0].mean(1)
        chunks.append(np.pad(sound, (0, samples - len(sound))))
    return torch.from_numpy(np.stack(chunks))


def compare(source: ModelSource, sounds: torch.Tensor, start: Path) -> None:
    """Print the largest differences from the checkpoint, at two batch sizes."""
    bundle = source.bundle
    latent = bundle.encode(bundle.log_mel(sounds), steps=0)
    log_mel = bundle.decode(latent)
    sessions = {name: onnxruntime.InferenceSession(f"{start}{name}.onnx") for name in ("encoder", "decoder")}
    programs = {name: torch.export.load(f"{start}{name}.pt2").module() for name in sessions}
    given, wanted = {"encoder": sounds, "decoder": latent}, {"encoder": latent, "decoder": log_mel}
    print("\n| largest difference | batch | onnxruntime | torch.export |\n|---|---|---|---|")
    for name, session in sessions.items():
        for batch in (1, len(sounds)):
            item, expected = given[name][:batch], wanted[name][:batch]
            found = torch.from_numpy(session.run(None, {session.get_inputs()[0].name: item.numpy()})[0])
            program = programs[name](item)
            of_program = program[0] if isinstance(program, tuple) else program
            differences = [f"{(each - expected).abs().max():.1e}" for each in (found, of_program)]
            print(f"| {name} | {batch} | {' | '.join(differences)} |", flush=True)


@torch.inference_mode()
def time_buffers(path: Path) -> None:
    """Print the time of a buffer on one thread, as a share of what it plays."""
    torch.set_num_threads(1)
    model = torch.jit.load(path)
    played_s = model.ratio / model.sr
    inlets = int(model.decode_params[0])
    signals = {
        "decode": torch.zeros(1, inlets, 1),
        "prior": torch.zeros(1, 1, 1),
        "encode": 0.1 * torch.randn(1, 1, model.ratio),
        "forward": 0.1 * torch.randn(1, 1, model.ratio),
    }
    print(f"\n| nn~, buffers of {model.ratio} samples | ms | of its time |\n|---|---|---|")
    for method, signal in signals.items():
        times_s = []
        for _ in range(WARM_UP + REPEATS):
            started_s = time.perf_counter()
            getattr(model, method)(signal)
            times_s.append(time.perf_counter() - started_s)
        took_s = statistics.median(times_s[WARM_UP:])
        print(f"| {method} | {1e3 * took_s:.0f} | {took_s / played_s:.0%} |", flush=True)


if __name__ == "__main__":
    main()
