"""A run that continues with other settings."""

import shutil
from pathlib import Path

import pytest
import torch

from core.checkpoints.archive import read_checkpoint
from core.config import SETTINGS, SettingValue
from core.errors import ConfigError
from core.events import CheckpointSaved, EpochFinished, SettingsChanged
from core.runs import RunDirectory
from core.training.branch import branch
from core.training.changes import keep_former_best, redefine_loss
from tests.conftest import MakeRun, create_run, write_tones
from tests.training import assert_same_outcome, end, history, of, train, train_to, weights

MAY_CHANGE = {
    *("epochs", "learning_rate", "learning_rate_warmup_fraction", "weight_decay", "gradient_clip_norm"),
    *("deterministic", "dropout", "kl_weight", "kl_warmup_fraction", "free_bits", "augmentation_strength"),
    *("random_crop_probability", "gain_probability", "time_shift_probability", "pitch_shift_probability"),
    *("speed_probability", "noise_probability", "preview_interval", "preview_samples", "preview_inversion"),
    *("detail", "checkpoint_interval", "checkpoint_minutes", "early_stopping"),
}

# Each has an effect on the weights by itself.
CHANGES: dict[str, SettingValue] = {"kl_weight": 20.0, "free_bits": 10.0, "dropout": 0.6, "weight_decay": 0.9}


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """Stopped at step 11 of 16, within its second epoch; not to be changed."""
    folder = tmp_path_factory.mktemp("halfway")
    run = create_run(folder, "halfway", write_tones(folder / "sounds"), {})
    train_to(run, 11)
    return run


@pytest.fixture
def halfway(stopped: RunDirectory, tmp_path: Path) -> RunDirectory:
    """The same, to do with as one likes."""
    return RunDirectory(Path(shutil.copytree(stopped.path, tmp_path / "runs" / "halfway")))


def test_every_setting_may_change_or_says_why_not(make_run: MakeRun) -> None:
    manifest = make_run().read_manifest()
    for name, setting in SETTINGS.items():
        assert bool(setting.fixed) is (name not in MAY_CHANGE)
        if setting.fixed:
            now = getattr(manifest.config, name)
            assert manifest.with_settings({name: now}, 11) == manifest
            with pytest.raises(
                ConfigError, match=f"{name} is fixed when a run begins, as {setting.fixed}; start"
            ):
                manifest.with_settings({name: 1 if now != 1 else 2}, 11)


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_setting_takes_effect_and_is_logged(halfway: RunDirectory, name: str) -> None:
    newest = halfway.checkpoints / "step-000000011.pt"
    made = branch(halfway, newest, "made", {name: CHANGES[name]})
    (change,) = of(SettingsChanged, train_to(made, 12))
    setting = SETTINGS[name]
    before = getattr(halfway.read_manifest().config, name)
    assert change.before == f"{name}={setting.show(before)}"
    assert change.now == f"{name}={setting.show(CHANGES[name])}"
    assert (change.step, change.epoch) == (11, 1)
    assert f"from step 11 on {change.now}, not {change.before}" in made.log.read_text()
    train_to(halfway, 12)
    same = weights(halfway)
    assert any(not torch.equal(weight, same[key]) for key, weight in weights(made).items())


def test_a_changed_run_is_the_same_each_time(halfway: RunDirectory) -> None:
    newest = halfway.checkpoints / "step-000000011.pt"
    once, twice = (branch(halfway, newest, name, CHANGES) for name in ("once", "twice"))
    train_to(twice, 13)
    for run in (once, twice):
        train(run)
        assert len(history(run).settings_changes) == 1
    assert_same_outcome(once, twice)


def test_settings_that_stay_are_no_change(halfway: RunDirectory) -> None:
    assert of(SettingsChanged, train(halfway)) == []


def test_what_was_best_under_another_loss_is_kept_and_compared_no_more(halfway: RunDirectory) -> None:
    """A higher KL weight makes every loss larger: the best before would stay the best for ever."""
    former = (halfway.checkpoints / "best.pt").read_bytes()
    halfway.change(halfway.read_manifest().with_settings({"kl_weight": 1000.0}, 11))
    events = train(halfway)
    assert end(events).state == "finished"
    before, after = of(EpochFinished, events)
    assert after.validation_loss > before.validation_loss
    assert (after.best_epoch, after.best_validation_loss) == (2, after.validation_loss)
    assert (halfway.checkpoints / "step-000000008-saved.pt").read_bytes() == former
    assert read_checkpoint(halfway.checkpoints / "best.pt")["step"] == 16
    kept = [each for each in of(CheckpointSaved, events) if each.path.endswith("-saved.pt")]
    assert [(each.step, each.epoch, each.reason) for each in kept] == [(8, 1, "best")]


def test_best_stays_the_best_when_losses_mean_the_same(halfway: RunDirectory) -> None:
    halfway.change(
        halfway.read_manifest().with_settings({"learning_rate": 0.9, "gradient_clip_norm": 1000.0}, 11)
    )
    last = of(EpochFinished, train(halfway))[-1]
    assert last.best_epoch == 1
    assert not (halfway.checkpoints / "step-000000008-saved.pt").exists()


def test_the_best_of_steps_that_are_about_to_happen_again_is_not_kept_apart(
    uninterrupted: RunDirectory, tmp_path: Path
) -> None:
    folder = tmp_path / "checkpoints"
    folder.mkdir()
    shutil.copy(uninterrupted.checkpoints / "best.pt", folder)
    step = read_checkpoint(folder / "best.pt")["step"]
    assert keep_former_best(folder, step - 1) is None
    assert [path.name for path in folder.iterdir()] == ["best.pt"]
    kept = keep_former_best(folder, step)
    assert kept is not None
    assert [path.name for path in folder.iterdir()] == [f"step-{step:09}-saved.pt"]
    assert (kept.step, kept.path) == (step, f"checkpoints/step-{step:09}-saved.pt")


@pytest.mark.parametrize(
    ("now", "is_redefined"),
    [
        ("learning_rate=0.1", False),
        ("kl_weight=2", True),
        ("learning_rate=0.1 kl_weight=2", True),
        ("dropout=0.1 learning_rate=0.1", False),
    ],
)
def test_one_setting_of_the_loss_among_others_redefines_it(now: str, is_redefined: bool) -> None:
    assert redefine_loss(SettingsChanged(1, 8, before="", now=now)) is is_redefined
