"""(a) and (b) on a CUDA device, and what recording the step gains there."""

import shutil
import statistics
import subprocess
import threading

import torch

from speed_parts.engine import BATCH, BareStep, Engine, relative_to_usual, sounds, take_steps
from speed_parts.table import at_least, medians, tell

STEPS, ROUNDS = 100, 7
CUDA = torch.device("cuda")


def gpu() -> None:
    if not torch.cuda.is_available():
        print("| (a) and (b) on a GPU: not measured, there is none | | | |", flush=True)
        return
    about = torch.cuda.get_device_properties()
    tell(f"CUDA is an {about.name}; its memory, GB", about.total_memory / 1e9)
    with sounds(50, 5.0) as (folder, report):
        with Engine(folder, report, device=CUDA) as engine:
            against_bare(engine)
        with Engine(folder, report, device=CUDA) as engine:
            ratio = relative_to_usual(engine, augments=True)
            at_least("(b) CUDA: steps a second relative to a DataLoader's, both augmented", ratio, 10)
    tell("(h) CUDA: most memory that was in use, MB", torch.cuda.max_memory_allocated() / 1e6)


def against_bare(engine: Engine) -> None:
    """Steps as they are, steps that launch every kernel, and bare ones on one batch, in turn."""
    bare, batch, trainer = BareStep(engine), engine.bench.batches.batch(0, BATCH), engine.trainer
    recorded = trainer._step

    def bare_steps() -> None:
        for _ in range(STEPS):
            bare.take(batch)
        torch.cuda.synchronize()

    def eager_steps() -> None:
        trainer._step = recorded._step  # type: ignore[union-attr]
        take_steps(engine, STEPS)
        trainer._step = recorded

    with Utilisation() as use:
        take_steps(engine, 5 * STEPS)
    ours_s, eager_s, bare_s = medians(ROUNDS, lambda: take_steps(engine, STEPS), eager_steps, bare_steps)
    at_least("(a) CUDA: steps a second relative to the eager bare step's, augmented", bare_s / ours_s, 1.5)
    tell("(a) CUDA: recorded steps a second relative to eager ones", eager_s / ours_s)
    tell("(a) CUDA: steps a second", STEPS / ours_s)
    tell("(a) CUDA: utilisation while training, %", use.median)


class Utilisation:
    """What nvidia-smi says meanwhile."""

    def __enter__(self) -> "Utilisation":
        self._told: list[float] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    @property
    def median(self) -> float:
        return statistics.median(self._told) if self._told else float("nan")

    def _ask(self) -> None:
        question = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
        while shutil.which(question[0]) and not self._is_over.wait(0.2):
            told = subprocess.run(question, capture_output=True, text=True)
            self._told += [float(line) for line in told.stdout.split()[:1]]
