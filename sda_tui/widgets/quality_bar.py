"""How far a run has come on held-out sounds, as a bar, a number and a word."""

from dataclasses import dataclass

from rich.text import Text
from textual.reactive import reactive
from textual.widget import Widget

from core.events import WarningKind
from core.runs import RunHistory
from sda_tui import format as fmt
from sda_tui.judgement import WORSE
from sda_tui.look import Tone
from sda_tui.widgets.metric_table import MetricTable

CELLS, FEWEST_CELLS = 10, 4
EIGHTHS = " ▏▎▍▌▋▊▉█"
TRACK = "░"


@dataclass(frozen=True)
class Reading:
    """What the bar shows.  `quality` is that of `EpochFinished`, `best` that of the best epoch, `gap` the
    relative difference of the errors; None where one is not known."""

    quality: float | None
    best: float | None
    gap: float | None
    is_improving: bool
    is_overfitting: bool


class QualityBar(Widget):
    """How much of what the untrained model misses in held-out sounds the trained one gives back.

    The bar is empty at 0 % and full at 100 %, where nothing would be missed.  Beside it are the trend, and
    the gap between the errors of held-out and training sounds, which is no harm by itself.  Coloured as wrong
    only when the detector reports overfitting, or the model is worse than at its start.
    """

    reading: reactive[Reading | None] = reactive(None)

    def show(self, history: RunHistory) -> None:
        last = history.last_epoch
        if last is None:
            self.reading = None
            return
        self.reading = Reading(
            last.quality,
            history.best_quality,
            last.overfitting_gap,
            history.is_improving,
            bool(history.warning(WarningKind.OVERFITTING)),
        )

    def render(self) -> Text:
        text = Text(
            "Quality".ljust(MetricTable.LABEL_WIDTH + 1), style="dim", no_wrap=True, overflow="ellipsis"
        )
        if self.reading is None:
            return text.append(TRACK * CELLS, style="not dim").append(" after epoch 1")
        word, tone = judge(self.reading)
        verdict = f" {fmt.share(self.reading.quality)} {word}"
        room = self.size.width - len(text.plain) - len(verdict)
        figures = ""
        for figure in describe_figures(self.reading):
            if room - len(figures + figure) >= FEWEST_CELLS:
                figures += figure
        cells = max(FEWEST_CELLS, min(CELLS, room - len(figures)))
        colour = self.app.theme_variables[tone]
        text.append(draw_bar(self.reading.quality or 0.0, cells), style=f"not dim {colour}")
        text.append(verdict, style=f"not dim bold {colour}")
        return text.append(figures)


def describe_figures(reading: Reading) -> list[str]:
    """What stands beside the verdict where there is room: the gap, and the best if it was better."""
    figures = [f" · gap {fmt.share(reading.gap)}"]
    if fmt.share(reading.best) != fmt.share(reading.quality):
        figures.append(f" · best {fmt.share(reading.best)}")
    return figures


def draw_bar(quality: float, cells: int) -> str:
    """A bar in steps of an eighth of a cell, with what is left of it."""
    eighths = round(8 * cells * min(1.0, max(0.0, quality)))
    whole, part = divmod(eighths, 8)
    bar = EIGHTHS[8] * whole + (EIGHTHS[part] if part else "")
    return bar.ljust(cells, TRACK)


def judge(reading: Reading) -> tuple[str, Tone]:
    """The word for a reading, and how good or bad it is."""
    if reading.is_overfitting:
        return "overfitting", Tone.BAD
    if reading.quality is not None and reading.quality < WORSE:
        return "worse than untrained", Tone.CAUTION
    return ("improving", Tone.GOOD) if reading.is_improving else ("steady", Tone.NEUTRAL)
