"""How verdicts, states and reports are put into glyphs, tones and words, in the app and in the commands.

Colour never says anything alone.
"""

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

from core.data.report import FileReport, ScanReport, Verdict
from core.events import RunState
from core.runs import RunSummary
from core.text import printable
from sda_tui import format as fmt


class Tone(StrEnum):
    """A mood, and the theme's variable for it."""

    NEUTRAL = "foreground"
    GOOD = "text-success"
    CAUTION = "text-warning"
    BAD = "text-error"

    @property
    def ansi(self) -> str:
        """The style of plain terminal output."""
        return {"text-success": "green", "text-warning": "yellow", "text-error": "red"}.get(self.value, "")


VERDICTS: Mapping[Verdict, tuple[str, Tone]] = {
    Verdict.WAITING: ("·", Tone.NEUTRAL),
    Verdict.USED: ("✓", Tone.GOOD),
    Verdict.PADDED: ("✓", Tone.GOOD),
    Verdict.MOSTLY_SILENT: ("!", Tone.CAUTION),
    Verdict.CLIPPED: ("!", Tone.CAUTION),
    Verdict.DUPLICATE: ("=", Tone.CAUTION),
    Verdict.UNSUPPORTED: ("✗", Tone.BAD),
    Verdict.UNREADABLE: ("✗", Tone.BAD),
}

STATES: Mapping[RunState, tuple[str, Tone]] = {
    RunState.LOADING: ("◌", Tone.NEUTRAL),
    RunState.TRAINING: ("▶", Tone.GOOD),
    RunState.CANCELLED: ("■", Tone.CAUTION),
    RunState.FINISHED: ("✓", Tone.GOOD),
    RunState.FAILED: ("✗", Tone.BAD),
    RunState.INTERRUPTED: ("!", Tone.CAUTION),
}


def show_path(path: Path | str) -> str:
    """A path made safe for the terminal, with the home directory as ~."""
    absolute, home = Path(path), Path.home()
    if absolute.is_relative_to(home):
        absolute = Path("~") / absolute.relative_to(home)
    return printable(str(absolute))


def describe_format(file: FileReport) -> str:
    """Format, sample rate and channels in a few characters: FLAC 44.1 kHz 2ch."""
    if not file.sample_rate:
        return ""
    return f"{file.format} {fmt.sample_rate(file.sample_rate)} {file.channels}ch"


def describe_state(state: RunState) -> str:
    """Glyph and word: "✓ finished"."""
    return f"{STATES[state][0]} {state.value}"


def summary_columns(summary: RunSummary) -> tuple[str, ...]:
    """Epoch, training loss, validation loss, best one with its epoch, age and size, as text."""
    epochs = summary.manifest.config.epochs if summary.manifest else 0
    last = summary.last_epoch
    return (
        f"{summary.epoch}/{epochs}",
        fmt.number(last.train_loss if last else None),
        fmt.number(last.validation_loss if last else None),
        f"{fmt.number(last.best_validation_loss)} @{last.best_epoch}" if last else "–",
        fmt.age(summary.modified_s),
        fmt.size(summary.size_bytes),
    )


def summary_lines(report: ScanReport) -> list[str]:
    """Totals, split and suggestion, a line each."""
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in report.verdicts().items())
    rates = ", ".join(f"{fmt.sample_rate(rate)} ×{count}" for rate, count in report.sample_rates().items())
    formats = ", ".join(f"{name} ×{count}" for name, count in report.formats().items())
    lines = [f"{show_path(report.folder)}: {fmt.count(len(report.files), 'file')} ({verdicts})"]
    if report.usable_files:
        usable = fmt.count(len(report.usable_files), "file")
        lines += [
            f"Usable: {usable}, {fmt.sound_duration(report.duration_s)}, "
            f"{fmt.count(report.chunks, 'chunk')} of {report.chunk_duration_s:g} s; {rates}; {formats}",
            f"Split: {fmt.count(report.split.training_chunks, 'training chunk')}, "
            f"{report.split.validation_chunks} for validation. {report.split.note}",
            f"Suggested preset: {report.suggested_preset} ({report.suggestion_reason.rstrip('.')}).",
        ]
    return [*lines, *report.notes]
