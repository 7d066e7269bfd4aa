"""The history of a run as CSV and JSON."""

import csv
import io
import json
from pathlib import Path

import pytest

from core.errors import RunError
from core.events import EpochFinished, StepFinished, to_json
from core.runs import RunDirectory
from core.runs.metrics import metrics_as_csv, metrics_as_json
from tests.core.runs.test_history import epoch, step


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    """Three steps in two epochs, the second of which measures one thing more."""
    first, second = epoch(1, 0.5, 0.75), epoch(2, 0.4, 0.7)
    second = EpochFinished(**{
        **{name: getattr(second, name) for name in EpochFinished.__slots__},
        "untrained_error": 0.4,
        "metrics": {"kl_divergence": 12.5, "kl_per_dimension": (1.5, None, 0.25)},
    })  # fmt: skip
    events = [step(1), step(2, loss=None), first, step(3), second]
    lines = [to_json(event, 1_700_000_000.0 + number) for number, event in enumerate(events)]
    found = RunDirectory(tmp_path / "run")
    found.path.mkdir()
    found.events.write_text("\n".join([*lines, '{"event":"epoch", damaged']) + "\n")
    return found


def rows(run: RunDirectory, kind: type) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(b"".join(metrics_as_csv(run, kind)).decode())))


def test_csv_has_a_row_for_each_epoch_with_all_that_was_measured(run: RunDirectory) -> None:
    first, second = rows(run, EpochFinished)
    assert (first["epoch"], first["validation_loss"], second["validation_loss"]) == ("1", "0.75", "0.7")
    assert first["time"] == "2023-11-14T22:13:22.000+00:00"
    assert (first["quality"], second["quality"]) == ("", "0.75")  # 1 − (0.2 / 0.4)²
    assert (first["kl_divergence"], second["kl_divergence"]) == ("", "12.5")
    assert second["kl_per_dimension"] == "1.5  0.25"


def test_csv_of_steps_has_the_parts_of_the_loss(run: RunDirectory) -> None:
    found = rows(run, StepFinished)
    assert [each["step"] for each in found] == ["1", "2", "3"]
    assert [each["train_loss"] for each in found] == ["1.0", "", "1.0"]
    assert [each["kl_loss"] for each in found] == ["3.0", "6.0", "9.0"]


@pytest.mark.parametrize("steps", [False, True])
def test_json_is_one_document_with_the_same_rows(run: RunDirectory, steps: bool) -> None:
    document = json.loads(b"".join(metrics_as_json(run, steps)))
    assert document.keys() == {"run", "epochs"} | ({"steps"} if steps else set())
    assert [each["validation_loss"] for each in document["epochs"]] == [0.75, 0.7]
    assert document["epochs"][1]["kl_per_dimension"] == [1.5, None, 0.25]
    assert not steps or [each["train_loss"] for each in document["steps"]] == [1.0, None, 1.0]


def test_a_run_without_history_is_named(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "new")
    run.path.mkdir()
    run.events.touch()
    for parts in (metrics_as_csv(run, EpochFinished), metrics_as_json(run), metrics_as_json(run, steps=True)):
        with pytest.raises(RunError, match="new has no history yet"):
            next(parts)
    run.events.unlink()
    with pytest.raises(RunError, match="cannot be read"):
        next(metrics_as_json(run))
