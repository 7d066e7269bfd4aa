"""Events of a run: frozen dataclasses of plain values.  Imports no torch.

They are written to `events.jsonl`, one a line, and are all that a dashboard needs to be drawn from nothing.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from types import NoneType, UnionType
from typing import Any, ClassVar, Self, get_args, get_origin, get_type_hints

from core.records import LARGEST_NUMBER, parse_json, read_integer, read_list, read_number, read_text
from core.text import one_line, printable

LONGEST_LINE = 1 << 16  # characters; the lines of the largest models have a third of that

Metric = float | None | tuple[float | None, ...]


class WarningKind(StrEnum):
    """What a warning is about; those of `is_advice` are in the order of their gravity.

    `is_advice`: nothing is broken or lost.  `is_counting`: its figures change while it stays true, which is
    not worth another line in a log.  `is_lasting`: a return to an earlier checkpoint does not resolve it.
    """

    is_advice: bool
    is_counting: bool
    is_lasting: bool

    def __new__(cls, value: str, *flags: str) -> Self:
        if unknown := set(flags) - {"advice", "counting", "lasting"}:
            raise ValueError(f"{value} has unknown flags {unknown}")
        kind = str.__new__(cls, value)
        kind._value_ = value
        kind.is_advice, kind.is_counting = "advice" in flags, "counting" in flags
        kind.is_lasting = "lasting" in flags
        return kind

    CHECKPOINT = "checkpoint"  # a damaged one was skipped
    DATASET = "dataset"  # sounds are missing or changed
    NEW_SOUNDS = "new_sounds", "advice"  # sounds were added that the run does not train on
    UNREADABLE = "unreadable"  # sounds could not be decoded
    CLIP = "clip"  # the user's own preview clip is missing
    SPACE = "space"  # the disk will be full before the run ends
    DISK = "disk", "lasting"  # a checkpoint could not be written
    LOG = "log"  # the event log could not be written
    PREVIEW = "preview", "lasting"  # previews could not be rendered or written
    MEMORY = "memory"  # the batch was halved
    NON_FINITE = "non_finite", "counting"  # steps were skipped
    ROLLBACK = "rollback"  # the run returned to a checkpoint
    COLLAPSE = "collapse", "advice"  # the latent carries nothing
    OVERFITTING = "overfitting", "advice"
    MEMORISATION = "memorisation", "advice"  # new sounds repeat training sounds
    SAMENESS = "sameness", "advice"  # new sounds are all alike
    LATENT = "latent", "advice"  # latent dimensions are unused
    BLUR = "blur", "advice"


class RunState(StrEnum):
    """The state of a run.  `interrupted` is never written: the log of such a run has an active state, but no
    process trains it."""

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
    """The run entered a state; `message` explains a failure, or why a run finished before its last epoch.

    Of a run that begins to train, `device` is the name of the device as torch numbers them ("cuda:0"), and
    `gpu_uuid` that of an NVIDIA GPU, which programs that measure it know it by.
    """

    event: ClassVar[str] = "state"
    state: str
    step: int
    epoch: int
    total_steps: int
    total_epochs: int
    message: str = ""
    device: str = ""
    gpu_uuid: str = ""


@dataclass(frozen=True, slots=True)
class LoadProgress:
    """Work before the first step: `phase` is a word for the user, `done` of `total` files or chunks."""

    event: ClassVar[str] = "load"
    phase: str
    done: int
    total: int


@dataclass(frozen=True, slots=True)
class StepFinished:
    """One update of the weights.  Losses are null in a step that was skipped as a number was not finite.

    `train_loss` is of the augmented training batch.  `metrics` holds what the task reports besides: its parts
    and their weights, by name.
    """

    event: ClassVar[str] = "step"
    epoch: int
    step: int
    total_steps: int
    train_loss: float | None
    learning_rate: float
    gradient_norm: float | None
    step_time_s: float
    metrics: Mapping[str, Metric] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class EpochFinished:
    """Training and validation measured alike: evaluation mode, no augmentation, the final loss weights.

    `train_error` and `validation_error` are positive, so that a ratio makes sense, and `overfitting_gap` is
    their relative difference.  `untrained_error` is the validation error before the first step, None in the
    logs of older versions.  `metrics` holds what the task measures besides, by name.  `device` is the title
    of the device, empty in the logs of older versions.
    """

    event: ClassVar[str] = "epoch"
    epoch: int
    total_epochs: int
    step: int
    train_loss: float | None
    validation_loss: float | None
    train_error: float | None
    validation_error: float | None
    overfitting_gap: float | None
    best_validation_loss: float | None
    best_epoch: int
    elapsed_s: float
    eta_s: float | None
    memory_used_bytes: int
    memory_peak_bytes: int
    memory_total_bytes: int
    untrained_error: float | None = None
    metrics: Mapping[str, Metric] = field(default_factory=dict)
    device: str = ""

    @property
    def quality(self) -> float | None:
        """How much of what the untrained model misses in held-out sounds this one gives back.

        That is 1 − (error / untrained error)²: 0 as at the start, 1 for no error at all, and negative if the
        model is worse than at the start.  The square is that of explained variance.  None if the start was
        not measured or a number is not finite.
        """
        now, start = self.validation_error, self.untrained_error
        if now is None or not start or not math.isfinite(now) or not math.isfinite(start):
            return None
        return 1 - (now / start) ** 2


@dataclass(frozen=True, slots=True)
class MemoryUsed:
    """Memory of the device after the first step of a process; later it stands in the epochs' events."""

    event: ClassVar[str] = "memory"
    step: int
    used_bytes: int
    peak_bytes: int
    total_bytes: int


class PreviewKind(StrEnum):
    """What a preview is made of."""

    ORIGINAL = "original"  # the clip as it is
    RESYNTHESIS = "resynthesis"  # the clip's own spectrogram inverted: what the inversion alone costs
    RECONSTRUCTION = "reconstruction"  # the clip encoded and decoded by the model
    SAMPLE = "sample"  # decoded from a point of the latent space near one training sound


@dataclass(frozen=True, slots=True)
class PreviewReady:
    """A sound to listen to.  `kind` is a PreviewKind, and `path` is relative to the run directory.

    `envelope` holds the highest absolute sample of each of equally long stretches, 0 to 1, for drawing.
    `near` names the training sound that a sample is most like, `around` the one that it is drawn around.
    """

    event: ClassVar[str] = "preview"
    epoch: int
    step: int
    kind: str
    label: str
    path: str
    duration_s: float
    envelope: tuple[float, ...]
    near: str = ""
    around: str = ""


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
class SettingsChanged:
    """From this step on the run is trained with other settings.

    `before` and `now` hold KEY=VALUE of each that differs, with a space between them.
    """

    event: ClassVar[str] = "settings"
    epoch: int
    step: int
    before: str
    now: str


@dataclass(frozen=True, slots=True)
class Warned:
    """Something that the user should know.  Active until the same kind is emitted with an empty message."""

    event: ClassVar[str] = "warning"
    kind: WarningKind
    message: str
    step: int

    def is_new_after(self, before: str) -> bool:
        """Whether it adds to the previous message of its kind: for some kinds only the figures change."""
        return bool(self.message) and not (before and self.kind.is_counting)


@dataclass(frozen=True, slots=True)
class DeviceInfo:
    """A device that a model can be trained on.  `name` identifies it ("cuda:0"), `title` is for the user."""

    name: str
    title: str
    memory_bytes: int


@dataclass(frozen=True, slots=True)
class EngineReady:
    """The engine has loaded, or cannot for the `problem`; not written to a log.  Devices come best first."""

    devices: tuple[DeviceInfo, ...]
    problem: str = ""


RunEvent = (
    StateChanged
    | LoadProgress
    | StepFinished
    | EpochFinished
    | MemoryUsed
    | PreviewReady
    | CheckpointSaved
    | SettingsChanged
    | Warned
)

EVENT_TYPES: dict[str, type[RunEvent]] = {kind.event: kind for kind in get_args(RunEvent)}


Reader = Callable[[object], Any]


def _reader(hint: Any) -> Reader:
    """Reads a field of this type from JSON, in which tuples are lists.  It raises ValueError."""
    options = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    if NoneType in options:
        (other,) = (option for option in options if option is not NoneType)
        read = _reader(other)
        return lambda value: None if value is None else read(value)
    if get_origin(hint) is tuple:
        return lambda value: tuple(map(read_number, read_list(value)))
    readers: dict[Any, Reader] = {
        int: read_integer,
        float: read_number,
        str: _read_shown,
        WarningKind: lambda value: WarningKind(str(value)),
    }
    return readers[hint]


def _read_shown(value: object) -> str:
    return printable(read_text(value))


def _read_message(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("a message is a text")
    return one_line(value)


def _readers(kind: type[RunEvent]) -> dict[str, Reader]:
    hints = get_type_hints(kind)
    readers = {each.name: _reader(hints[each.name]) for each in fields(kind) if each.name != "metrics"}
    if "message" in readers:
        readers["message"] = _read_message
    if kind is StateChanged:
        readers["state"] = lambda value: RunState(str(value)).value
    return readers


READERS = {kind: _readers(kind) for kind in EVENT_TYPES.values()}


def to_json(event: RunEvent, time_s: float) -> str:
    """One line of `events.jsonl`, without the newline.  Non-finite numbers become null.

    Metrics are written beside the other fields, each under its own name.
    """
    record: dict[str, Any] = {"event": event.event, "time": round(time_s, 3)}
    for each in fields(event):
        value = getattr(event, each.name)
        if each.name == "metrics":
            if taken := record.keys() & value.keys():
                raise ValueError(f"{', '.join(sorted(taken))}: a metric cannot have the name of a field")
            record.update({name: _plain(metric) for name, metric in value.items()})
        else:
            record[each.name] = _plain(value)
    return json.dumps(record, allow_nan=False, ensure_ascii=False, separators=(",", ":"))


def from_json(line: str) -> tuple[RunEvent, float] | None:
    """Read a line back, with its time.  None for a damaged line or an event of a newer version.

    What comes from elsewhere is bounded: numbers are not absurd, lines not too long, and texts can be shown.
    """
    if len(line) > LONGEST_LINE:
        return None
    try:
        record = parse_json(line)
        kind: Any = EVENT_TYPES[record.pop("event")]
        time_s = read_number(record.pop("time"))
        readers, is_measuring = READERS[kind], kind in (StepFinished, EpochFinished)
        values: dict[str, Any] = {}
        metrics: dict[str, Metric] = {}
        for name, value in record.items():
            if name in readers:
                values[name] = readers[name](value)
            elif is_measuring and _is_metric(value):
                metrics[name] = (
                    tuple(map(_read_metric, value)) if type(value) is list else _read_metric(value)
                )
        if is_measuring:
            values["metrics"] = metrics
        if kind is EpochFinished and values["best_epoch"] > values["epoch"]:
            values["best_epoch"] = 0  # as if there were none: an epoch to come cannot have been the best
        return kind(**values), time_s
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _is_metric(value: object) -> bool:
    if type(value) is list:
        return all(each is None or type(each) in (int, float) for each in value)
    return value is None or type(value) in (int, float)


def _read_metric(value: object) -> float | None:
    return None if value is None else read_number(value)


def _plain(value: Any) -> Any:
    """Make a value fit JSON: floats to seven significant digits, non-finite and absurd ones to null."""
    if isinstance(value, float):
        return float(f"{value:.7g}") if abs(value) <= LARGEST_NUMBER else None
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
