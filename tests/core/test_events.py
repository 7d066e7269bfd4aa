"""Events as lines of JSON."""

import json
import math
from dataclasses import fields, replace
from pathlib import Path

import pytest

from core.events import (
    EVENT_TYPES,
    CheckpointSaved,
    EpochFinished,
    LoadProgress,
    MemoryUsed,
    PreviewReady,
    RunEvent,
    StateChanged,
    StepFinished,
    Warned,
    WarningKind,
    from_json,
    to_json,
)

EVENTS: list[RunEvent] = [
    StateChanged("training", 3, 1, 100, 10, "Grüße"),
    LoadProgress("decoding", 1, 7),
    StepFinished(1, 3, 100, -0.5, 1e-3, 0.25, 0.125, {"kl_loss": 0.1, "reconstruction_loss": -0.6}),
    EpochFinished(1, 2, 3, -0.5, -0.4, 0.75, 1.5, 1.0, -0.4, 1, 9.0, 3.0, 1, 2, 3, 2.0,
                  {"kl_divergence": 40.0, "kl_per_dimension": (0.5, None), "latent_dimensions": 2}),
    MemoryUsed(1, 1_000, 2_000, 3_000),
    PreviewReady(1, 3, "sample", "sample 1", "previews/a.wav", 1.0, (0.0, 1.0)),
    CheckpointSaved(1, 3, "checkpoints/step-000000003.pt", "manual", 41_000_000),
    Warned(WarningKind.OVERFITTING, "Overfitting.", 3),
]  # fmt: skip


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: event.event)
def test_an_event_is_one_line_that_reads_back_as_itself(event: RunEvent) -> None:
    line = to_json(event, 1234.5678)
    assert "\n" not in line
    assert from_json(line) == (event, 1234.568)
    record = json.loads(line)
    assert record["event"] == event.event
    assert record["time"] == 1234.568


def test_a_number_that_is_not_finite_becomes_null() -> None:
    event = StepFinished(1, 1, 1, math.nan, 1e-3, math.inf, 0.1, {"reconstruction_loss": -math.inf})
    record = json.loads(to_json(event, 0.0), parse_constant=pytest.fail)
    assert record["train_loss"] is None
    assert record["reconstruction_loss"] is None


@pytest.mark.parametrize(
    "line",
    [
        "",
        "{",
        "[]",
        "null",
        '{"event":"future","time":1}',
        '{"event":"step","time":1}',
        "[" * 100_000,
        f'{{"event":"load","time":1{"0" * 400},"phase":"decoding","done":1,"total":2}}',
        f'{{"event":"step","time":1,"epoch":1,"step":1,"total_steps":1,"train_loss":1,"learning_rate":1,'
        f'"gradient_norm":1,"step_time_s":1,"kl_loss":1{"0" * 400}}}',
    ],
)
def test_a_damaged_or_unknown_line_is_no_event(line: str) -> None:
    assert from_json(line) is None


def test_metrics_are_written_beside_the_common_fields() -> None:
    step = next(event for event in EVENTS if isinstance(event, StepFinished))
    record = json.loads(to_json(step, 0.0))
    assert (record["train_loss"], record["kl_loss"]) == (-0.5, 0.1)


def an_epoch(validation_error: float | None, untrained_error: float | None) -> EpochFinished:
    epoch = next(event for event in EVENTS if isinstance(event, EpochFinished))
    return replace(epoch, validation_error=validation_error, untrained_error=untrained_error)


@pytest.mark.parametrize(
    ("now", "start", "quality"),
    [(1.5, 1.5, 0.0), (0.75, 1.5, 0.75), (0.0, 1.5, 1.0), (3.0, 1.5, -3.0), (None, 1.5, None),
     (1.5, None, None), (math.nan, 1.5, None), (1.5, math.inf, None), (1.5, 0.0, None)],
)  # fmt: skip
def test_quality_is_the_part_of_the_untrained_models_squared_error_that_is_gone(
    now: float | None, start: float | None, quality: float | None
) -> None:
    assert an_epoch(now, start).quality == quality


def test_the_quality_of_an_older_log_is_not_taken_for_todays() -> None:
    """It was one minus the gap, and the untrained model was not measured."""
    record = json.loads(to_json(an_epoch(1.5, None), 0.0))
    del record["untrained_error"]
    read = from_json(json.dumps({**record, "quality": 0.25}))
    assert read is not None
    assert isinstance(read[0], EpochFinished)
    assert read[0].quality is None


def test_metric_with_the_name_of_a_field_is_refused() -> None:
    with pytest.raises(ValueError, match="train_loss"):
        to_json(StepFinished(1, 3, 100, -0.5, 1e-3, 0.25, 0.125, {"train_loss": 1.0}), 0.0)


def test_what_is_no_number_is_no_metric() -> None:
    step = next(event for event in EVENTS if isinstance(event, StepFinished))
    line = to_json(step, 0.0)[:-1] + ',"a":true,"b":["x"],"c":{},"d":[1,null],"e":null}'
    read = from_json(line)
    assert read is not None
    assert read[0] == replace(step, metrics={**step.metrics, "d": (1, None), "e": None})


def test_warning_of_an_unknown_kind_is_no_event() -> None:
    assert from_json('{"event":"warning","time":1,"kind":"new","message":"!","step":1}') is None


def test_a_field_of_a_newer_version_is_skipped() -> None:
    line = to_json(Warned(WarningKind.DISK, "Full.", 1), 0.0)[:-1] + ',"colour":"red"}'
    assert from_json(line) == (Warned(WarningKind.DISK, "Full.", 1), 0.0)


@pytest.mark.parametrize("kind", EVENT_TYPES.values(), ids=EVENT_TYPES)
def test_every_event_and_its_fields_are_documented(kind: type[RunEvent]) -> None:
    described = (Path(__file__).parents[2] / "docs" / "runs.md").read_text(encoding="utf-8")
    (row,) = (line for line in described.splitlines() if line.startswith(f"| `{kind.event}` | "))
    for field in fields(kind):
        assert f"`{field.name}`" in row or field.name == "metrics"


def test_a_best_epoch_that_is_yet_to_come_is_none() -> None:
    epoch = next(event for event in EVENTS if isinstance(event, EpochFinished))
    for best_epoch, read_epoch in ((epoch.epoch, epoch.epoch), (epoch.epoch + 1, 0)):
        read = from_json(to_json(replace(epoch, best_epoch=best_epoch), 0.0))
        assert read is not None
        assert isinstance(read[0], EpochFinished)
        assert read[0].best_epoch == read_epoch
