"""Whole runs on every preset, on sounds of any length, and on odd ones."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from core.config import PRESETS
from core.events import StepFinished
from tests.conftest import MakeRun
from tests.sounds import write_tone
from tests.training import end, of, train


@pytest.mark.parametrize(
    ("preset", "loss"), [*((preset, "calibrated") for preset in PRESETS), ("balanced", "mse")]
)
def test_every_preset_and_loss_trains(make_run: MakeRun, preset: str, loss: str) -> None:
    values = {
        name: value for name, value in PRESETS[preset].values.items() if name in ("dropout", "weight_decay")
    }
    assert end(train(make_run(loss=loss, epochs=1, **values))).state == "finished"


def test_a_deterministic_run_trains(make_run: MakeRun) -> None:
    assert end(train(make_run(deterministic=True, epochs=1))).state == "finished"
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("count", [1, 2, 3, 5, 12])
def test_any_number_of_files_of_any_length_trains(make_run: MakeRun, tmp_path: Path, count: int) -> None:
    folder = tmp_path / "mixed"
    folder.mkdir()
    for index, duration_s in enumerate(
        (0.05, 60.0, 1.0, 0.3, 7.5, 0.1, 2.0, 0.7, 3.3, 0.05, 1.5, 4.0)[:count]
    ):
        write_tone(folder / f"{index}.wav", 100.0 * (index + 1), duration_s, samplerate=8000)
    run = make_run("mixed", folder, chunk_duration_s=1.0, epochs=1, batch_size=None)
    assert end(train(run)).state == "finished"


@pytest.mark.parametrize("chunk_duration_s", [0.25, 0.7, 4.0])
def test_any_chunk_duration_trains(make_run: MakeRun, chunk_duration_s: float) -> None:
    assert end(train(make_run(chunk_duration_s=chunk_duration_s, epochs=1))).state == "finished"


def test_a_batch_larger_than_the_dataset_trains(make_run: MakeRun) -> None:
    run = make_run(batch_size=64, epochs=1)
    assert end(train(run)).state == "finished"
    assert run.read_manifest().steps_per_epoch == 1


def test_one_sample_constant_and_near_silence_give_finite_losses(make_run: MakeRun, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    folder.mkdir()
    soundfile.write(folder / "one.wav", np.array([0.5]), 48_000)
    soundfile.write(folder / "constant.wav", np.full(30_000, 0.25), 48_000, subtype="FLOAT")
    soundfile.write(folder / "loud.wav", np.full(30_000, 3e4), 48_000, subtype="FLOAT")
    soundfile.write(folder / "quiet.wav", 1.1e-3 * np.sin(np.arange(30_000) / 20), 48_000, subtype="FLOAT")
    soundfile.write(folder / "gap.wav", np.concatenate([np.ones(100), np.zeros(60_000)]), 48_000)
    events = train(make_run("odd", folder, epochs=3, augmentation_expansion=4))
    assert end(events).state == "finished"
    assert all(each.train_loss is not None for each in of(StepFinished, events))
