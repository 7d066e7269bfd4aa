"""`sda-tui scan`: the verdict of every file."""

import contextlib
import json
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table
from rich.text import Text

from core.config import TrainingConfig
from core.data.report import FileReport, ScanProgress, ScanReport
from core.engine import Runner
from core.errors import RunError
from core.paths import default_root
from core.runs import KnownErrors, find_known_errors, list_runs
from core.text import printable
from sda_tui import format as fmt
from sda_tui.headless.console import Output, logging_to, print_line
from sda_tui.headless.signals import StopOnSignal
from sda_tui.look import VERDICTS, describe_format, describe_level, describe_relative, summary_lines
from sda_tui.terminal import log_path, own_terminal


def scan_command(sources: Sequence[Path], as_json: bool) -> int:
    """Print the report on sounds.  Raises DatasetError, after printing it, if nothing is usable."""
    config = TrainingConfig()
    report = scan_with_progress(sources, config)
    known_errors = _known_errors(report)
    if as_json:
        sys.stdout.write(json.dumps(report_as_dict(report, known_errors), indent=1) + "\n")
    else:
        print_report(Output(), report, known_errors)
    report.require_usable()
    return 0


def _known_errors(report: ScanReport) -> KnownErrors:
    """What the runs in the default place say of the files."""
    try:
        return find_known_errors(list_runs(default_root()), report.files)
    except RunError:  # they cannot be read, which is no matter of a scan
        return KnownErrors("", {})


def scan_with_progress(sources: Sequence[Path], config: TrainingConfig) -> ScanReport:
    """Scan with a bar on stderr.  Raises DatasetError, and Cancelled after Ctrl-C."""
    with progress_bar() as (show, cancelled):
        for event in Runner().scan(sources, config.chunk_duration_s, config.seed, cancelled):
            if isinstance(event, ScanProgress):
                show(event)
            elif isinstance(event, ScanReport):
                report = event
    return report


@contextlib.contextmanager
def progress_bar(
    doing: str = "scanning",
) -> Iterator[tuple[Callable[[ScanProgress], object], Callable[[], bool]]]:
    """A bar on stderr: a function that shows progress on it, and one that tests for Ctrl-C."""
    stop = threading.Event()
    log = log_path()
    with own_terminal(log) as terminal, logging_to(log), StopOnSignal(stop.set):
        console = Output(file=terminal)
        progress = Progress(
            TextColumn(doing + " {task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        with progress:
            task = progress.add_task("folder", total=None)

            def show(at: ScanProgress) -> None:
                progress.update(task, description=at.phase, completed=at.done, total=at.total or None)

            yield show, stop.is_set


def report_as_dict(report: ScanReport, known_errors: KnownErrors) -> dict[str, Any]:
    """The document of `--json`.  Paths are relative to `folder`."""
    return {
        "folder": report.folder,
        "sources": list(report.sources),
        "chunk_duration_s": report.chunk_duration_s,
        "files": [
            {**_file_as_dict(file), "held_out_error": known_errors.relative.get(file.path)}
            for file in report.files
        ],
        "held_out_by": known_errors.run or None,
        "totals": {
            "files": len(report.files),
            "usable_files": len(report.usable_files),
            "duration_s": round(report.duration_s, 3),
            "chunks": report.chunks,
            "verdicts": report.verdicts(),
            "sample_rates": {str(rate): count for rate, count in report.sample_rates().items()},
            "formats": report.formats(),
        },
        "split": {
            "method": report.split.method,
            "note": report.split.note,
            "train": [excerpt.path for excerpt in report.split.train],
            "validation": [excerpt.path for excerpt in report.split.validation],
            "training_chunks": report.split.training_chunks,
            "validation_chunks": report.split.validation_chunks,
        },
        "suggested_preset": report.suggested_preset,
        "suggestion_reason": report.suggestion_reason,
        "notes": list(report.notes),
    }


def _file_as_dict(file: FileReport) -> dict[str, Any]:
    return {
        "path": file.path,
        "verdict": file.verdict.value,
        "detail": file.detail,
        "usable": file.usable,
        "duration_s": round(file.duration_s, 6),
        "sample_rate": file.sample_rate,
        "channels": file.channels,
        "peak_db": round(file.peak_db, 2) if file.peak > 0 else None,
        "loudness_lufs": file.loudness_lufs,
        "format": file.format,
        "encoding": file.encoding,
        "size_bytes": file.size_bytes,
        "chunks": file.chunks,
    }


def print_report(console: Console, report: ScanReport, known_errors: KnownErrors) -> None:
    """A row per file, then the totals, the split and the suggestion."""
    table = Table(box=None, header_style="bold", pad_edge=False)
    columns = (
        ("File", "left"),
        ("Verdict", "left"),
        ("Length", "right"),
        ("Peak dB", "right"),
        ("LUFS", "right"),
    )
    for name, justify in (*columns, ("Format", "left")):
        table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
    if known_errors.relative:
        table.add_column("Held out", justify="right")
    table.add_column("", overflow="fold", style="dim")
    for file in report.files:
        glyph, tone = VERDICTS[file.verdict]
        verdict = Text(f"{glyph} {file.verdict.value}", tone.ansi)
        length = fmt.sound_duration(file.duration_s) if file.sample_rate else ""
        cells: list[str | Text] = [Text(file.printable_path), verdict, length]
        cells += [*describe_level(file), describe_format(file)]
        if known_errors.relative:
            error = known_errors.relative.get(file.path)
            cells.append(describe_relative(error) if error else "")
        table.add_row(*cells, Text(file.detail))
    console.print(table)
    console.print()
    for line in (*summary_lines(report), *_legend(known_errors)):
        print_line(console, line)


def _legend(known_errors: KnownErrors) -> list[str]:
    if not known_errors.relative:
        return []
    run = printable(known_errors.run)
    return [f"Held out: the error of a file that run {run} held out, relative to the median of these files."]
