"""`sda-tui runs`: every run with its state.  The table's columns are in `sda_tui.look`."""

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.table import Table
from rich.text import Text

from core.paths import default_root
from core.runs import RunSummary, list_runs
from core.text import printable
from sda_tui.headless.console import Output
from sda_tui.look import SUMMARY_COLUMNS


def runs_command(root: Path | None, as_json: bool) -> int:
    """List the runs below `root`, newest first."""
    root = root or default_root()
    summaries = list_runs(root)
    if as_json:
        sys.stdout.write(json.dumps([summary_as_dict(each) for each in summaries], indent=1) + "\n")
        return 0
    console = Output()
    if not summaries:
        console.print(
            Text(
                f"No runs in {printable(str(root))} yet. Start one with `sda-tui` or `sda-tui train FOLDER`."
            )
        )
        return 0
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in SUMMARY_COLUMNS:
        table.add_column(column.head, justify=column.justify)
    now_s = time.time()
    for summary in summaries:
        cells = (
            Text(column.cell(summary, now_s), column.tone(summary).ansi if column.tone else "")
            for column in SUMMARY_COLUMNS
        )
        table.add_row(*cells)
    console.print(table)
    for summary in summaries:
        if trouble := summary.problem or summary.message:
            console.print(Text(f"{printable(summary.name)}: {trouble}"))
    return 0


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
