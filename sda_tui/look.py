"""Glyph, tone and text of verdicts, states, runs and reports, for the app and for the commands.

Colour is never the only sign: a glyph and a word are beside it.
"""

import os
from collections.abc import Mapping, Sequence
from enum import StrEnum
from pathlib import Path

from core.data.report import FileReport, ScanReport, Verdict
from core.events import RunState, SettingsChanged
from core.runs import HeldOutErrors, KnownErrors, RunManifest
from core.text import printable
from sda_tui import format as fmt

SHOWN_SOURCES = 2  # of several files and folders; the others are counted
HARDEST = 3  # held-out files that are named
STAR, NO_STAR = "★", "☆"  # of what the user starred, and where a click does


class Tone(StrEnum):
    """How good or bad something is; the value is the theme's variable for its colour."""

    NEUTRAL = "foreground"
    GOOD = "text-success"
    CAUTION = "text-warning"
    BAD = "text-error"

    @property
    def ansi(self) -> str:
        """The style in the output of a command."""
        return {"text-success": "green", "text-warning": "yellow", "text-error": "red"}.get(self.value, "")


VERDICTS: Mapping[Verdict, tuple[str, Tone]] = {
    Verdict.WAITING: ("·", Tone.NEUTRAL),
    Verdict.USED: ("✓", Tone.GOOD),
    Verdict.PADDED: ("✓", Tone.GOOD),
    Verdict.MOSTLY_SILENT: ("!", Tone.CAUTION),
    Verdict.CLIPPED: ("!", Tone.CAUTION),
    Verdict.DUPLICATE: ("=", Tone.CAUTION),
    Verdict.LEFT_OUT: ("–", Tone.NEUTRAL),
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
    absolute, home = Path(path), Path(os.path.expanduser("~"))  # noqa: PTH111  (that of Path may raise)
    if absolute.is_relative_to(home):
        absolute = Path("~") / absolute.relative_to(home)
    return printable(str(absolute))


def describe_sources(paths: Sequence[Path]) -> str:
    """The choice of a dataset in a few words: a path, or "kick.wav, snare.wav and 7 more in ~/drums"."""
    if len(paths) == 1:
        return show_path(paths[0])
    absolute = [Path(os.path.abspath(os.path.expanduser(path))) for path in paths]  # noqa: PTH100, PTH111
    folder = os.path.commonpath([path.parent for path in absolute])
    names = [printable(path.relative_to(folder).as_posix()) for path in absolute]
    shown = (
        names
        if len(names) <= SHOWN_SOURCES + 1
        else [*names[:SHOWN_SOURCES], f"{len(names) - SHOWN_SOURCES} more"]
    )
    return f"{', '.join(shown[:-1])} and {shown[-1]} in {show_path(folder)}"


def describe_parent(manifest: RunManifest) -> list[str]:
    """A line on the run whose model this one started from, if there is one."""
    parent = manifest.parent
    if parent is None:
        return []
    return [f"Started from {printable(parent.checkpoint)} of {printable(parent.run)}, step {parent.step}."]


def describe_settings_change(change: SettingsChanged) -> str:
    """What was changed on the way, as a sentence."""
    return f"Since step {change.step}: {change.now} (before: {change.before})."


def describe_format(file: FileReport) -> str:
    """Format, sample rate and channels in a few characters: FLAC 44.1 kHz 2ch."""
    if not file.sample_rate:
        return ""
    return f"{file.format} {fmt.sample_rate(file.sample_rate)} {file.channels}ch"


def describe_level(file: FileReport) -> tuple[str, str]:
    """Peak in dBFS and loudness in LUFS; both empty until the samples are read."""
    if not file.peaks:
        return "", ""
    return fmt.level(file.peak_db), fmt.level(file.loudness_lufs)


def describe_state(state: RunState) -> str:
    """Glyph and word: "✓ finished"."""
    return f"{STATES[state][0]} {state.value}"


def describe_hardest(errors: HeldOutErrors) -> str:
    """The held-out files with the largest error: "Hardest held-out (× median): a.wav 2.3, b.wav 1.2"."""
    named = [f"{printable(path)} {error:.1f}" for path, error in errors.hardest(HARDEST)]
    return f"Hardest held-out (× median): {', '.join(named)}" if named else ""


def describe_relative(error: float) -> str:
    """An error relative to the median: "2.3×"."""
    return f"{error:.1f}×"


def describe_known_error(path: str, known: KnownErrors) -> str:
    """What a run says of a file, as a message; empty if nothing."""
    if path not in known.relative:
        return ""
    error = describe_relative(known.relative[path])
    return f"its error when {printable(known.run)} held it out is {error} the median"


def summary_lines(report: ScanReport) -> list[str]:
    """Totals, split and suggestion, a line each."""
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in report.verdicts().items())
    rates = ", ".join(f"{fmt.sample_rate(rate)} ×{count}" for rate, count in report.sample_rates().items())
    formats = ", ".join(f"{name} ×{count}" for name, count in report.formats().items())
    lines = [f"{describe_sources(report.source_paths)}: {fmt.count(len(report.files), 'file')} ({verdicts})"]
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
