"""How soon a cancel is answered, in each phase of a run on a folder of many files.

Synthesises a folder of short sounds, and for each phase starts a run, cancels it when that phase has just
begun, and measures the time until the run's state is saved and the engine is free again.  Last, sends
SIGTERM to a `sda-tui train` in mid-run, and measures the time until the process is gone.

    python benchmarks/cancel.py [--files 500] [--repeats 3]
"""

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from core.config import TrainingConfig
from core.data.report import ScanReport
from core.data.scan import scan
from core.engine import EngineEvent, Runner
from core.errors import Cancelled
from core.events import (
    CheckpointSaved,
    EngineReady,
    LoadProgress,
    PreviewReady,
    RunState,
    StateChanged,
    StepFinished,
)
from core.runs import RunDirectory, RunManifest

SAMPLE_RATE = 44_100  # so that decoding resamples, as it usually does
CHUNK_DURATION_S = 1.0
PATIENCE_S = 300.0


def make_sounds(folder: Path, files: int) -> None:
    """Decaying tones with noise, 1 to 8 s."""
    for index in range(files):
        draws = np.random.default_rng(index)
        time_s = np.arange(round(SAMPLE_RATE * draws.uniform(1, 8))) / SAMPLE_RATE
        sound = np.sin(2 * np.pi * draws.uniform(60, 4000) * time_s) + draws.normal(0, 0.1, len(time_s))
        soundfile.write(folder / f"{index:04}.flac", 0.3 * sound * np.exp(-time_s), SAMPLE_RATE)


class Phases:
    """Tells from the events of a run when a phase begins."""

    def __init__(self, manifest: RunManifest) -> None:
        steps = manifest.steps_per_epoch
        self.begins: dict[str, Callable[[EngineEvent], bool]] = {
            "decoding": lambda event: isinstance(event, LoadProgress) and event.phase == "decoding",
            "preparing": lambda event: isinstance(event, LoadProgress) and event.phase == "measuring",
            "saving": lambda event: isinstance(event, StateChanged) and event.state == RunState.TRAINING,
            "first previews": lambda event: isinstance(event, CheckpointSaved),
            "training": lambda event: isinstance(event, StepFinished) and event.step == 3,
            "validating": lambda event: isinstance(event, StepFinished) and event.step == steps,
            "previewing": lambda event: isinstance(event, PreviewReady) and event.epoch == 2,
        }


def cancel_scan(folder: Path) -> float:
    cancelled = threading.Event()
    asked_s = 0.0
    try:
        for number, _ in enumerate(scan(folder, CHUNK_DURATION_S, cancelled=cancelled.is_set)):
            if number == 100:
                asked_s = time.perf_counter()
                cancelled.set()
    except Cancelled:
        return time.perf_counter() - asked_s
    raise RuntimeError("the scan ended before it was cancelled")


def cancel_run(
    runner: Runner, run: RunDirectory, listener: "Listener", begins: Callable[[EngineEvent], bool]
) -> float:
    listener.expect(begins)
    runner.train(run, "cpu")
    if not listener.begun.wait(PATIENCE_S):
        raise RuntimeError("the run did not get there")
    asked_s = time.perf_counter()
    runner.cancel()
    runner.wait()
    return time.perf_counter() - asked_s


def terminate(folder: Path, run: RunDirectory) -> float:
    command = [sys.executable, "-m", "sda_tui", "train", str(folder)]
    process = subprocess.Popen(
        [*command, "--runs", str(run.path.parent), "--name", run.name],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    until_s = time.monotonic() + PATIENCE_S
    while not (run.events.exists() and '"event":"step"' in run.events.read_text(encoding="utf-8")):
        if time.monotonic() > until_s or process.poll() is not None:
            raise RuntimeError("the run did not get there")
        time.sleep(0.2)
    asked_s = time.perf_counter()
    process.terminate()
    process.wait()
    return time.perf_counter() - asked_s


class Listener:
    """Listens to the engine until what is expected happens."""

    def __init__(self) -> None:
        self.begun = threading.Event()
        self._begins: Callable[[EngineEvent], bool] = lambda event: isinstance(event, EngineReady)

    def expect(self, begins: Callable[[EngineEvent], bool]) -> None:
        self.begun.clear()
        self._begins = begins

    def __call__(self, event: EngineEvent) -> None:
        if self._begins(event):
            self.begun.set()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    listener = Listener()
    runner = Runner(listener)
    runner.load()
    listener.begun.wait()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary, "sounds")
        folder.mkdir()
        make_sounds(folder, arguments.files)
        *_, report = scan(folder, CHUNK_DURATION_S)
        assert isinstance(report, ScanReport)
        config = TrainingConfig(preview_interval=2, augmentation_expansion=1)
        manifest = RunManifest.from_scan(report, "aggressive", config)
        print(f"{arguments.files} files, batches of {manifest.config.batch_size}\n")
        print("| phase | longest of all answers, s |")
        print("|---|---|")
        longest_s = max(cancel_scan(folder) for _ in range(arguments.repeats))
        print(f"| scanning | {longest_s:.2f} |", flush=True)
        for phase, begins in Phases(manifest).begins.items():
            answers_s = []
            for repeat in range(arguments.repeats):
                run = RunDirectory.create(
                    Path(temporary, "runs"), f"{phase.replace(' ', '-')}-{repeat}", manifest
                )
                answers_s.append(cancel_run(runner, run, listener, begins))
            print(f"| {phase} | {max(answers_s):.2f} |", flush=True)
        exits_s = [
            terminate(folder, RunDirectory(Path(temporary, "runs", f"terminated-{repeat}")))
            for repeat in range(arguments.repeats)
        ]
        print(f"| SIGTERM to the exit of the process | {max(exits_s):.2f} |", flush=True)


if __name__ == "__main__":
    main()
