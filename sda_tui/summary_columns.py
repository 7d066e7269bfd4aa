"""The columns of the table of runs, in the app and in `sda-tui runs`: cells, order, and which of them fit."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from core.runs import RunSummary
from core.text import printable
from sda_tui import format as fmt
from sda_tui.look import STAR, STATES, Tone, describe_sources, describe_state

QUEUED = "◷ queued"  # with its place
LONGEST_NAME, LONGEST_TEXT = 32, 40  # characters of a cell; the whole is in the lines below the table
GAP = 2  # columns of the terminal between two of the table

Order = tuple[bool, float | str]  # whether there is no value, which comes last, and the value


@dataclass(frozen=True)
class SummaryColumn:
    """A column of the table of runs: its head, the text of a run's cell, and how that is shown.

    `cell` takes the run and the time now, in seconds since 1970.  `order` is what the runs are sorted by.
    Where not all columns fit, those of the highest `rank` are left out first.
    """

    head: str
    cell: Callable[[RunSummary, float], str]
    order: Callable[[RunSummary], Order]
    rank: int = 0
    tone: Callable[[RunSummary], Tone] | None = None
    justify: Literal["left", "right"] = "right"
    help: str = ""


def describe_run_state(summary: RunSummary) -> str:
    """Glyph and word, and the place in the queue of a run that waits."""
    if summary.queue_place and not summary.state.is_active:
        return f"{QUEUED} {summary.queue_place}"
    return describe_state(summary.state)


def _state_tone(summary: RunSummary) -> Tone:
    if summary.queue_place and not summary.state.is_active:
        return Tone.NEUTRAL
    return STATES[summary.state][1]


def _number(value: float | None) -> Order:
    return (False, value) if value is not None and math.isfinite(value) else (True, 0.0)


def _text(value: str) -> Order:
    return not value, value.casefold()


def _describe_epoch(summary: RunSummary) -> str:
    epochs = summary.manifest.config.epochs if summary.manifest else 0
    return f"{summary.epoch}/{epochs}"


def _best_loss(summary: RunSummary) -> float | None:
    return summary.last_epoch.best_validation_loss if summary.last_epoch else None


def _describe_best(summary: RunSummary) -> str:
    last = summary.last_epoch
    return fmt.best(last.best_validation_loss, last.best_epoch) if last else "–"


def _dataset(summary: RunSummary) -> str:
    """The chosen folder without those above it, or what was chosen."""
    paths = summary.manifest.source_paths if summary.manifest else ()
    if len(paths) == 1:
        return printable(paths[0].name or str(paths[0]))
    return describe_sources(paths) if paths else ""


def _preset(summary: RunSummary) -> str:
    return summary.manifest.preset if summary.manifest else ""


def _count_changes(summary: RunSummary) -> str:
    return str(len(summary.changed_settings) or "–")


SUMMARY_COLUMNS: tuple[SummaryColumn, ...] = (
    SummaryColumn(
        STAR,
        lambda run, _: STAR if run.labels.is_starred else " ",
        lambda run: _number(0.0 if run.labels.is_starred else 1.0),
        justify="left",
        help="your star",
    ),
    SummaryColumn(
        "Run",
        lambda run, _: printable(run.name),
        lambda run: _text(run.name),
        justify="left",
        help="name of the run",
    ),
    SummaryColumn(
        "State",
        lambda run, _: describe_run_state(run),
        lambda run: _text(f"{run.state.value} {run.queue_place:06}"),
        tone=_state_tone,
        justify="left",
        help="what it does now, or how it ended",
    ),
    SummaryColumn(
        "Dataset",
        lambda run, _: fmt.shorten(_dataset(run), LONGEST_NAME),
        lambda run: _text(_dataset(run)),
        rank=5,
        justify="left",
        help="the folder or files of its sounds",
    ),
    SummaryColumn(
        "Preset",
        lambda run, _: _preset(run),
        lambda run: _text(_preset(run)),
        rank=6,
        justify="left",
        help="what its settings started from",
    ),
    SummaryColumn(
        "Changed",
        lambda run, _: _count_changes(run),
        lambda run: _number(len(run.changed_settings)),
        rank=7,
        help="settings that differ from the preset's",
    ),
    SummaryColumn(
        "Epoch",
        lambda run, _: _describe_epoch(run),
        lambda run: _number(run.epoch),
        rank=1,
        help="epochs done, and epochs in all",
    ),
    SummaryColumn(
        "Best loss",
        lambda run, _: _describe_best(run),
        lambda run: _number(_best_loss(run)),
        rank=1,
        help="lowest validation loss, and its epoch; comparable where the loss settings are the same",
    ),
    SummaryColumn(
        "RMSE",
        lambda run, _: fmt.number(run.held_out_rmse, 3),
        lambda run: _number(run.held_out_rmse),
        rank=3,
        help="error of held-out sounds after its last epoch; lower is better",
    ),
    SummaryColumn(
        "Age",
        lambda run, now_s: fmt.age(run.modified_s, now_s),
        lambda run: _number(-run.modified_s),
        rank=2,
        help="time since its last event",
    ),
    SummaryColumn(
        "Size",
        lambda run, _: fmt.size(run.size_bytes),
        lambda run: _number(run.size_bytes),
        rank=4,
        help="space on disk",
    ),
    SummaryColumn(
        "Note",
        lambda run, _: fmt.shorten(run.labels.note, LONGEST_TEXT),
        lambda run: _text(run.labels.note),
        rank=8,
        justify="left",
        help="your note",
    ),
)
BY_AGE = next(column for column in SUMMARY_COLUMNS if column.head == "Age")


def fit_columns(widths: Sequence[tuple[SummaryColumn, int]], width: int) -> list[SummaryColumn]:
    """The columns, each with the width that it needs, that fit into a line; the most important ones stay."""
    kept = list(widths)
    while sum(needed + GAP for _, needed in kept) > width:
        last = max(kept, key=lambda each: each[0].rank)
        if last[0].rank == 0:
            break
        kept.remove(last)
    return [column for column, _ in kept]


def matches(summary: RunSummary, text: str) -> bool:
    """Whether each word of a text is in the name, dataset, preset, state or note of a run."""
    if not text:
        return True
    manifest = summary.manifest
    sources = " ".join(map(str, manifest.source_paths)) if manifest else ""
    star = STAR if summary.labels.is_starred else ""
    searched = (
        summary.name,
        sources,
        _preset(summary),
        describe_run_state(summary),
        summary.labels.note,
        star,
    )
    everything = "\n".join(searched).casefold()
    return all(word in everything for word in text.casefold().split())


def sort_runs(
    summaries: Sequence[RunSummary], column: SummaryColumn, is_reversed: bool = False
) -> list[RunSummary]:
    """The runs in the order of a column, those without a value last; equal ones stay in their order."""
    return sorted(
        sorted(summaries, key=lambda run: column.order(run)[1], reverse=is_reversed),
        key=lambda run: column.order(run)[0],
    )
