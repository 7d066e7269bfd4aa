"""New runs that start from the model of another."""

import shutil
from pathlib import Path

import pytest
import torch

from core.checkpoints.archive import State, read_checkpoint, serialise
from core.config import TrainingConfig
from core.engine import create_run, open_start_model
from core.errors import CheckpointError, ConfigError, RunNotFoundError
from core.events import EpochFinished
from core.runs import Parent, RunDirectory, RunManifest
from tests.conftest import TINY, scan_folder
from tests.sounds import write_tone
from tests.training import assert_same_outcome, end, of, train, train_to


@pytest.fixture
def other_sounds(tmp_path: Path) -> Path:
    folder = tmp_path / "others"
    folder.mkdir()
    for index in range(6):
        write_tone(folder / f"{index}.wav", 87.0 * (index + 1), 0.6)
    return folder


def make_child(parent: RunDirectory | Path, folder: Path, root: Path, **settings: object) -> RunDirectory:
    start = open_start_model(str(parent.path if isinstance(parent, RunDirectory) else parent), root)
    values = start.settings(settings)  # type: ignore[arg-type]
    config = TrainingConfig().with_settings({**TINY, **values})
    report = scan_folder(folder, config.chunk_duration_s)
    return create_run(root, None, RunManifest.from_scan(report, "balanced", config, start.parent), start)


def best_of(run: RunDirectory) -> State:
    return read_checkpoint(run.checkpoints / "best.pt")


def assert_equal(weights: dict[str, torch.Tensor], others: dict[str, torch.Tensor]) -> None:
    assert weights.keys() == others.keys()
    assert all(torch.equal(weights[name], others[name]) for name in weights)


def tensors(value: object) -> list[torch.Tensor]:
    if isinstance(value, dict):
        return [each for part in value.values() for each in tensors(part)]
    if isinstance(value, list):
        return [each for part in value for each in tensors(part)]
    return [value] if isinstance(value, torch.Tensor) else []


def test_run_begins_with_the_ema_weights_of_its_parent_and_a_new_optimiser(
    uninterrupted: RunDirectory, other_sounds: Path, tmp_path: Path
) -> None:
    child = make_child(uninterrupted, other_sounds, tmp_path / "runs")
    train_to(child, 1)
    first, parent = read_checkpoint(child.checkpoints / "step-000000000.pt"), best_of(uninterrupted)
    assert_equal(first["model"], parent["ema_model"])
    assert_equal(first["ema_model"], parent["ema_model"])
    assert first["progress"]["best_loss"] is None
    assert not any(moment.any() for moment in tensors(first["optimizer"]))
    assert any(moment.any() for moment in tensors(parent["optimizer"]))
    assert child.read_manifest().parent == Parent(uninterrupted.name, "best.pt", parent["step"])


def test_run_that_starts_from_a_model_trains_to_its_end_without_its_parent(
    uninterrupted: RunDirectory, other_sounds: Path, tmp_path: Path
) -> None:
    shutil.copytree(uninterrupted.path, tmp_path / "parent")
    whole, stopped = (make_child(tmp_path / "parent", other_sounds, tmp_path / "runs") for _ in range(2))
    shutil.rmtree(tmp_path / "parent")
    events = train(whole)
    assert end(events).state == "finished"
    train_to(stopped, 2)
    train(stopped)
    assert_same_outcome(stopped, whole)
    assert len(of(EpochFinished, events)) == TINY["epochs"]


def test_checkpoint_file_is_a_start_wherever_it_lies(uninterrupted: RunDirectory, tmp_path: Path) -> None:
    newest = max(uninterrupted.checkpoints.glob("step-*.pt"))
    lonely = shutil.copy(newest, tmp_path / "kept.pt")
    step = read_checkpoint(newest)["step"]
    assert open_start_model(str(newest), tmp_path).parent == Parent(uninterrupted.name, newest.name, step)
    assert open_start_model(str(lonely), tmp_path).parent == Parent("kept", "kept.pt", step)
    assert open_start_model("kept.pt", tmp_path).file == lonely
    assert open_start_model(uninterrupted.name, uninterrupted.path.parent).file.name == "best.pt"


def test_settings_that_the_weights_are_made_for_follow_from_the_model(
    uninterrupted: RunDirectory, tmp_path: Path
) -> None:
    start = open_start_model(str(uninterrupted.path), tmp_path)
    assert start.settings({"epochs": 3}) == {
        "epochs": 3,
        "seed": 0,
        "kl_warmup_fraction": 0.0,
        "level": "dataset",
        "model": "pca_unet",
        "train_pca": False,
        "latent_dim": 4,
        "mel_bands": 128,
        "reference_gain": 10_000.0,
        "width": 8,
        "chunk_duration_s": 0.25,
    }
    assert start.settings({"latent_dim": 4, "seed": 5, "kl_warmup_fraction": 0.5})["seed"] == 5
    assert start.settings({"level": "off"})["level"] == "off"
    message = "latent_dim is 4 in the model of run that the run starts from, and cannot be 32."
    with pytest.raises(ConfigError, match=message):
        start.settings({"latent_dim": 32})


def test_start_that_cannot_be_used_is_refused(uninterrupted: RunDirectory, tmp_path: Path) -> None:
    with pytest.raises(RunNotFoundError):
        open_start_model("gone", tmp_path)
    (tmp_path / "no.pt").write_bytes(b"x" * 1000)
    with pytest.raises(CheckpointError, match=r"no\.pt is damaged or no checkpoint"):
        open_start_model("no.pt", tmp_path)
    shutil.copytree(uninterrupted.path, tmp_path / "young")
    (tmp_path / "young" / "checkpoints" / "best.pt").unlink()
    state = best_of(uninterrupted)
    state["spectrogram"]["n_fft"] = 999
    (tmp_path / "other.pt").write_bytes(serialise(state))
    with pytest.raises(CheckpointError, match=r"other\.pt was made with another spectrogram"):
        open_start_model(str(tmp_path / "other.pt"), tmp_path)
    with pytest.raises(CheckpointError, match="There is no checkpoint 'best'"):
        open_start_model("young", tmp_path)


def test_lost_start_ends_a_new_run_with_a_message(
    uninterrupted: RunDirectory, other_sounds: Path, tmp_path: Path
) -> None:
    child = make_child(uninterrupted, other_sounds, tmp_path / "runs")
    child.start_model.unlink()
    last = end(train(child))
    assert (last.state, last.step) == ("failed", 0)
    assert "start.pt cannot be read (No such file or directory)" in last.message
