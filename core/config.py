"""Settings: spectrogram, model, training, and the three presets.  Imports no torch."""

import dataclasses
import difflib
import itertools
import math
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Literal, Self, cast, get_type_hints

from core.errors import ConfigError
from core.events import DeviceInfo

SettingValue = int | float | bool | str | None
AUTO = "auto"


@dataclass(frozen=True)
class Setting:
    """What a user is told about one field of `TrainingConfig`, and what the field accepts."""

    name: str
    group: str
    help: str
    kind: Literal["int", "float", "bool", "choice", "file"]
    default: SettingValue
    unit: str = ""
    minimum: float = -math.inf
    maximum: float = math.inf
    choices: tuple[str, ...] = ()
    automatic: bool = False  # `None`, written "auto", is allowed: the value follows from the dataset

    @property
    def range(self) -> str:
        """The accepted values, in words: "1 to 4096 or auto"."""
        if self.kind == "bool":
            return "yes or no"
        if self.kind == "choice":
            return " or ".join(self.choices)
        if self.kind == "file":
            return "the path of a file, or empty"
        bounds = f"{format_number(self.minimum)} to {format_number(self.maximum)}"
        return f"{bounds} or {AUTO}" if self.automatic else bounds

    def parse(self, text: str) -> SettingValue:
        """Read a value as the user typed it.  Raises ConfigError with the value and the range in it."""
        if self.kind == "file":
            return self.check(text.strip())
        word = text.strip().lower()
        if self.automatic and word == AUTO:
            return None
        if self.kind == "choice":
            return self.check(word)
        if self.kind == "bool":
            if word in {"yes", "true", "on", "1"}:
                return True
            if word in {"no", "false", "off", "0"}:
                return False
            raise ConfigError(f"{self.name} must be yes or no, not '{text}'.")
        try:
            return self.check(int(word) if self.kind == "int" else float(word))
        except ValueError:
            kind = "a whole number" if self.kind == "int" else "a number"
            raise ConfigError(f"{self.name} must be {kind} from {self.range}, not '{text}'.") from None

    def check(self, value: SettingValue) -> SettingValue:
        """Return `value` in the field's type if it is acceptable, else raise ConfigError."""
        refusal = ConfigError(f"{self.name} must be {self.range}, not {self.show(value)}.")
        if value is None:
            if not self.automatic:
                raise refusal
            return None
        if self.kind == "bool":
            if not isinstance(value, bool):
                raise refusal
            return value
        if self.kind == "choice":
            if value not in self.choices:
                raise refusal
            return value
        if self.kind == "file":
            if not isinstance(value, str) or "\0" in value or not _is_encodable(value):
                raise refusal
            return value
        if isinstance(value, bool | str) or not self.minimum <= value <= self.maximum:  # NaN is outside too
            raise refusal
        if self.kind == "int" and value != int(value):
            raise refusal
        return int(value) if self.kind == "int" else float(value)

    def show(self, value: SettingValue) -> str:
        """The value as the user would type it."""
        if value is None:
            return AUTO
        if isinstance(value, bool):
            return "yes" if value else "no"
        return value if isinstance(value, str) else format_number(value)


def _is_encodable(path: str) -> bool:
    """Whether the file system can be asked for it: a run's description may come from anywhere."""
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return False
    return True


def format_number(value: float) -> str:
    """Shortest plain form: 0.0005, 1e-06, 48000."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _setting(group: str, default: SettingValue, help: str, **about: Any) -> Any:
    return field(default=default, metadata={"group": group, "help": help, **about})


@dataclass(frozen=True)
class SpectrogramConfig:
    """All parameters of the log-mel spectrogram.  Kept in every checkpoint and compared on load.

    The mel scale is Slaney's: with 128 bands at 48 kHz the filterbank's condition number is 8, where that
    of the HTK scale is about 250 because its lowest filters are narrower than an FFT bin; inversion to a
    linear spectrum suffers accordingly.
    """

    sample_rate: int = 48_000
    n_fft: int = 2048
    hop_length: int = 512
    n_mels: int = 128
    f_min_hz: float = 0.0
    f_max_hz: float = 24_000.0

    def frames(self, samples: int) -> int:
        """Number of frames of a centred STFT over `samples` samples."""
        return samples // self.hop_length + 1


@dataclass(frozen=True)
class ModelConfig:
    """Shape of the variational autoencoder.  Follows from the training configuration."""

    kind: str
    n_mels: int
    n_frames: int
    latent_dim: int
    dropout: float

    @property
    def channels(self) -> tuple[int, ...]:
        """Channels of the convolutions, from the largest feature map to the smallest."""
        return (32, 64, 96) if self.kind == "refined" else (32, 64, 128, 256)

    @property
    def patch(self) -> int:
        """Side of the squares that the refining network sees as one point."""
        return 4

    @property
    def stride(self) -> int:
        """Total down-sampling along each axis; time is padded to a multiple of it."""
        if self.kind == "refined":
            return int(self.patch * 2 ** (len(self.channels) - 1))
        return int(2 ** len(self.channels))

    @property
    def padded_frames(self) -> int:
        return math.ceil(self.n_frames / self.stride) * self.stride

    @property
    def bottleneck(self) -> tuple[int, int, int]:
        """Shape of the innermost feature map: [channels, mels, frames]."""
        return self.channels[-1], self.n_mels // self.stride, self.padded_frames // self.stride

    @property
    def parameter_count(self) -> int:
        """Number of weights of the VAE of this shape; its disk and memory use follow from it."""
        return self._refined_weights() if self.kind == "refined" else self._convolutional_weights()

    def _convolutional_weights(self) -> int:
        features = math.prod(self.bottleneck)
        linear = features * 2 * self.latent_dim + 2 * self.latent_dim + self.latent_dim * features + features
        pairs = list(zip((1, *self.channels), self.channels, strict=False))
        encoder = sum(inputs * outputs * 3 * 3 + 3 * outputs for inputs, outputs in pairs)
        decoder = sum(inputs * outputs * 4 * 4 + 3 * inputs for inputs, outputs in pairs[1:])
        return linear + encoder + decoder + self.channels[0] * 4 * 4 + 1

    def _refined_weights(self) -> int:
        features, first = self.n_mels * self.n_frames, self.channels[0]
        linear = 2 * features * self.latent_dim + features + 2 * self.latent_dim
        patches = 2 * first * self.patch**2 * 3 * 3 + first + self.patch**2
        blocks = [2 * width + 2 * (width * width * 3 * 3 + width) for width in self.channels]
        steps = sum(
            upper * lower * 2 * 2 + lower + lower * upper + upper
            for upper, lower in itertools.pairwise(self.channels)
        )
        return linear + patches + 2 * sum(blocks[:-1]) + blocks[-1] + steps


@dataclass(frozen=True)
class TrainingConfig:
    """Every choice that a user may make for a run.  Field names are stable: scripts rely on them."""

    # fmt: off
    epochs: int = _setting(
        "Training", 200, "Passes over the training sounds, augmented copies included.",
        minimum=1, maximum=100_000,
    )
    batch_size: int | None = _setting(
        "Training", None, "Chunks per step; auto takes a quarter of the training chunks, at most 32.",
        unit="chunks", minimum=1, maximum=4096, automatic=True,
    )
    learning_rate: float = _setting(
        "Training", 1e-3, "Peak step size of AdamW; lower it if the loss jumps about.",
        minimum=1e-7, maximum=1.0,
    )
    learning_rate_warmup_fraction: float = _setting(
        "Training", 0.02, "Part of the run over which the learning rate rises from zero.",
        unit="of the run", minimum=0.0, maximum=0.5,
    )
    weight_decay: float = _setting(
        "Training", 0.01, "Pull of the network's weights towards zero; more of it fights overfitting.",
        minimum=0.0, maximum=1.0,
    )
    gradient_clip_norm: float = _setting(
        "Training", 1.0, "Longest gradient that is let through; keeps one odd batch from doing harm.",
        minimum=1e-3, maximum=1000.0,
    )
    seed: int = _setting(
        "Training", 0, "Start of every random draw: the same seed and sounds give the same run.",
        minimum=0, maximum=2**31 - 1,
    )
    deterministic: bool = _setting(
        "Training", False, "Bit-exact repeats on a GPU too, at some cost in speed; a CPU always repeats.",
    )

    model: str = _setting(
        "Model", "refined", "refined starts as PCA and learns the rest; convolutional is the usual VAE.",
        choices=("refined", "convolutional"),
    )
    latent_dim: int = _setting(
        "Model", 64, "Numbers that describe one chunk; more keep more detail, fewer are easier to explore.",
        unit="dimensions", minimum=2, maximum=512,
    )
    chunk_duration_s: float = _setting(
        "Model", 1.0, "Length of sound that the model sees at a time; shorter files are padded.",
        unit="s", minimum=0.25, maximum=4.0,
    )
    dropout: float = _setting(
        "Model", 0.2, "Share of the network's features hidden at random; more of it fights overfitting.",
        minimum=0.0, maximum=0.9,
    )

    loss: str = _setting(
        "Loss", "calibrated", "calibrated learns how exact to be; usual is the plain mean squared error.",
        choices=("calibrated", "usual"),
    )
    kl_weight: float = _setting(
        "Loss", 1.0, "Final weight of the KL divergence; higher makes random samples safer and duller.",
        minimum=0.0, maximum=1000.0,
    )
    kl_warmup_fraction: float = _setting(
        "Loss", 0.3, "Part of the run over which the KL weight rises from zero.",
        unit="of the run", minimum=0.0, maximum=1.0,
    )
    free_bits: float = _setting(
        "Loss", 0.5, "KL divergence that each latent dimension may use free of charge.",
        unit="nats", minimum=0.0, maximum=10.0,
    )

    augmentation_expansion: int = _setting(
        "Augmentation", 10, "Altered copies of each chunk per epoch; 1 shows each chunk once.",
        unit="×", minimum=1, maximum=1000,
    )
    augmentation_strength: float = _setting(
        "Augmentation", 1.0, "Scales how far gain, shift, pitch, speed and noise may go; 0 turns them off.",
        minimum=0.0, maximum=2.0,
    )
    random_crop_probability: float = _setting(
        "Augmentation", 1.0, "How often a chunk starts off the grid, by up to half its length.",
        minimum=0.0, maximum=1.0,
    )
    gain_probability: float = _setting(
        "Augmentation", 0.5, "How often the level changes, by up to ±6 dB.",
        minimum=0.0, maximum=1.0,
    )
    time_shift_probability: float = _setting(
        "Augmentation", 0.3, "How often a chunk moves past its sound's edge, by up to a tenth of its length.",
        minimum=0.0, maximum=1.0,
    )
    pitch_shift_probability: float = _setting(
        "Augmentation", 0.3, "How often the pitch moves, by up to ±1 semitone; tempo stays.",
        minimum=0.0, maximum=1.0,
    )
    speed_probability: float = _setting(
        "Augmentation", 0.3, "How often the speed changes, by up to ±6 %; pitch follows.",
        minimum=0.0, maximum=1.0,
    )
    noise_probability: float = _setting(
        "Augmentation", 0.1, "How often faint noise is added, 60 to 40 dB below the chunk.",
        minimum=0.0, maximum=1.0,
    )

    preview_interval: int | None = _setting(
        "Output", None, "Previews every this many epochs; auto is 5, or 2 in a run of under 50 epochs.",
        unit="epochs", minimum=1, maximum=100_000, automatic=True,
    )
    preview_samples: int = _setting(
        "Output", 3, "New sounds at each preview, each near the same training sound every time.",
        minimum=0, maximum=16,
    )
    preview_clip: str = _setting(
        "Output", "", "A sound of your own to hear reconstructed; empty takes the loudest held-out chunk.",
    )
    preview_inversion: str = _setting(
        "Output", "fast", "best brings previews nearer to what the model gave, in five times the time.",
        choices=("fast", "best"),
    )
    checkpoint_interval: int = _setting(
        "Output", 5, "Checkpoints every this many epochs; the three newest and the best are kept.",
        unit="epochs", minimum=1, maximum=100_000,
    )
    checkpoint_minutes: float = _setting(
        "Output", 5.0, "A checkpoint also when the last one is this old: what a power cut costs at most.",
        unit="min", minimum=0.1, maximum=1440.0,
    )
    # fmt: on

    def __post_init__(self) -> None:
        for setting in SETTINGS.values():
            object.__setattr__(self, setting.name, setting.check(getattr(self, setting.name)))

    def with_settings(self, values: Mapping[str, SettingValue]) -> Self:
        """A copy with some fields replaced.  Raises ConfigError for an unknown name or a bad value."""
        for name in values:
            find_setting(name)
        return dataclasses.replace(self, **values)  # type: ignore[arg-type]

    def resolved(self, training_chunks: int) -> Self:
        """A copy in which nothing is left to "auto", for a dataset of so many training chunks."""
        batch_size = self.batch_size
        if batch_size is None:
            batch_size = max(1, min(32, training_chunks // 4))
        preview_interval = self.preview_interval
        if preview_interval is None:
            preview_interval = 2 if self.epochs < 50 else 5
        return dataclasses.replace(self, batch_size=batch_size, preview_interval=preview_interval)

    def chunk_samples(self, spectrogram: SpectrogramConfig) -> int:
        return round(self.chunk_duration_s * spectrogram.sample_rate)

    def model_config(self, spectrogram: SpectrogramConfig) -> ModelConfig:
        return ModelConfig(
            kind=self.model,
            n_mels=spectrogram.n_mels,
            n_frames=spectrogram.frames(self.chunk_samples(spectrogram)),
            latent_dim=self.latent_dim,
            dropout=self.dropout,
        )


def _describe_settings() -> dict[str, Setting]:
    hints = get_type_hints(TrainingConfig)
    settings = {}
    for each in dataclasses.fields(TrainingConfig):
        hint = hints[each.name]
        kind: Literal["int", "float", "bool", "choice", "file"]
        if hint is bool:
            kind = "bool"
        elif hint is str:
            kind = "choice" if "choices" in each.metadata else "file"
        else:
            kind = "float" if hint is float else "int"
        default = cast(SettingValue, each.default)
        settings[each.name] = Setting(name=each.name, kind=kind, default=default, **each.metadata)
    return settings


SETTINGS: Mapping[str, Setting] = MappingProxyType(_describe_settings())


def find_setting(name: str) -> Setting:
    """The setting of this name.  Raises ConfigError that names the nearest one."""
    if name in SETTINGS:
        return SETTINGS[name]
    near = difflib.get_close_matches(name, SETTINGS, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"known are: {', '.join(SETTINGS)}."
    raise ConfigError(f"There is no setting '{name}'; {hint}")


# What a run's weights, its order of chunks and its best validation loss depend on cannot change under it,
# nor can the clip that its previews are compared by.
FIXED_SETTINGS = frozenset(
    {
        "model",
        "latent_dim",
        "chunk_duration_s",
        "seed",
        "batch_size",
        "augmentation_expansion",
        "loss",
        "kl_weight",
        "free_bits",
        "preview_inversion",
        "preview_clip",
    }
)


def parse_assignment(text: str) -> tuple[str, SettingValue]:
    """Read KEY=VALUE as given to `--set`.  Raises ConfigError."""
    name, separator, value = text.partition("=")
    if not separator:
        raise ConfigError(f"'{text}' is no setting: write KEY=VALUE, for example epochs=50.")
    setting = find_setting(name.strip())
    return setting.name, setting.parse(value)


@dataclass(frozen=True)
class Preset:
    """A named starting point for datasets of a certain size."""

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
            "conservative", "Few sounds: much augmentation, strong regularisation.", 5, 49,
            {
                "dropout": 0.4, "weight_decay": 0.05, "augmentation_expansion": 15, "epochs": 100,
                "learning_rate": 5e-4, "kl_warmup_fraction": 0.5, "gradient_clip_norm": 0.5,
            },
        ),
        Preset(
            "balanced", "A middling folder: the usual choice.", 50, 199,
            {
                "dropout": 0.2, "weight_decay": 0.01, "augmentation_expansion": 10, "epochs": 200,
                "learning_rate": 1e-3, "kl_warmup_fraction": 0.3, "gradient_clip_norm": 1.0,
            },
        ),
        Preset(
            "aggressive", "Many sounds: light regularisation, a long run.", 200, 500,
            {
                "dropout": 0.1, "weight_decay": 0.001, "augmentation_expansion": 5, "epochs": 500,
                "learning_rate": 2e-3, "kl_warmup_fraction": 0.2, "gradient_clip_norm": 5.0,
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


def find_device(name: str | None, devices: Sequence[DeviceInfo]) -> DeviceInfo:
    """The device of this name, or the first for None; "cuda" is "cuda:0".  Raises ConfigError."""
    if name is None:
        return devices[0]
    wanted = name.strip().lower()
    for device in devices:
        if wanted in (device.name, device.name.removesuffix(":0")):
            return device
    here = ", ".join(f"{device.name} ({device.title})" for device in devices)
    raise ConfigError(f"There is no device '{name}' here; choose {here}.")


def suggest_preset(files: int) -> tuple[str, str]:
    """Name of the preset that fits so many usable files, and the reason in a sentence."""
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


def training_config_from_dict(values: Mapping[str, Any]) -> TrainingConfig:
    """Read a configuration back from JSON.  Raises ConfigError for unknown names and bad values."""
    return TrainingConfig().with_settings(values)
