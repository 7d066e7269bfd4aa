"""Settings of runs that differ: from those of the preset, and between runs."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from core.config import PRESETS, SETTINGS, SettingValue, TrainingConfig
from core.errors import SdaError
from core.runs.manifest import RunManifest


class ChangedSetting(NamedTuple):
    """The value of a setting, and that of the preset."""

    value: SettingValue
    preset_value: SettingValue


def changed_settings(manifest: RunManifest) -> Mapping[str, ChangedSetting]:
    """The settings that differ from those of the run's preset, by name.

    What a preset leaves to the dataset and the number of epochs differs if another value was chosen than the
    one that follows from them, or from the preset's own number of epochs: it stays when a run gets more.
    """
    preset = PRESETS.get(manifest.preset)
    usual = (preset.config() if preset is not None else TrainingConfig()).values()
    values = manifest.config.values()
    left_open = {name: None for name, value in usual.items() if value is None}
    try:
        now, first = (
            TrainingConfig()
            .with_settings({**values, **left_open, "epochs": epochs})
            .resolved(manifest.split.training_chunks)
            .values()
            for epochs in (values["epochs"], usual["epochs"])
        )
    except SdaError:  # a dataset from elsewhere, that no configuration fits
        return {}
    usual |= {name: now[name] for name in left_open}
    following = {name: (now[name], first[name]) for name in left_open}
    return {
        name: ChangedSetting(value, usual[name])
        for name, value in values.items()
        if value not in following.get(name, (usual[name],))
    }


def differing_settings(manifests: Sequence[RunManifest]) -> Mapping[str, tuple[str, ...]]:
    """What is not the same in these runs, as text for each: preset, then settings by name."""
    rows = {"preset": tuple(manifest.preset for manifest in manifests)}
    for name, setting in SETTINGS.items():
        rows[name] = tuple(setting.show(getattr(each.config, name)) for each in manifests)
    return {name: shown for name, shown in rows.items() if len(set(shown)) > 1}
