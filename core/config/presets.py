"""Starting points for folders of certain sizes."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from core.config.setting import SettingValue
from core.config.training import TrainingConfig
from core.errors import ConfigError


@dataclass(frozen=True)
class Preset:
    """A named starting point for datasets of a certain size; `description` says what it does for the user."""

    name: str
    description: str
    minimum_files: int
    maximum_files: int
    values: Mapping[str, SettingValue]

    @property
    def title(self) -> str:
        return self.name.capitalize()

    def config(self) -> TrainingConfig:
        return TrainingConfig().with_settings(self.values)


PRESETS: Mapping[str, Preset] = MappingProxyType({
    preset.name: preset
    for preset in (
        Preset(
            "conservative", "Few sounds: slow, careful steps, most augmentation.", 5, 49,
            {
                "dropout": 0.4, "weight_decay": 0.1, "augmentation_expansion": 15, "epochs": 100,
                "learning_rate": 5e-4, "kl_warmup_fraction": 0.5, "gradient_clip_norm": 0.5,
            },
        ),
        Preset(
            "balanced", "A folder of middle size: twice the epochs, bolder steps.", 50, 199,
            {
                "dropout": 0.1, "weight_decay": 0.05, "augmentation_expansion": 10, "epochs": 200,
                "learning_rate": 1e-3, "kl_warmup_fraction": 0.3, "gradient_clip_norm": 1.0,
            },
        ),
        Preset(
            "aggressive", "Many sounds: a long run that fits them closely.", 200, 500,
            {
                "dropout": 0.1, "weight_decay": 0.02, "augmentation_expansion": 5, "epochs": 500,
                "learning_rate": 1e-3, "kl_warmup_fraction": 0.2, "gradient_clip_norm": 5.0,
            },
        ),
    )
})  # fmt: skip


def find_preset(name: str) -> Preset:
    """The preset of this name.  Raises ConfigError that lists the known ones."""
    try:
        return PRESETS[name.strip().lower()]
    except KeyError:
        raise ConfigError(f"There is no preset '{name}'; choose {', '.join(PRESETS)}.") from None


def suggest_preset(files: int) -> tuple[str, str]:
    """Name of the preset that fits this number of usable files, and the reason for the user."""
    presets = list(PRESETS.values())
    chosen = next((preset for preset in presets if files <= preset.maximum_files), presets[-1])
    sounds = f"{files} usable file{'' if files == 1 else 's'}"
    if files < chosen.minimum_files:
        reason = f"{sounds}: fewer than the {chosen.minimum_files} it is meant for, and the most careful one."
    elif files > chosen.maximum_files:
        reason = f"{sounds}: more than the {chosen.maximum_files} it is meant for, and the fastest learner."
    else:
        reason = f"{sounds}, and it is meant for {chosen.minimum_files} to {chosen.maximum_files}."
    return chosen.name, reason
