"""Every choice that a user may make for a run."""

import contextlib
import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Self

from core.config.setting import Setting, SettingValue, describe_settings, setting_field
from core.config.sizes import MODELS, NetworkConfig, PcaUnetConfig, SpectrogramConfig
from core.errors import ConfigError

_STEPS = "the steps of an epoch follow from it"  # why a setting is fixed
_WEIGHTS = "the weights are made for it"
_DRAWS = "every random draw and the choice of held-out files follow from it"
_SOUNDS = "the model learns the sounds at this level"
_PREVIEWS = "the previews of all epochs are of the same sound"
_LOSS = "losses of the two kinds cannot be compared"
LATENTS_PER_CHUNK = 32
LATENT_RANGE = 64, 512  # for auto; the first is its step too


@dataclass(frozen=True)
class TrainingConfig:
    """Every choice that a user may make for a run.  Field names are stable: scripts rely on them."""

    # fmt: off
    epochs: int = setting_field(
        "Training", 200,
        "Passes over the training sounds, augmented copies included; more take longer and may overfit.",
        minimum=1, maximum=100_000,
    )
    early_stopping: int = setting_field(
        "Training", 0, "Stop once validation has had no new best for this many epochs; 0 never stops early.",
        unit="epochs", minimum=0, maximum=100_000,
    )
    batch_size: int | None = setting_field(
        "Training", None,
        "Chunks per step: more are smoother and need more memory; auto: a quarter of all, 32 at most.",
        unit="chunks", minimum=1, maximum=4096, automatic=True, fixed=_STEPS,
    )
    learning_rate: float = setting_field(
        "Training", 1e-3,
        "Peak step of AdamW, 1/20 of Muon's: higher learns faster; lower it if the loss jumps about.",
        minimum=1e-7, maximum=1.0,
    )
    learning_rate_warmup_fraction: float = setting_field(
        "Training", 0.02,
        "Part of the run over which the learning rate rises from zero; more of it makes the start gentler.",
        title="Learning rate warm-up", unit="of the run", minimum=0.0, maximum=0.5,
    )
    weight_decay: float = setting_field(
        "Training", 0.05,
        "Pull of the network's weights towards zero; more of it fights overfitting, too much underfits.",
        minimum=0.0, maximum=1.0,
    )
    gradient_clip_norm: float = setting_field(
        "Training", 1.0,
        "Longest gradient let through: lower is safer against an odd batch, too low slows learning.",
        title="Gradient clipping", minimum=1e-3, maximum=1000.0,
    )
    seed: int = setting_field(
        "Training", 0, "Start of every random draw: the same seed and sounds give the same run.",
        minimum=0, maximum=2**31 - 1, fixed=_DRAWS,
    )
    deterministic: bool = setting_field(
        "Training", False, "Bit-exact repeats on a GPU too, at some cost in speed; a CPU always repeats.",
    )

    model: str = setting_field(
        "Model", "pca_unet", "pca_unet starts as PCA and learns the rest; convolutional is a plain VAE.",
        choices=tuple(MODELS), former={"refined": "pca_unet"}, fixed=_WEIGHTS,
    )
    train_pca: bool = setting_field(
        "Model", False,
        "Train the principal components too: a closer fit, but checkpoints four times as large.",
        title="Train PCA", fixed=_WEIGHTS,
    )
    latent_dim: int | None = setting_field(
        "Model", None,
        "Numbers that describe a chunk: more keep more detail; auto: 32 a training chunk, 64 to 512.",
        title="Latent dimensions", unit="dimensions", minimum=2, maximum=512, automatic=True, fixed=_WEIGHTS,
    )
    mel_bands: int = setting_field(
        "Model", 128,
        "Frequency bands: more resolve closer pitches; twice as many make a step twice as long.",
        minimum=64, maximum=160, multiple_of=16, fixed=_WEIGHTS,
    )
    reference_gain: float = setting_field(
        "Model", 10_000.0, "How quiet a detail still counts: 10000 down to −94 dBFS, 1 down to −54 dBFS.",
        minimum=1.0, maximum=1e6, fixed=_WEIGHTS,
    )
    width: int = setting_field(
        "Model", 32,
        "Channels of the network's layers: wider fits more; twice as wide, a step takes 3 times as long.",
        title="Network width", unit="channels", minimum=8, maximum=64, multiple_of=8, fixed=_WEIGHTS,
    )
    level: str = setting_field(
        "Model", "dataset",
        "dataset brings the loudest file to −1 dBFS, all others by as much; file each; off leaves them.",
        title="Level normalisation", choices=("dataset", "file", "off"), fixed=_SOUNDS,
    )
    chunk_duration_s: float = setting_field(
        "Model", 1.0,
        "Length of sound that the model sees at a time; twice as long makes a step nearly twice as long.",
        title="Chunk length", unit="s", minimum=0.25, maximum=4.0, fixed=_WEIGHTS,
    )
    dropout: float = setting_field(
        "Model", 0.2,
        "Share of the network's features hidden at random; more fights overfitting, too much underfits.",
        minimum=0.0, maximum=0.9,
    )

    loss: str = setting_field(
        "Loss", "calibrated", "calibrated learns how exact to be; mse is the plain mean squared error.",
        title="Reconstruction loss", choices=("calibrated", "mse"), former={"usual": "mse"}, fixed=_LOSS,
    )
    kl_weight: float = setting_field(
        "Loss", 1.0,
        "Final weight of the KL divergence: higher makes new sounds safer and duller, lower freer.",
        title="KL weight", minimum=0.0, maximum=1000.0, redefines_loss=True,
    )
    kl_warmup_fraction: float = setting_field(
        "Loss", 0.3,
        "Part of the run in which the KL weight rises from zero: more lets it reconstruct well first.",
        title="KL warm-up", unit="of the run", minimum=0.0, maximum=1.0,
    )
    free_bits: float = setting_field(
        "Loss", 0.5,
        "KL divergence that each latent dimension may use free of charge: more keeps more dimensions in use.",
        unit="nats", minimum=0.0, maximum=10.0, redefines_loss=True,
    )

    augmentation_expansion: int = setting_field(
        "Augmentation", 10,
        "Altered copies of each chunk per epoch: more variety, and an epoch takes that much longer.",
        title="Augmented copies", unit="×", minimum=1, maximum=1000, fixed=_STEPS,
    )
    augmentation_strength: float = setting_field(
        "Augmentation", 1.0,
        "Scales how far gain, shift, pitch, speed and noise may go: 2 twice as far, 0 turns them off.",
        minimum=0.0, maximum=2.0,
    )
    random_crop_probability: float = setting_field(
        "Augmentation", 1.0, "How often a chunk starts off the grid, by up to half its length.",
        title="Random crop", minimum=0.0, maximum=1.0,
    )
    gain_probability: float = setting_field(
        "Augmentation", 0.5, "How often the level changes, by up to ±6 dB.",
        title="Gain change", minimum=0.0, maximum=1.0,
    )
    time_shift_probability: float = setting_field(
        "Augmentation", 0.3, "How often a chunk moves past its sound's edge, by up to a tenth of its length.",
        title="Time shift", minimum=0.0, maximum=1.0,
    )
    pitch_shift_probability: float = setting_field(
        "Augmentation", 0.7, "How often the pitch moves, by up to ±3 semitones; tempo stays.",
        title="Pitch shift", minimum=0.0, maximum=1.0,
    )
    speed_probability: float = setting_field(
        "Augmentation", 0.5, "How often the speed changes, by up to ±18 %; pitch follows.",
        title="Speed change", minimum=0.0, maximum=1.0,
    )
    noise_probability: float = setting_field(
        "Augmentation", 0.1, "How often faint noise is added, 60 to 40 dB below the chunk.",
        title="Added noise", minimum=0.0, maximum=1.0,
    )

    preview_interval: int | None = setting_field(
        "Output", None,
        "Epochs from one set of previews to the next; auto is 5, or 2 in a run of under 50 epochs.",
        unit="epochs", minimum=1, maximum=100_000, automatic=True,
    )
    preview_samples: int = setting_field(
        "Output", 3, "New sounds in each set of previews, each near the same training sound every time.",
        title="Samples per preview", minimum=0, maximum=16,
    )
    detail: float = setting_field(
        "Output", 1.0,
        "How sharp previews are: 1 like your sounds, 0 as the model alone makes them.",
        minimum=0.0, maximum=1.0,
    )
    preview_clip: str = setting_field(
        "Output", "", "A sound of your own to hear reconstructed; empty takes the loudest held-out chunk.",
        fixed=_PREVIEWS,
    )
    preview_inversion: str = setting_field(
        "Output", "fast", "best brings previews nearer to what the model gave, in five times the time.",
        choices=("fast", "best"),
    )
    checkpoint_interval: int = setting_field(
        "Output", 5, "Epochs from one checkpoint to the next; the three newest and the best are kept.",
        unit="epochs", minimum=1, maximum=100_000,
    )
    checkpoint_minutes: float = setting_field(
        "Output", 5.0, "A checkpoint also when the last one is this old: what a power cut costs at most.",
        title="Checkpoint age limit", unit="min", minimum=0.1, maximum=1440.0,
    )
    # fmt: on

    def __post_init__(self) -> None:
        for setting in SETTINGS.values():
            object.__setattr__(self, setting.name, setting.check(getattr(self, setting.name)))

    def values(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in SETTINGS}

    def with_settings(self, values: Mapping[str, SettingValue]) -> "TrainingConfig":
        """A copy with some fields replaced.  Raises ConfigError for an unknown name or a bad value."""
        for name in values:
            find_setting(name)
        return TrainingConfig(**{**self.values(), **values})

    def former_values(self, before: Mapping[str, Any]) -> dict[str, SettingValue]:
        """What the settings that may change once a run has begun were, for those that were something else.

        `before` holds values as a checkpoint keeps them; what this version does not know is left out.
        """
        former: dict[str, SettingValue] = {}
        for name, setting in SETTINGS.items():
            if not setting.fixed and name in before:
                with contextlib.suppress(ConfigError, TypeError):
                    value = setting.check(before[name])
                    if value != getattr(self, name):
                        former[name] = value
        return former

    def resolved(self, training_chunks: int) -> "ResolvedConfig":
        """A copy in which no value is "auto", for a dataset of so many training chunks."""
        batch_size = self.batch_size
        if batch_size is None:
            batch_size = max(1, min(32, training_chunks // 4))
        preview_interval = self.preview_interval
        if preview_interval is None:
            preview_interval = 2 if self.epochs < 50 else 5
        latent_dim = self.latent_dim
        if latent_dim is None:
            latent_dim = suggest_latents(training_chunks)
        resolved = {"batch_size": batch_size, "preview_interval": preview_interval, "latent_dim": latent_dim}
        return ResolvedConfig(**{**self.values(), **resolved})

    @property
    def augments(self) -> bool:
        """Whether training chunks ever differ from those in the files."""
        scaled = [
            value
            for name, value in self.values().items()
            if name.endswith("_probability") and name != "random_crop_probability"
        ]
        return self.random_crop_probability > 0 or (self.augmentation_strength > 0 and max(scaled) > 0)

    @property
    def spectrogram(self) -> SpectrogramConfig:
        return SpectrogramConfig(n_mels=self.mel_bands, reference_gain=self.reference_gain)

    def chunk_samples(self, spectrogram: SpectrogramConfig) -> int:
        return round(self.chunk_duration_s * spectrogram.sample_rate)


@dataclass(frozen=True)
class ResolvedConfig(TrainingConfig):
    """A configuration in which no value is left to "auto": what a run trains with."""

    batch_size: int = field(kw_only=True)
    preview_interval: int = field(kw_only=True)
    latent_dim: int = field(kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, value in self.values().items():
            if value is None:
                raise ConfigError(f"{name} has no value.")

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read a configuration back from JSON.

        Raises ConfigError for unknown names, bad values, and values that are left to "auto".
        """
        return cls(**TrainingConfig().with_settings({**BEFORE, **values}).values())

    def model_config(self, spectrogram: SpectrogramConfig) -> NetworkConfig:
        network = MODELS[self.model]
        own = {"trains_pca": self.train_pca} if network is PcaUnetConfig else {}
        return network(
            n_mels=spectrogram.n_mels,
            n_frames=spectrogram.frames(self.chunk_samples(spectrogram)),
            latent_dim=self.latent_dim,
            dropout=self.dropout,
            width=self.width,
            **own,
        )


def suggest_latents(training_chunks: int) -> int:
    """Latent dimensions for a dataset of so many chunks: 32 for each, in steps of 64, from 64 to 512.

    Independent judges prefer reconstructions from more of them at any size, but a few chunks and their
    augmented copies do not have as many directions of their own (`benchmarks/RESULTS.md`).
    """
    step, most = LATENT_RANGE
    return min(most, max(step, LATENTS_PER_CHUNK * training_chunks // step * step))


SETTINGS: Mapping[str, Setting] = describe_settings(TrainingConfig)


# Settings that the weights are made for: a model takes them along.
ARCHITECTURE = (
    "model",
    "train_pca",
    "latent_dim",
    "mel_bands",
    "reference_gain",
    "width",
    "chunk_duration_s",
)

# What runs did that were made before there were settings for it.
BEFORE: Mapping[str, SettingValue] = MappingProxyType(
    {"reference_gain": 1.0, "level": "off", "detail": 0.0, "train_pca": True}
)


def find_setting(name: str) -> Setting:
    """The setting of this name.  Raises ConfigError that names the nearest one."""
    if name in SETTINGS:
        return SETTINGS[name]
    near = difflib.get_close_matches(name, SETTINGS, n=1)
    hint = f"did you mean '{near[0]}'?" if near else f"known are: {', '.join(SETTINGS)}."
    raise ConfigError(f"There is no setting '{name}'; {hint}")


def parse_assignment(text: str) -> tuple[str, SettingValue]:
    """Read KEY=VALUE.  Raises ConfigError."""
    name, separator, value = text.partition("=")
    if not separator:
        raise ConfigError(f"'{text}' is no setting: write KEY=VALUE, for example epochs=50.")
    setting = find_setting(name.strip())
    return setting.name, setting.parse(value)
