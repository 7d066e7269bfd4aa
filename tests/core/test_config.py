"""Settings: what is accepted, what is refused, and in which words."""

import dataclasses
import math

import pytest

from core.config import (
    PRESETS,
    SETTINGS,
    ResolvedConfig,
    SpectrogramConfig,
    TrainingConfig,
    find_device,
    find_preset,
    parse_assignment,
    suggest_preset,
)
from core.errors import ConfigError
from core.events import DeviceInfo

WIDEST_TITLE = 21


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("epochs=3", 3),
        (" learning_rate = 1e-4 ", 1e-4),
        ("batch_size=auto", None),
        ("batch_size=8", 8),
        ("deterministic=true", True),
        ("deterministic=no", False),
        ("loss=mse", "mse"),
        ("loss=usual", "mse"),
        ("model=refined", "pca_unet"),
        ("preview_clip= /Sounds/A b.WAV ", "/Sounds/A b.WAV"),
        ("preview_clip=auto", "auto"),
    ],
)
def test_assignments_are_read_in_the_type_of_their_field(text: str, value: object) -> None:
    assert parse_assignment(text)[1] == value


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("epochs", "KEY=VALUE"),
        ("epoch=3", "did you mean 'epochs'?"),
        ("zzz=3", "known are"),
        ("epochs=three", "epochs must be a whole number from 1 to 100000, not 'three'."),
        ("epochs=2.5", "not '2.5'"),
        ("epochs=0", "epochs must be 1 to 100000, not 0."),
        ("dropout=1.5", "dropout must be 0 to 0.9, not 1.5."),
        ("dropout=nan", "dropout must be 0 to 0.9"),
        ("learning_rate=inf", "learning_rate must be"),
        ("learning_rate=", "learning_rate must be a number"),
        ("epochs=auto", "epochs must be"),
        ("deterministic=perhaps", "deterministic must be yes or no, not 'perhaps'."),
        ("preview_clip=a\0b", "preview_clip must be the path of a file, or empty"),
        ("preview_clip=a\udc80\ud800b", "preview_clip must be the path of a file, or empty"),
        ("loss=best", "loss must be calibrated or mse, not best."),
    ],
)
def test_a_bad_assignment_is_refused_in_one_line_with_its_value(text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as refusal:
        parse_assignment(text)
    assert expected in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_has_help_and_is_read_back_as_shown(name: str) -> None:
    setting = SETTINGS[name]
    assert setting.help.endswith(".")
    assert 0 < len(setting.title) <= WIDEST_TITLE, "the settings screen has a column for it"
    assert [each.title for each in SETTINGS.values()].count(setting.title) == 1
    assert setting.parse(setting.show(setting.default)) == setting.default


@pytest.mark.parametrize("name", [name for name, each in SETTINGS.items() if each.kind in ("int", "float")])
def test_every_number_is_refused_outside_its_range(name: str) -> None:
    setting = SETTINGS[name]
    for value in (setting.minimum - 1, setting.maximum + 1, math.nan):
        with pytest.raises(ConfigError):
            TrainingConfig().with_settings({name: value})
    assert getattr(TrainingConfig().with_settings({name: setting.minimum}), name) == setting.minimum


@pytest.mark.parametrize(
    ("chunks", "batch_size"), [(1, 1), (3, 1), (4, 1), (11, 2), (100, 25), (128, 32), (9999, 32)]
)
def test_batch_size_follows_from_the_training_chunks(chunks: int, batch_size: int) -> None:
    assert TrainingConfig().resolved(chunks).batch_size == batch_size


@pytest.mark.parametrize(("epochs", "interval"), [(3, 2), (49, 2), (50, 5), (500, 5)])
def test_preview_interval_follows_from_the_length_of_the_run(epochs: int, interval: int) -> None:
    assert TrainingConfig(epochs=epochs).resolved(10).preview_interval == interval


def test_a_resolved_configuration_has_no_value_left_to_auto() -> None:
    resolved = TrainingConfig(epochs=3).resolved(100)
    assert None not in resolved.values().values()
    assert list(dataclasses.asdict(resolved)) == list(SETTINGS)  # the order of run.json
    assert ResolvedConfig.from_dict(resolved.values()) == resolved
    assert resolved.with_settings({"preview_interval": None}).resolved(100) == resolved
    for name in ("batch_size", "preview_interval"):
        with pytest.raises(ConfigError, match=f"{name} has no value"):
            ResolvedConfig.from_dict({**resolved.values(), name: None})


def test_former_values_of_settings_become_those_of_now() -> None:
    config = ResolvedConfig.from_dict(
        {"model": "refined", "loss": "usual", "batch_size": 1, "preview_interval": 1, "latent_dim": 64}
    )
    assert (config.model, config.loss) == ("pca_unet", "mse")
    assert TrainingConfig(model="refined") == TrainingConfig()


@pytest.mark.parametrize(
    ("files", "name"),
    [(1, "conservative"), (5, "conservative"), (49, "conservative"), (50, "balanced"), (199, "balanced"),
     (200, "aggressive"), (5000, "aggressive")],
)  # fmt: skip
def test_the_suggested_preset_follows_from_the_number_of_files(files: int, name: str) -> None:
    suggestion, reason = suggest_preset(files)
    assert suggestion == name
    assert str(files) in reason


def test_presets_hold_the_values_in_readme() -> None:
    conservative, balanced, aggressive = (PRESETS[name].config() for name in PRESETS)
    assert (conservative.epochs, balanced.epochs, aggressive.epochs) == (100, 200, 500)
    assert (conservative.dropout, balanced.dropout, aggressive.dropout) == (0.4, 0.1, 0.1)
    assert (conservative.learning_rate, aggressive.learning_rate) == (5e-4, 1e-3)
    assert find_preset("Balanced").config() == balanced


def test_an_unknown_preset_or_device_is_refused_with_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="no preset 'best'; choose conservative, balanced, aggressive"):
        find_preset("best")
    devices = [DeviceInfo("cuda:0", "GPU", 1), DeviceInfo("cpu", "CPU, 2 threads", 1)]
    assert find_device(None, devices).name == "cuda:0"
    assert find_device("cuda", devices).name == "cuda:0"
    with pytest.raises(ConfigError, match=r"no device 'tpu' here; choose cuda:0 \(GPU\), cpu"):
        find_device("tpu", devices)


@pytest.mark.parametrize(("duration_s", "frames"), [(0.25, 24), (1.0, 94), (4.0, 376)])
def test_the_model_sees_the_frames_of_a_chunk(duration_s: float, frames: int) -> None:
    model = TrainingConfig(chunk_duration_s=duration_s).resolved(1).model_config(SpectrogramConfig())
    assert model.n_frames == frames
    assert model.padded_frames % 16 == 0


@pytest.mark.parametrize(
    ("chunks", "latents"), [(1, 64), (2, 64), (5, 128), (8, 256), (13, 384), (16, 512), (5000, 512)]
)
def test_latents_follow_from_the_number_of_chunks(chunks: int, latents: int) -> None:
    assert TrainingConfig().resolved(chunks).latent_dim == latents
    assert TrainingConfig(latent_dim=7).resolved(chunks).latent_dim == 7
