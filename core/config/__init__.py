"""Settings: spectrogram, model, training, and the three presets.  Imports no torch."""

from core.config.device import find_device
from core.config.presets import PRESETS, Preset, find_preset, suggest_preset
from core.config.setting import AUTO, Setting, SettingValue, format_number
from core.config.sizes import ModelConfig, SpectrogramConfig
from core.config.training import (
    FIXED_SETTINGS,
    SETTINGS,
    TrainingConfig,
    find_setting,
    parse_assignment,
    training_config_from_dict,
)

__all__ = [
    "AUTO",
    "FIXED_SETTINGS",
    "PRESETS",
    "SETTINGS",
    "ModelConfig",
    "Preset",
    "Setting",
    "SettingValue",
    "SpectrogramConfig",
    "TrainingConfig",
    "find_device",
    "find_preset",
    "find_setting",
    "format_number",
    "parse_assignment",
    "suggest_preset",
    "training_config_from_dict",
]
