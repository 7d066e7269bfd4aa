"""The dashboard in a terminal too small for it: lines of text, the most important first."""

from collections.abc import Sequence

from rich.cells import cell_len

from sda_tui import format as fmt
from sda_tui.widgets.line import Line
from sda_tui.widgets.metric_table import Metric

GAP = "  "


class CompactView(Line):
    """State, numbers, judgement and warnings, in as many lines as there are."""

    def show_run(
        self, title: Sequence[str], figures: Sequence[Metric], judgement: str, messages: Sequence[str]
    ) -> None:
        width = max(1, self.app.size.width)
        self.show("\n".join(compact_lines(width, title, figures, judgement, messages)))


def compact_lines(
    width: int, title: Sequence[str], figures: Sequence[Metric], judgement: str, messages: Sequence[str]
) -> list[str]:
    """Lines of at most so many characters; whole parts are kept together, and what is cut has a mark."""
    numbers = [f"{figure.label} {figure.value}" for figure in figures]
    lines = [*_pack(title, width), *_pack(numbers, width)]
    return [fmt.shorten(line, width) for line in [*lines, *messages, judgement] if line]


def _pack(parts: Sequence[str], width: int) -> list[str]:
    """The parts in lines, as many in each as fit."""
    lines: list[str] = []
    for part in parts:
        if lines and cell_len(lines[-1] + GAP + part) <= width:
            lines[-1] += GAP + part
        else:
            lines.append(part)
    return lines
