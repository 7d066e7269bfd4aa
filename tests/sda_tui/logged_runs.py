"""Runs that were never trained: a log, previews and a checkpoint's worth of bytes, all the same each time."""

import dataclasses
import math
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from core.events import CheckpointSaved, PreviewReady, RunEvent, StateChanged, to_json
from core.runs import RunDirectory
from tests.conftest import create_run
from tests.sda_tui.driving import a_step, an_epoch
from tests.sounds import write_tone

NOW_S = 1_750_000_000.0
EPOCHS, TRAINED_EPOCHS = 40, 27
STEPS_PER_EPOCH = 4  # of eight training chunks, in batches of two
TOTAL_STEPS, TRAINED_STEPS = EPOCHS * STEPS_PER_EPOCH, TRAINED_EPOCHS * STEPS_PER_EPOCH
STEP_TIME_S = 0.5
CHECKPOINT_BYTES = 41_400_000
ENVELOPE = tuple(round(math.exp(-index / 20) * abs(math.sin(index)), 3) for index in range(100))


def make_run(home: Path, name: str, events: Iterable[RunEvent], age_s: float = 0) -> RunDirectory:
    """A run on the drums with this log, a checkpoint's worth of bytes, and last touched so long ago."""
    settings = {"epochs": EPOCHS, "chunk_duration_s": 1.0}
    run = create_run(home / "runs", name, home / "sounds" / "drums", settings)
    events = list(events)
    lines = (to_json(event, NOW_S + STEP_TIME_S * number) for number, event in enumerate(events))
    for event in events:
        if isinstance(event, PreviewReady):
            write_files_of(run, event)
    run.events.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    with (run.checkpoints / "best.pt").open("wb") as file:
        file.truncate(CHECKPOINT_BYTES)
    os.utime(run.events, (NOW_S - age_s, NOW_S - age_s))
    return run


def write_files_of(run: RunDirectory, preview: PreviewReady) -> None:
    """A tone, and a picture of a glide with its overtone."""
    path = write_tone(run.path / preview.path)
    time, mel = np.arange(94), np.arange(128)[:, None]
    glides = (np.exp(-(((mel - partial * (20 + time / 4)) / 4) ** 2)) for partial in (1, 2))
    np.save(path.with_suffix(".npy"), (8 * sum(glides) * np.exp(-time / 40)).astype(np.float32))


@contextmanager
def training(run: RunDirectory) -> Iterator[RunDirectory]:
    """Hold the lock, as the process does that trains the run."""
    run.lock.acquire()
    try:
        yield run
    finally:
        run.lock.release()


def trained(epochs: int) -> Iterator[RunEvent]:
    """The log of a run so many epochs on: losses fall, previews come every tenth epoch."""
    yield StateChanged("training", 0, 0, TOTAL_STEPS, EPOCHS)
    yield preview(0, "original", "drums/kick.wav")
    for epoch in range(1, epochs + 1):
        for index in range(STEPS_PER_EPOCH):
            step = (epoch - 1) * STEPS_PER_EPOCH + index + 1
            loss = 2 * math.exp(-step / 48) + 0.1 * math.sin(step)
            yield dataclasses.replace(
                a_step(step, loss), epoch=epoch, total_steps=TOTAL_STEPS, step_time_s=STEP_TIME_S
            )
        step = epoch * STEPS_PER_EPOCH
        yield dataclasses.replace(
            an_epoch(epoch, best_epoch=epoch, gap=epoch / 200),
            total_epochs=EPOCHS,
            step=step,
            train_loss=2 * math.exp(-step / 48),
            validation_loss=2.2 * math.exp(-step / 60),
            best_validation_loss=2.2 * math.exp(-step / 60),
            elapsed_s=step * STEP_TIME_S,
            eta_s=(TOTAL_STEPS - step) * STEP_TIME_S,
            memory_used_bytes=1_200_000_000,
            memory_peak_bytes=1_500_000_000,
            memory_total_bytes=16_000_000_000,
        )
        if epoch % 10 == 0:
            yield preview(epoch, "reconstruction", "drums/kick.wav")
            yield preview(epoch, "sample", "new sound 1")
            path = f"checkpoints/step-{step:09}.pt"
            yield CheckpointSaved(epoch, step, path, "interval", CHECKPOINT_BYTES)


def finished() -> Iterator[RunEvent]:
    yield from trained(EPOCHS)
    yield StateChanged("finished", TOTAL_STEPS, EPOCHS, TOTAL_STEPS, EPOCHS)


def preview(epoch: int, kind: str, label: str) -> PreviewReady:
    path = f"previews/epoch-{epoch:04}-{kind}.wav"
    return PreviewReady(epoch, epoch * STEPS_PER_EPOCH, kind, label, path, 1.0, ENVELOPE)
