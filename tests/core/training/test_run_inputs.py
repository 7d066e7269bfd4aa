"""Whole runs on every preset, on sounds of any length, on odd ones, and with a clip of one's own."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from core.audio.spectrogram import LogMelSpectrogram
from core.config import PRESETS
from core.events import EpochFinished, PreviewReady, StepFinished, Warned
from core.runs.held_out import FILE_ERRORS
from core.training.control import Control
from tests.conftest import MakeRun
from tests.sounds import tone, write_tone
from tests.training import assert_same_outcome, cancel_when, end, of, train, train_to


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


def test_a_run_whose_held_out_sounds_are_all_gone_trains(make_run: MakeRun, sounds: Path) -> None:
    run = make_run()
    for path in run.read_manifest().split.validation_paths:
        (sounds / path).unlink()
    events = train(run)
    assert end(events).state == "finished"
    assert of(EpochFinished, events)[-1].metrics[FILE_ERRORS] == (None,) * 4
    assert any("No validation sound is left" in warning.message for warning in of(Warned, events))


def test_an_own_clip_stays_the_same_whatever_becomes_of_its_file(
    make_run: MakeRun, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = write_tone(tmp_path / "Mine.flac", 333.0, 0.5)
    monkeypatch.chdir(tmp_path)
    whole, stopped = (make_run(name, preview_clip="Mine.flac", epochs=1) for name in ("whole", "stopped"))
    monkeypatch.chdir("/")
    assert stopped.read_manifest().config.preview_clip == str(mine)
    originals = [each for each in of(PreviewReady, train(whole)) if each.kind == "original"]
    assert [each.label for each in originals] == ["original · Mine.flac (own file)"]
    train_to(stopped, 3)
    mine.unlink()
    train(stopped)
    assert_same_outcome(stopped, whole)


def test_lost_own_clip_is_warned_of_and_replaced_by_a_held_out_one(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run(preview_clip=str(write_tone(tmp_path / "mine.wav", 333.0, 0.5)), epochs=1)
    control = Control(run.requests)
    train(run, cancel_when(control, lambda event: isinstance(event, PreviewReady)), control)
    run.clip.unlink()  # the file itself may be another by now
    events = train(run)
    assert end(events).state == "finished"
    (warning,) = (each.message for each in of(Warned, events) if each.kind == "clip")
    assert "clip.wav cannot be used: there is no such file. Previews continue with a held-out" in warning
    labels = {each.path: each.label for each in of(PreviewReady, events)}
    assert labels["previews/original.wav"] == "original · mine.wav (own file)"
    assert labels["previews/epoch-0001-original.wav"].startswith("original · tone-")


def test_an_own_clip_that_cannot_be_read_ends_a_run_before_it_begins(
    make_run: MakeRun, tmp_path: Path
) -> None:
    run = make_run(preview_clip=str(tmp_path / "mine.wav"))
    (tmp_path / "mine.wav").write_bytes(b"no sound")
    events = train(run)
    assert end(events).state == "failed"
    assert "The preview clip" in end(events).message
    assert not of(StepFinished, events)


@pytest.mark.parametrize("level", ["dataset", "file", "off"])
def test_own_clip_is_brought_to_the_level_that_the_run_is_trained_at(
    make_run: MakeRun, tmp_path: Path, level: str
) -> None:
    clip = 0.02 * tone(333.0, 0.25).astype(np.float32)
    soundfile.write(tmp_path / "mine.wav", clip, 48_000, subtype="FLOAT")
    run = make_run(preview_clip=str(tmp_path / "mine.wav"), epochs=1, level=level)
    train(run)
    manifest = run.read_manifest()
    gain = {"dataset": manifest.gain, "file": 10 ** (-1 / 20) / np.abs(clip).max(), "off": 1.0}[level]
    assert gain != 1.0 or level == "off"
    expected = LogMelSpectrogram(manifest.spectrogram)(torch.from_numpy(gain * clip)[None])[0, 0]
    assert np.allclose(np.load(run.previews / "resynthesis.npy"), expected, atol=1e-3)
