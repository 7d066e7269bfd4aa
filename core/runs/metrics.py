"""The whole history of a run as a table: one row per epoch or per step, for spreadsheets and notebooks."""

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from core.config import ExportRequest
from core.errors import RunError
from core.events import EpochFinished, Metric, StepFinished
from core.runs.directory import RunDirectory
from core.runs.event_log import read_events
from core.targets import write_target
from core.text import printable

Row = dict[str, Any]
Kind = type[EpochFinished] | type[StepFinished]


def metric_rows(run: RunDirectory, kind: Kind) -> Iterator[Row]:
    """A row for each epoch or step of the log, in its order: time in ISO 8601, fields and metrics by name.

    Epochs have their quality too.  Raises RunError if the log cannot be read.
    """
    try:
        for event, time_s in read_events(run.events, kind):
            row: Row = {"time": datetime.fromtimestamp(time_s, UTC).isoformat(timespec="milliseconds")}
            row |= {each.name: getattr(event, each.name) for each in fields(event) if each.name != "metrics"}
            if isinstance(event, EpochFinished):
                row["quality"] = event.quality
            yield row | dict(event.metrics)
    except (OSError, OverflowError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RunError(f"The log of {printable(run.name)} cannot be read ({reason}).") from error


def metrics_as_csv(run: RunDirectory, kind: Kind) -> Iterator[bytes]:
    """The lines of a CSV file: a header, then a row for each event.

    The values of a list are separated by spaces; what was not measured is empty.  Raises RunError.
    """
    columns: dict[str, None] = {}
    for row in metric_rows(run, kind):
        columns.update(dict.fromkeys(row))
    if not columns:
        raise RunError(f"{printable(run.name)} has no history yet.")
    yield _csv_line(columns)
    for row in metric_rows(run, kind):
        yield _csv_line(_cell(row.get(column)) for column in columns)


def metrics_as_json(run: RunDirectory, steps: bool = False) -> Iterator[bytes]:
    """The parts of a JSON document: `run`, `epochs`, and `steps` if wanted, each a row.  Raises RunError."""
    if next(metric_rows(run, EpochFinished if not steps else StepFinished), None) is None:
        raise RunError(f"{printable(run.name)} has no history yet.")
    yield f'{{"run": {json.dumps(printable(run.name))},\n"epochs": ['.encode()
    yield from _json_rows(metric_rows(run, EpochFinished))
    if steps:
        yield b'],\n"steps": ['
        yield from _json_rows(metric_rows(run, StepFinished))
    yield b"]}\n"


def _json_rows(rows: Iterator[Row]) -> Iterator[bytes]:
    separator = "\n"
    for row in rows:
        yield (separator + json.dumps(row, allow_nan=False)).encode()
        separator = ",\n"


def _cell(value: Metric | str) -> str:
    if value is None:
        return ""
    return " ".join(map(_cell, value)) if isinstance(value, tuple) else str(value)


def _csv_line(cells: Any) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\n").writerow(cells)
    return buffer.getvalue().encode("utf-8", "replace")


def write_metrics(run: RunDirectory, request: ExportRequest, paths: Sequence[Path]) -> Iterator[Path]:
    """Write the history in the format of a request, and yield each path when the file is there.

    CSV has a file of its own for steps.  Raises RunError, ExportError.
    """
    if request.metrics == "json":
        yield write_target(paths[0], metrics_as_json(run, request.steps), request.overwrite)
        return
    for path, kind in zip(paths, (EpochFinished, StepFinished), strict=False):
        yield write_target(path, metrics_as_csv(run, kind), request.overwrite)
