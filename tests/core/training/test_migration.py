"""A run of format 3, cancelled in its second epoch while previews were pending, still opens and continues.

`tests/data/run-of-format-3.tar.xz` holds such a run as that version left it, its sounds, and how that version
finished it.
"""

import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from core.checkpoints.archive import read_checkpoint, serialise
from core.diagnostics.overfitting import OverfittingDetector
from core.errors import CheckpointError
from core.events import EpochFinished, PreviewReady, RunState, StepFinished
from core.runs import RunDirectory, RunHistory, summarise
from core.synthesis import load_bundle
from core.training.migration import migrate
from tests.training import end, logged, newest_state, of, train

ARCHIVE = Path(__file__).parents[2] / "data" / "run-of-format-3.tar.xz"


@pytest.fixture
def old_run(tmp_path: Path) -> RunDirectory:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    run = RunDirectory(tmp_path / "run")
    record = json.loads(run.run_file.read_text())
    record["folder"] = str(tmp_path / "sounds")
    run.run_file.write_text(json.dumps(record))
    return run


def expected(run: RunDirectory) -> dict:
    return json.loads((run.path.parent / "expected.json").read_text())


def test_run_of_format_3_is_shown_and_its_previews_play(old_run: RunDirectory) -> None:
    summary = summarise(old_run)
    assert (summary.state, summary.step, summary.problem) == (RunState.CANCELLED, 8, "")
    assert summary.manifest is not None
    assert summary.manifest.config.model == "pca_unet"
    history = RunHistory()
    for event in logged(old_run):
        history.apply(event, 0.0)
    assert history.step_metrics["kl_loss"].newest is not None
    assert history.last_epoch is not None
    assert history.last_epoch.metrics["latent_dimensions"] == 2
    for preview in history.previews:
        samples, sample_rate = soundfile.read(old_run.path / preview.path)
        assert sample_rate == 48_000
        assert np.abs(samples).max() > 0.1


def test_run_of_format_3_resumes_to_what_that_version_made_of_it(old_run: RunDirectory) -> None:
    state = read_checkpoint(old_run.checkpoints / "step-000000008.pt")
    assert (state["format_version"], state["previews"]["epoch"]) == (3, 1)  # pending ones
    events = train(old_run)
    assert end(events).state == "finished"
    wanted = expected(old_run)
    losses = [each.train_loss for each in of(StepFinished, events)]
    validation = [each.validation_loss for each in of(EpochFinished, events)]
    assert losses == pytest.approx(wanted["train_loss"], abs=1e-3)  # another CPU rounds otherwise
    assert validation == pytest.approx(wanted["validation_loss"], abs=1e-3)
    assert sorted(path.name for path in old_run.previews.glob("*.wav")) == wanted["previews"]
    assert {each.epoch for each in of(PreviewReady, events)} == {0, 1, 2, 3}
    assert newest_state(old_run)["format_version"] == 4
    assert load_bundle(old_run.path, "newest").chunk_samples == 12_000


def test_checkpoint_of_format_3_is_no_bundle_until_it_was_resumed(old_run: RunDirectory) -> None:
    with pytest.raises(CheckpointError, match=r"no latent distribution, as older versions wrote none"):
        load_bundle(old_run.path, "newest")


def test_nothing_of_a_checkpoint_of_format_3_is_lost(old_run: RunDirectory) -> None:
    path = old_run.checkpoints / "step-000000008.pt"
    state = read_checkpoint(path)
    history = [
        {"epoch": epoch, "validation_loss": abs(epoch - 20) / 10, "overfitting_gap": 0.2 + epoch / 100}
        for epoch in range(1, 61)
    ]
    state["progress"] |= {
        "history": history, "validated_epochs": 60, "best_loss": 0.0, "best_epoch": 20, "rollbacks": 2,
        "skipped_steps": 23, "bad_steps": 3, "learning_rate_scale": 0.25, "elapsed_s": 77.0,
        "step_time_s": 0.5, "evaluation_time_s": 1.5, "warnings": {"blur": "Blurred."}, "previewed_epoch": 55,
    }  # fmt: skip
    path.write_bytes(serialise(state))  # which keeps the version that is in it
    migrated = migrate(read_checkpoint(path), path.name, validation_files=4)
    detector = OverfittingDetector(4)
    for epoch in history:
        detector.update(epoch["epoch"], epoch["validation_loss"], epoch["overfitting_gap"])
    assert detector.is_overfitting
    assert migrated["overfitting"] == detector.state_dict()
    assert migrated["progress"] == {
        "batch_size": 2, "step": 8, "validated_epochs": 60, "best_loss": 0.0, "best_epoch": 20,
    }  # fmt: skip
    assert migrated["recovery"] == {
        "learning_rate_scale": 0.25, "rollbacks": 2, "skipped_steps": 23, "bad_steps": 3,
    }  # fmt: skip
    assert migrated["clock"] == {"elapsed_s": 77.0, "step_time_s": 0.5, "evaluation_time_s": 1.5}
    assert migrated["warnings"] == {"blur": "Blurred."}
    assert migrated["previews"]["done_epoch"] == 55
    assert (migrated["previews"]["pending"]["epoch"], migrated["previews"]["pending"]["step"]) == (1, 6)
    for here, there in (("model", "model"), ("ema_model", "average")):
        assert [*migrated[here]] == [name.replace("places", "position_bias") for name in state[there]]
        assert all(
            torch.equal(*pair) for pair in zip(migrated[here].values(), state[there].values(), strict=True)
        )


def test_pending_reconstruction_of_format_3_sounds_as_that_version_made_it(old_run: RunDirectory) -> None:
    train(old_run)
    name = "epoch-0001-reconstruction.npy"  # new sounds are drawn in another way now
    expected = np.load(old_run.path.parent / "expected" / name)
    np.testing.assert_allclose(np.load(old_run.previews / name), expected, atol=0.01)


def test_a_run_of_format_3_keeps_its_spectrogram_level_and_weights(old_run: RunDirectory) -> None:
    manifest = old_run.read_manifest()
    config = manifest.config
    assert (config.reference_gain, config.level, config.detail, config.train_pca) == (1.0, "off", 0.0, True)
    assert manifest.spectrogram.reference_gain == manifest.gain == 1.0
