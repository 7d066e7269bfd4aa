"""`sda-tui runs`: every run with its state.  The table's columns are in `sda_tui.summary_columns`."""

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.segment import SegmentLines
from rich.table import Table
from rich.text import Text

from core.errors import ConfigError
from core.paths import default_root
from core.runs import RunDirectory, RunLabels, RunSummary, find_run, list_runs, rename_run, summarise
from core.text import printable
from sda_tui.advice import command
from sda_tui.headless.console import Output, print_line
from sda_tui.summary_columns import SUMMARY_COLUMNS, SummaryColumn, fit_columns

NEEDED_RANK = 1  # where columns up to this one do not fit beside the name, it is on a line of its own


@dataclass(frozen=True)
class LabelChanges:
    """What is to change in the labels of runs; None to leave it as it is."""

    star: bool | None = None
    note: str | None = None
    name: str | None = None


NO_CHANGES = LabelChanges()


def runs_command(
    root: Path | None, names: Sequence[str] = (), changes: LabelChanges = NO_CHANGES, as_json: bool = False
) -> int:
    """List the runs below `root`, newest first, or those named alone, after changing their labels.

    Raises RunError, ConfigError.
    """
    root = root or default_root()
    if names:
        summaries = [summarise(_change(find_run(name, root), changes, len(names))) for name in names]
    elif changes != NO_CHANGES:
        raise ConfigError("Name the run that gets the star, the note or the other name.")
    else:
        summaries = list_runs(root)
    if as_json:
        sys.stdout.write(json.dumps([summary_as_dict(each) for each in summaries], indent=1) + "\n")
        return 0
    console = Output()
    if not summaries:
        start = command("--runs", root)
        print_line(console, f"No runs in {printable(str(root))} yet. Start one with {start}.")
        return 0
    print_table(console, summaries, time.time())
    for summary in summaries:
        if trouble := summary.problem or summary.message:
            print_line(console, f"{printable(summary.name)}: {trouble}")
    return 0


def _change(run: RunDirectory, changes: LabelChanges, count: int) -> RunDirectory:
    """Change the labels of one of `count` runs.  Raises RunError, ConfigError."""
    if changes.name is not None:
        if count > 1:
            raise ConfigError("Only one run at a time can get another name.")
        run = rename_run(run, changes.name)
    before = RunLabels.read(run)
    labels = RunLabels(
        before.is_starred if changes.star is None else changes.star,
        before.note if changes.note is None else changes.note,
    )
    if labels != before:
        labels.write(run)
    return run


def print_table(console: Console, summaries: Sequence[RunSummary], now_s: float) -> None:
    """A row per run, with the columns that fit; where too few do, the name is on a line of its own."""
    widths = [
        (column, max(map(len, (column.head, *(column.cell(each, now_s) for each in summaries)))))
        for column in SUMMARY_COLUMNS
    ]
    columns = fit_columns(widths, console.width)
    if all(column in columns for column, _ in widths if column.rank <= NEEDED_RANK):
        console.print(_table(columns, summaries, now_s))
        return
    name = next(column for column in columns if column.head == "Run")
    others = fit_columns([each for each in widths if each[0] is not name], console.width)
    narrow = _table(others, summaries, now_s)
    head, *rows = console.render_lines(narrow, pad=False)
    console.print(SegmentLines([head], new_lines=True), end="")
    for summary, row in zip(summaries, rows, strict=True):
        print_line(console, name.cell(summary, now_s))
        console.print(SegmentLines([row], new_lines=True), end="")


def _table(columns: Sequence[SummaryColumn], summaries: Sequence[RunSummary], now_s: float) -> Table:
    """The table of these columns."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column.head, justify=column.justify, no_wrap=True)
    for summary in summaries:
        table.add_row(
            *(
                Text(column.cell(summary, now_s), column.tone(summary).ansi if column.tone else "")
                for column in columns
            )
        )
    return table


def summary_as_dict(summary: RunSummary) -> dict[str, Any]:
    """One run in the document of `--json`."""
    manifest, last = summary.manifest, summary.last_epoch
    return {
        "name": summary.name,
        "path": str(summary.run.path),
        "state": summary.state.value,
        "message": summary.problem or summary.message,
        "epoch": summary.epoch,
        "epochs": manifest.config.epochs if manifest else None,
        "step": summary.step,
        "total_steps": manifest.total_steps if manifest else None,
        "train_loss": last.train_loss if last else None,
        "validation_loss": last.validation_loss if last else None,
        "best_validation_loss": last.best_validation_loss if last else None,
        "best_epoch": last.best_epoch if last else None,
        "quality": last.quality if last else None,
        "overfitting_gap": last.overfitting_gap if last else None,
        "elapsed_s": summary.elapsed_s,
        "modified": _iso(summary.modified_s),
        "size_bytes": summary.size_bytes,
        "folder": manifest.folder if manifest else None,
        "preset": manifest.preset if manifest else None,
        "held_out_rmse": summary.held_out_rmse,
        "changed_settings": {name: change.value for name, change in summary.changed_settings.items()},
        "starred": summary.labels.is_starred,
        "note": summary.labels.note,
        "queue_place": summary.queue_place or None,
        "pid": summary.holder_pid,
    }


def _iso(time_s: float) -> str | None:
    """A time since 1970 as in ISO 8601; None for one that no calendar has, as a file from elsewhere may."""
    try:
        return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return None
