"""What training tells the world: frozen dataclasses of plain values.  Imports no torch.

They are written to `events.jsonl`, one a line, and are all that a dashboard needs to be drawn from nothing.
"""

import json
import math
from dataclasses import dataclass, fields
from enum import StrEnum
from types import UnionType
from typing import Any, ClassVar, get_args, get_origin, get_type_hints

ADVICE = ("overfitting", "memorisation", "latent", "blur")  # warnings that harm nothing, the gravest first
COUNTING_WARNINGS = frozenset({*ADVICE, "non_finite"})


class RunState(StrEnum):
    """Where a run stands.  `interrupted` is never written: a run that says otherwise but has no process."""

    LOADING = "loading"
    TRAINING = "training"
    CANCELLED = "cancelled"
    FINISHED = "finished"
    FAILED = "failed"
    INTERRUPTED = "interrupted"

    @property
    def is_active(self) -> bool:
        return self in (RunState.LOADING, RunState.TRAINING)


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The run entered a state; `message` explains a failure or how a resumed run goes on."""

    event: ClassVar[str] = "state"
    state: str
    step: int
    epoch: int
    total_steps: int
    total_epochs: int
    message: str = ""


@dataclass(frozen=True, slots=True)
class LoadProgress:
    """Work before the first step: `phase` is a word for the user, `done` of `total` files or chunks."""

    event: ClassVar[str] = "load"
    phase: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class StepFinished:
    """One update of the weights.  Losses are null when a non-finite loss made the step be skipped.

    `train_loss = reconstruction_loss + kl_weight * kl_loss`, all of the augmented training batch.
    """

    event: ClassVar[str] = "step"
    epoch: int
    step: int
    total_steps: int
    train_loss: float | None
    reconstruction_loss: float | None
    kl_loss: float | None
    kl_weight: float
    learning_rate: float
    gradient_norm: float | None
    step_time_s: float


@dataclass(frozen=True, slots=True)
class EpochFinished:
    """Training and validation measured alike: evaluation mode, no augmentation, the final KL weight.

    `train_error` and `validation_error` are the root-mean-square error of the reconstructed log-mel
    spectrogram in natural-log units; `overfitting_gap` is their relative difference.  `kl_divergence` is
    in nats over all latent dimensions, without free bits.
    """

    event: ClassVar[str] = "epoch"
    epoch: int
    total_epochs: int
    step: int
    train_loss: float | None
    validation_loss: float | None
    validation_reconstruction_loss: float | None
    validation_kl_loss: float | None
    train_error: float | None
    validation_error: float | None
    kl_divergence: float | None
    kl_per_dimension: tuple[float | None, ...]
    active_latent_dimensions: int
    latent_dimensions: int
    overfitting_gap: float | None
    quality: float | None
    best_validation_loss: float | None
    best_epoch: int
    elapsed_s: float
    eta_s: float | None
    memory_used_bytes: int
    memory_peak_bytes: int
    memory_total_bytes: int
    validation_detail: float | None = None  # the share of it that reconstructions give back


class PreviewKind(StrEnum):
    """What a preview is made of."""

    ORIGINAL = "original"  # the clip as it is
    RESYNTHESIS = "resynthesis"  # the clip's own spectrogram inverted: what the inversion alone costs
    RECONSTRUCTION = "reconstruction"  # what the model makes of the clip
    SAMPLE = "sample"  # what it makes of a point of the latent space near one training sound


@dataclass(frozen=True, slots=True)
class PreviewReady:
    """A sound to listen to.  `kind` is a PreviewKind, and `path` is relative to the run directory.

    `envelope` holds the highest absolute sample of each of equally long stretches, 0 to 1, for drawing.
    """

    event: ClassVar[str] = "preview"
    epoch: int
    step: int
    kind: str
    label: str
    path: str
    duration_s: float
    envelope: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class CheckpointSaved:
    """A checkpoint is on disk; `reason` is start, interval, manual, cancelled, finished, failed or best."""

    event: ClassVar[str] = "checkpoint"
    epoch: int
    step: int
    path: str
    reason: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that the user should know.  It stays true until the same kind comes with an empty message."""

    event: ClassVar[str] = "warning"
    kind: str
    message: str
    step: int

    def is_news_after(self, before: str) -> bool:
        """Whether it says more than the sentence of its kind before: for some, only the figures change."""
        return bool(self.message) and not (before and self.kind in COUNTING_WARNINGS)


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """Something that a model can be trained on.  `name` is what `--device` takes."""

    name: str
    title: str
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class EngineReady:
    """The engine has loaded, or cannot for the `problem`; told in memory only.  Devices come best first."""

    devices: tuple[DeviceInfo, ...]
    problem: str = ""


RunEvent = (
    StateChanged | LoadProgress | StepFinished | EpochFinished | PreviewReady | CheckpointSaved | Warned
)

EVENT_TYPES: dict[str, type[RunEvent]] = {
    kind.event: kind
    for kind in (
        StateChanged,
        LoadProgress,
        StepFinished,
        EpochFinished,
        PreviewReady,
        CheckpointSaved,
        Warned,
    )
}


def _accepted_types(kind: type[RunEvent]) -> dict[str, tuple[type, ...]]:
    """What may stand in each field; lists of JSON are tuples here, and whole numbers may stand for floats."""
    hints = get_type_hints(kind)
    types: dict[str, tuple[type, ...]] = {}
    for each in fields(kind):
        hint = hints[each.name]
        options = get_args(hint) if isinstance(hint, UnionType) else (hint,)
        plain = tuple(get_origin(option) or option for option in options)
        types[each.name] = (*plain, int) if float in plain else plain
    return types


ACCEPTED_TYPES = {kind: _accepted_types(kind) for kind in EVENT_TYPES.values()}


def to_json(event: RunEvent, time_s: float) -> str:
    """One line of `events.jsonl`, without the newline.  Non-finite numbers become null."""
    record: dict[str, Any] = {"event": event.event, "time": round(time_s, 3)}
    for each in fields(event):
        record[each.name] = _plain(getattr(event, each.name))
    return json.dumps(record, allow_nan=False, ensure_ascii=False, separators=(",", ":"))


def from_json(line: str) -> tuple[RunEvent, float] | None:
    """Read a line back, with its time.  None for a damaged line or an event of a newer version."""
    try:
        record = json.loads(line)
        kind: Any = EVENT_TYPES[record.pop("event")]
        time_s = float(record.pop("time"))
        accepted = ACCEPTED_TYPES[kind]
        values = {
            name: tuple(v) if isinstance(v, list) else v for name, v in record.items() if name in accepted
        }
        if not all(isinstance(value, accepted[name]) for name, value in values.items()):
            return None
        if kind is StateChanged:
            RunState(str(values["state"]))
        return kind(**values), time_s
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _plain(value: Any) -> Any:
    """Make a value fit JSON: floats to seven significant digits, non-finite ones to null."""
    if isinstance(value, float):
        return float(f"{value:.7g}") if math.isfinite(value) else None
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
