"""What a busy neighbour costs a training step, by how torch's threads wait for each other.

Times a step of the default model with batches of 32, alone and beside a process that keeps one core busy, for
the two policies of OpenMP: ACTIVE (torch's default: spin) and PASSIVE (sleep; what the program sets).

    python benchmarks/threads.py
"""

import os
import statistics
import subprocess
import sys
import time

STEPS = 16
POLICIES = ("ACTIVE", "PASSIVE")
NEIGHBOUR = [sys.executable, "-c", "while True: pass"]


def time_steps() -> float:
    """Median seconds of a forward and backward pass, after the first."""
    import torch

    from core.config import SpectrogramConfig, TrainingConfig
    from core.model import build_model

    config = TrainingConfig().model_config(SpectrogramConfig())
    model = build_model(config)
    log_mel = torch.rand(32, 1, config.n_mels, config.n_frames)
    times_s = []
    for _ in range(STEPS):
        started_s = time.perf_counter()
        model(log_mel, torch.randn(32, config.latent_dim)).reconstruction.square().mean().backward()
        times_s.append(time.perf_counter() - started_s)
    return statistics.median(times_s[1:])


def measure(policy: str) -> float:
    environment = {**os.environ, "OMP_WAIT_POLICY": policy, "PYTHONPATH": os.pathsep.join(sys.path[1:])}
    found = subprocess.run(
        [sys.executable, __file__, "step"], env=environment, check=True, capture_output=True, text=True
    )
    return float(found.stdout)


def main() -> None:
    if sys.argv[1:] == ["step"]:
        print(time_steps())
        return
    print("| threads wait | alone, s | beside a busy process, s | ratio |")
    print("|---|---|---|---|")
    for policy in POLICIES:
        alone_s = measure(policy)
        neighbour = subprocess.Popen(NEIGHBOUR)
        try:
            beside_s = measure(policy)
        finally:
            neighbour.kill()
            neighbour.wait()
        print(f"| {policy} | {alone_s:.2f} | {beside_s:.2f} | {beside_s / alone_s:.1f} |", flush=True)


if __name__ == "__main__":
    main()
