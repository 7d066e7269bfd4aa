"""What the sizes of the model cost: the time of a training step beside what the settings screen says.

Times forward pass, backward pass and optimiser for batches of 8, one size after the other, again and again;
the shortest counts, relative to the usual sizes.

    python benchmarks/sizes.py
"""

import math
import time

import torch

from core.config import SettingValue, TrainingConfig
from core.model import build_model
from core.optim.optimizer import Optimizer

BATCH = 8
ROUNDS = 5
SIZES: list[dict[str, SettingValue]] = [
    {}, {"width": 16}, {"width": 64}, {"mel_bands": 64}, {"mel_bands": 160}, {"chunk_duration_s": 0.25},
    {"chunk_duration_s": 4.0}, {"latent_dim": 8}, {"latent_dim": 64}, {"latent_dim": 512},
]  # fmt: skip


class Step:
    """A training step of a model of one size."""

    def __init__(self, config: TrainingConfig) -> None:
        shape = config.resolved(1).model_config(config.spectrogram)
        self.multiply_adds = shape.multiply_adds
        self.shortest_s = math.inf
        self._model = build_model(shape)
        self._optimizer = Optimizer(self._model.parameter_groups(), 0.01)
        self._log_mel = torch.rand(BATCH, 1, shape.n_mels, shape.n_frames)
        self._noise = torch.randn(BATCH, shape.latent_dim)

    def time(self) -> None:
        started_s = time.perf_counter()
        self._optimizer.zero_grad()
        output = self._model(self._log_mel, self._noise)
        (output.reconstruction - self._log_mel).square().mean().backward()
        self._optimizer.step(torch.tensor(1e-4), torch.tensor(True))
        self.shortest_s = min(self.shortest_s, time.perf_counter() - started_s)


def main() -> None:
    steps = [Step(TrainingConfig().with_settings(size)) for size in SIZES]
    for _ in range(ROUNDS):
        for step in steps:
            step.time()
    usual = steps[0]
    print("| sizes | computing, as estimated | time |")
    print("|---|---|---|")
    for size, step in zip(SIZES, steps, strict=True):
        name = ", ".join(f"{key}={value}" for key, value in size.items()) or "usual"
        computing, taken = step.multiply_adds / usual.multiply_adds, step.shortest_s / usual.shortest_s
        print(f"| {name} | {computing:.2f} | {taken:.2f} |")


if __name__ == "__main__":
    main()
