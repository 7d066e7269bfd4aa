"""What a busy neighbour costs a training step, by how torch's threads wait for each other.

Times a step of the default model with batches of 2 and of 32, alone and beside a process that keeps one core
busy, for three ways of OpenMP: to spin (torch's default), to sleep, and to spin for some microseconds first
(what the program sets).  One of each in turn; the median of all rounds.

    python benchmarks/threads.py
"""

import os
import statistics
import subprocess
import sys
import time
from itertools import product

from core.engine import WAITING

ROUNDS, MEASURED_S = 3, 4.0
BATCHES = 2, 32
WAYS = {
    "spin (torch's default)": {"OMP_WAIT_POLICY": "ACTIVE"},
    "sleep": {"OMP_WAIT_POLICY": "PASSIVE"},
    "spin a little, then sleep": WAITING,
}
NEIGHBOUR = [sys.executable, "-c", "while True: pass"]


def time_steps(batch_size: int) -> float:
    """Median seconds of a forward and backward pass, after the first."""
    import torch

    from core.config import SpectrogramConfig, TrainingConfig
    from core.model import build_model

    config = TrainingConfig().resolved(1).model_config(SpectrogramConfig())
    model = build_model(config)
    log_mel = torch.rand(batch_size, 1, config.n_mels, config.n_frames)
    times_s: list[float] = []
    while len(times_s) < 4 or sum(times_s) < MEASURED_S:
        started_s = time.perf_counter()
        model(log_mel, torch.randn(batch_size, config.latent_dim)).reconstruction.square().mean().backward()
        times_s.append(time.perf_counter() - started_s)
    return statistics.median(times_s[1:])


def measure(way: str, batch_size: int) -> float:
    environment = {name: value for name, value in os.environ.items() if name not in WAITING}
    environment |= {"PYTHONPATH": os.pathsep.join(sys.path[1:]), **WAYS[way]}
    found = subprocess.run(
        [sys.executable, __file__, str(batch_size)],
        env=environment, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return float(found.stdout)


def measure_beside(way: str, batch_size: int) -> float:
    neighbour = subprocess.Popen(NEIGHBOUR)
    try:
        return measure(way, batch_size)
    finally:
        neighbour.kill()
        neighbour.wait()


def main() -> None:
    if batch_size := sys.argv[1:]:
        print(time_steps(int(batch_size[0])))
        return
    rows = list(product(BATCHES, WAYS))
    times_s = [[(measure(way, size), measure_beside(way, size)) for size, way in rows] for _ in range(ROUNDS)]
    print("| batch | threads wait | alone, ms | beside a busy process, ms |")
    print("|---|---|---|---|")
    for (size, way), of_rounds in zip(rows, zip(*times_s, strict=True), strict=True):
        alone_s, beside_s = (statistics.median(each) for each in zip(*of_rounds, strict=True))
        print(f"| {size} | {way} | {alone_s * 1000:.0f} | {beside_s * 1000:.0f} |")


if __name__ == "__main__":
    main()
