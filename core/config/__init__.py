"""Settings: spectrogram, model, training, and the three presets.  Imports no torch."""

from core.config.device import DeviceStatus, EngineStatus, find_device
from core.config.export import EXPORT_KINDS, METRIC_FORMATS, ExportRequest, missing_packages
from core.config.making import (
    DIRECTIONS,
    KINDS,
    ExploreSettings,
    GenerateSettings,
    JourneySettings,
    MakingRequest,
    MakingSettings,
    MorphSettings,
    OutputSettings,
    VarySettings,
)
from core.config.presets import PRESETS, Preset, find_preset, suggest_preset
from core.config.setting import AUTO, Setting, SettingValue, describe_settings, format_number
from core.config.sizes import (
    ConvolutionalConfig,
    ModelConfig,
    NetworkConfig,
    PcaUnetConfig,
    SpectrogramConfig,
)
from core.config.training import (
    ARCHITECTURE,
    SETTINGS,
    ResolvedConfig,
    TrainingConfig,
    find_setting,
    parse_assignment,
    suggest_latents,
)

__all__ = [
    "ARCHITECTURE",
    "AUTO",
    "DIRECTIONS",
    "EXPORT_KINDS",
    "KINDS",
    "METRIC_FORMATS",
    "PRESETS",
    "SETTINGS",
    "ConvolutionalConfig",
    "DeviceStatus",
    "EngineStatus",
    "ExploreSettings",
    "ExportRequest",
    "GenerateSettings",
    "JourneySettings",
    "MakingRequest",
    "MakingSettings",
    "ModelConfig",
    "MorphSettings",
    "NetworkConfig",
    "OutputSettings",
    "PcaUnetConfig",
    "Preset",
    "ResolvedConfig",
    "Setting",
    "SettingValue",
    "SpectrogramConfig",
    "TrainingConfig",
    "VarySettings",
    "describe_settings",
    "find_device",
    "find_preset",
    "find_setting",
    "format_number",
    "missing_packages",
    "parse_assignment",
    "suggest_latents",
    "suggest_preset",
]
