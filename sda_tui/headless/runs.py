"""`sda-tui runs`: every run with its state.  The table's columns are in `sda_tui.look`."""

import json
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.segment import SegmentLines
from rich.table import Table
from rich.text import Text

from core.paths import default_root
from core.runs import RunSummary, list_runs
from core.text import printable
from sda_tui.advice import command
from sda_tui.headless.console import PIPE_WIDTH, Output, print_line
from sda_tui.look import SUMMARY_COLUMNS, SummaryColumn


def runs_command(root: Path | None, as_json: bool) -> int:
    """List the runs below `root`, newest first."""
    root = root or default_root()
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


def print_table(console: Console, summaries: Sequence[RunSummary], now_s: float) -> None:
    """A row per run; where that is too wide, the name is on a line of its own."""
    name, *others = SUMMARY_COLUMNS
    whole = _table([(column, column.head) for column in SUMMARY_COLUMNS], summaries, now_s)
    if whole.__rich_measure__(console, console.options.update(max_width=PIPE_WIDTH)).maximum <= console.width:
        console.print(whole)
        return
    narrow = _table([(column, column.short_head or column.head) for column in others], summaries, now_s)
    head, *rows = console.render_lines(narrow, pad=False)
    console.print(SegmentLines([head], new_lines=True), end="")
    for summary, row in zip(summaries, rows, strict=True):
        print_line(console, name.cell(summary, now_s))
        console.print(SegmentLines([row], new_lines=True), end="")


def _table(
    columns: Sequence[tuple[SummaryColumn, str]], summaries: Sequence[RunSummary], now_s: float
) -> Table:
    """The table of these columns, each with its head."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column, head in columns:
        table.add_column(head, justify=column.justify, no_wrap=True)
    for summary in summaries:
        table.add_row(
            *(
                Text(column.cell(summary, now_s), column.tone(summary).ansi if column.tone else "")
                for column, _ in columns
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
        "pid": summary.holder_pid,
    }


def _iso(time_s: float) -> str | None:
    """A time since 1970 as in ISO 8601; None for one that no calendar has, as a file from elsewhere may."""
    try:
        return datetime.fromtimestamp(time_s, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return None
