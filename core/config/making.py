"""What sounds are made from a trained model, and how they are written."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Self

from core.config.setting import SettingValue, describe_settings, setting_field

QUALITIES = ("fast", "best")
FORMATS = ("wav16", "wav24", "float", "flac")
DIRECTIONS = 8  # of the latent space that can be moved along
LONGEST_S = 86_400.0
LARGEST_SEED = 2**31 - 1
_SEED: Mapping[str, Any] = {"minimum": 0, "maximum": LARGEST_SEED, "automatic": True}
_DETAIL: Mapping[str, Any] = {"minimum": 0.0, "maximum": 1.0, "automatic": True}
_SEED_HELP = "Start of all draws; auto takes a new one."
_DETAIL_HELP = "How much texture of training sounds is added; auto takes what the run was trained with."


@dataclass(frozen=True)
class MakingSettings:
    """Base of settings for making sounds.  Raises ConfigError for values that are not accepted."""

    kind: ClassVar[str]

    def __init_subclass__(cls, kind: str = "") -> None:
        cls.kind = kind

    def __post_init__(self) -> None:
        for name, setting in describe_settings(type(self)).items():
            object.__setattr__(self, name, setting.check(getattr(self, name)))

    @classmethod
    def parse(cls, given: Mapping[str, str | None]) -> Self:
        """Read values as the user typed them, those that are not None.  Raises ConfigError."""
        known = describe_settings(cls)
        return cls(**{name: known[name].parse(text) for name, text in given.items() if text is not None})

    def values(self) -> dict[str, SettingValue]:
        return asdict(self)


@dataclass(frozen=True)
class OutputSettings(MakingSettings, kind="output"):
    """How sounds are written."""

    # fmt: off
    quality: str = setting_field(
        "Output", "fast", "best takes about five times as long as fast, and is a little clearer.",
        choices=QUALITIES,
    )
    format: str = setting_field(
        "Output", "wav24", "wav16 and wav24 are PCM, float is 32-bit WAV, flac is 24-bit FLAC.",
        choices=FORMATS,
    )
    level: str = setting_field(
        "Output", "dataset", "dataset as your sounds, peak −1 dBFS, loudness −18 LUFS but never above that.",
        choices=("dataset", "peak", "loudness"),
    )
    sample_rate: int | None = setting_field(
        "Output", None, "Of the files; auto is that of the model, 48000.",
        unit="Hz", minimum=8000, maximum=192_000, automatic=True,
    )
    # fmt: on


@dataclass(frozen=True)
class SeriesSettings(MakingSettings):
    """Several sounds of one kind, each of its own number and the same seed."""

    # fmt: off
    count: int = setting_field("Sounds", 10, "How many sounds.", title="How many", minimum=1, maximum=10_000)
    first: int = setting_field(
        "Sounds", 1, "Number of the first in the series of this seed.", minimum=1, maximum=10**6
    )
    seed: int | None = setting_field("Sounds", None, _SEED_HELP, **_SEED)
    # fmt: on


@dataclass(frozen=True)
class GenerateSettings(SeriesSettings, kind="generate"):
    """New sounds, drawn near training sounds."""

    # fmt: off
    temperature: float = setting_field(
        "Sounds", 1.0, "How far each is from a training sound: 0 hardly, 1 as the sounds differ, 2 far.",
        minimum=0.0, maximum=3.0,
    )
    detail: float | None = setting_field("Sounds", None, _DETAIL_HELP, **_DETAIL)
    seconds: float | None = setting_field(
        "Sounds", None, "Length of each; auto is that of the training sounds near it.",
        title="Length", unit="s", minimum=0.05, maximum=LONGEST_S, automatic=True,
    )
    # fmt: on


@dataclass(frozen=True)
class VarySettings(SeriesSettings, kind="vary"):
    """Variations of a sound."""

    # fmt: off
    amount: float = setting_field(
        "Sounds", 0.5, "0 is a near-copy, 1 as free as new sounds near the same place.",
        title="Variation", minimum=0.0, maximum=1.0,
    )
    # fmt: on


@dataclass(frozen=True)
class JourneySettings(MakingSettings, kind="journey"):
    """A way from sound to sound: one continuous sound, or single steps of it."""

    # fmt: off
    seconds: float = setting_field(
        "Sounds", 30.0, "Length of the continuous sound.", unit="s", minimum=0.5, maximum=LONGEST_S
    )
    steps: int | None = setting_field(
        "Sounds", None, "Write so many single sounds on the way instead; auto writes one continuous sound.",
        minimum=2, maximum=1000, automatic=True,
    )
    every: float = setting_field(
        "Sounds", 8.0, "Time from one sound to the next where none are given: a drift among your sounds.",
        unit="s", minimum=0.5, maximum=3600.0,
    )
    detail: float | None = setting_field("Sounds", None, _DETAIL_HELP, **_DETAIL)
    seed: int | None = setting_field("Sounds", None, _SEED_HELP, **_SEED)
    # fmt: on


@dataclass(frozen=True)
class MorphSettings(MakingSettings, kind="morph"):
    """A sound of any length through the model."""

    # fmt: off
    amount: float = setting_field(
        "Sounds", 1.0, "0 is the sound itself, 1 what the model makes of it.", minimum=0.0, maximum=1.0
    )
    follow: str = setting_field(
        "Sounds", "off", "Keep the sound's own level, or its envelope from moment to moment.",
        choices=("off", "level", "envelope"),
    )
    seed: int = setting_field("Sounds", 0, "Start of all draws.", minimum=0, maximum=LARGEST_SEED)
    # fmt: on


def _direction(number: int) -> Any:
    return setting_field(
        "Sounds",
        0.0,
        f"How far along direction {number}.",
        title=f"Direction {number}",
        unit="deviations",
        minimum=-8.0,
        maximum=8.0,
    )


@dataclass(frozen=True)
class ExploreSettings(MakingSettings, kind="explore"):
    """A training sound moved along the strongest directions of the latent space."""

    base: int = setting_field("Sounds", 1, "Number of the training sound.", minimum=1, maximum=10**6)
    detail: float = setting_field("Sounds", 1.0, "How much of its texture is kept.", minimum=0.0, maximum=1.0)
    d1: float = _direction(1)
    d2: float = _direction(2)
    d3: float = _direction(3)
    d4: float = _direction(4)
    d5: float = _direction(5)
    d6: float = _direction(6)
    d7: float = _direction(7)
    d8: float = _direction(8)
    seed: int = setting_field("Sounds", 0, "Start of all draws.", minimum=0, maximum=LARGEST_SEED)

    @property
    def offsets(self) -> tuple[float, ...]:
        """Along the directions, strongest first."""
        return (self.d1, self.d2, self.d3, self.d4, self.d5, self.d6, self.d7, self.d8)


@dataclass(frozen=True)
class MakingRequest:
    """What is to be made: settings of its kind, and the sounds that it is made from.

    Sounds are paths of files, or `#N`, a training sound by its number from 1 on.  `plus` and `minus` are
    those whose latents a morph adds and takes away.

    To make a sound again: `only` is its name, `checkpoint_sha256` that of its checkpoint, `has_sounds`
    whether that kept its training sounds, and `cut_s` its length if it was cut short.
    """

    settings: MakingSettings
    sources: tuple[str, ...] = ()
    plus: tuple[str, ...] = ()
    minus: tuple[str, ...] = ()
    only: str = ""
    checkpoint_sha256: str = ""
    has_sounds: bool | None = None
    cut_s: float | None = None


KINDS: Mapping[str, type[MakingSettings]] = MappingProxyType(
    {
        each.kind: each
        for each in (GenerateSettings, VarySettings, JourneySettings, MorphSettings, ExploreSettings)
    }
)
