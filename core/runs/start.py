"""A trained model that a new run starts from."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.config import ARCHITECTURE, SETTINGS, SettingValue, TrainingConfig
from core.errors import ConfigError
from core.runs.manifest import Parent
from core.text import printable


@dataclass(frozen=True)
class StartModel:
    """The checkpoint file that holds it, which run it is of, and the settings that it was trained with."""

    file: Path
    parent: Parent
    config: TrainingConfig

    def settings(self, values: Mapping[str, SettingValue]) -> dict[str, SettingValue]:
        """The values that a user gave, with those that follow from the model.

        The weights fit one architecture.  The seed decides which files are held out: with another one, many
        that this model was trained on would be.  The latents are near the prior already, so that the KL
        weight need not rise from zero: that would let them drift first.  The level is the one that it knows
        sounds at, unless the user gives another.  Raises ConfigError for a value that
        does not fit the weights.
        """
        follow: dict[str, SettingValue] = {name: getattr(self.config, name) for name in ARCHITECTURE}
        for name in follow.keys() & values.keys():
            if values[name] != follow[name]:
                shown, other = SETTINGS[name].show(follow[name]), SETTINGS[name].show(values[name])
                raise ConfigError(
                    f"{name} is {shown} in the model of {printable(self.parent.run)} that the run starts "
                    f"from, and cannot be {other}."
                )
        usual: dict[str, SettingValue] = {
            "seed": self.config.seed,
            "kl_warmup_fraction": 0.0,
            "level": self.config.level,
        }
        return {**usual, **values, **follow}
