"""(a), (b), (g) and (h) on a CUDA device, and what capturing the step gains there."""

import shutil
import statistics
import subprocess
import threading
import time

import torch

from core.device import be_deterministic
from speed_parts.engine import (
    BareStep,
    Engine,
    relative_to_usual,
    share_of_extras,
    slowest_to_fastest,
    sounds,
    take_steps,
)
from speed_parts.table import at_least, at_most, medians, print_row

STEPS, ROUNDS = 100, 7
CUDA = torch.device("cuda")


def gpu() -> None:
    if not torch.cuda.is_available():
        print("| (a) and (b) on a GPU: not measured, there is none | | | |", flush=True)
        return
    be_deterministic(False)  # as a run does
    about = torch.cuda.get_device_properties()
    print_row(f"CUDA is an {about.name}; its memory, GB", about.total_memory / 1e9)
    with sounds(50, 5.0) as (folder, report):
        with Engine(folder, report, device=CUDA) as engine:
            against_bare(engine)
        with Engine(folder, report, device=CUDA) as engine:
            ratio = relative_to_usual(engine, augments=True)
            at_least("(b) CUDA: steps a second relative to a DataLoader's, both augmented", ratio, 10)
        share_of_extras(folder, report, "CUDA, 50 files of 5 s", CUDA)
        with Engine(folder, report, device=CUDA) as engine:
            longest_steps(engine)
    ratio = slowest_to_fastest(CUDA, STEPS // 5, lambda _: None)
    at_most("(h) CUDA: slowest step relative to the fastest, 5 to 5 000 files", ratio, 1.1)
    print_row("(h) CUDA: most memory that was in use, MB", torch.cuda.max_memory_allocated() / 1e6)


def against_bare(engine: Engine) -> None:
    """Steps as they are, steps that launch every kernel, and bare ones on one batch, in turn."""
    bare, batch, trainer = BareStep(engine), engine.batch(), engine.trainer
    captured = trainer.steps.step

    def bare_steps() -> None:
        for _ in range(STEPS):
            bare.take(batch)
        torch.cuda.synchronize()

    def eager_steps() -> None:
        trainer.steps.step = captured.eager_step  # type: ignore[union-attr]
        take_steps(engine, STEPS)
        trainer.steps.step = captured

    with Utilisation() as use:
        take_steps(engine, 20 * STEPS)
    ours_s, eager_s, bare_s = medians(ROUNDS, lambda: take_steps(engine, STEPS), eager_steps, bare_steps)
    at_least("(a) CUDA: steps a second relative to the eager bare step's, augmented", bare_s / ours_s, 1.5)
    print_row("(a) CUDA: captured steps a second relative to eager ones", eager_s / ours_s)
    print_row("(a) CUDA: steps a second", STEPS / ours_s)
    print_row("(a) CUDA: utilisation while training, %", use.median)


def longest_steps(engine: Engine) -> None:
    """What previews that are rendered beside the steps do to single ones."""
    trainer = engine.trainer

    def step_ms() -> float:
        started_s = time.perf_counter()
        trainer.train_step()
        torch.cuda.current_stream().synchronize()
        return 1e3 * (time.perf_counter() - started_s)

    take_steps(engine, STEPS)  # of which the first is captured
    trainer.render_previews()
    trainer.previewer.finish()
    alone_ms = [step_ms() for _ in range(5 * STEPS)]
    beside_ms = []
    for _ in range(ROUNDS):
        trainer.render_previews()
        while trainer.previewer.is_rendering:
            beside_ms.append(step_ms())
            trainer.previewer.collect()
    for what, found in (("alone", alone_ms), ("while previews are rendered", beside_ms)):
        print_row(f"(g) CUDA: a step {what}, ms, the median", statistics.median(found))
        print_row(f"(g) CUDA: a step {what}, ms, the longest", max(found))


class Utilisation:
    """What nvidia-smi says meanwhile."""

    def __enter__(self) -> "Utilisation":
        self._percent: list[float] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    @property
    def median(self) -> float:
        return statistics.median(self._percent) if self._percent else float("nan")

    def _ask(self) -> None:
        question = ["nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits"]
        while shutil.which(question[0]) and not self._is_over.wait(0.2):
            answer = subprocess.run(question, capture_output=True, text=True)
            self._percent += [float(line) for line in answer.stdout.split()[:1]]
