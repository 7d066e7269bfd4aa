"""A drawn chart in the colours of a theme."""

from collections.abc import Mapping, Sequence

from rich.segment import Segment
from rich.style import Style
from textual.color import Color
from textual.geometry import Region
from textual.strip import Strip

from sda_tui.chart.panels import Panel
from sda_tui.chart.picture import BEST, CURSOR, GUIDE, PLAIN, TITLE, Picture, envelope_role, line_role
from sda_tui.chart.raster import SPACE

ENVELOPE_SHARE, LABEL_SHARE, GUIDE_SHARE = 0.45, 0.6, 0.25  # of the colour; the rest is the background's
BARS_VARIABLE = "text-primary"


def palette(
    panel: Panel, variables: Mapping[str, str], background: Color, is_focused: bool = False
) -> list[Style]:
    """The style of each role."""

    def colour(variable: str, share: float = 1.0) -> Color:
        return background.blend(background + Color.parse(variables[variable]), share)

    def style(of: Color, bold: bool = False) -> Style:
        return Style(color=of.rich_color, bgcolor=background.rich_color, bold=bold)

    curves = [curve.variable for curve in panel.curves] or [BARS_VARIABLE]
    styles = {
        PLAIN: style(colour("foreground", LABEL_SHARE)),
        GUIDE: style(colour("foreground", GUIDE_SHARE)),
        CURSOR: style(colour("foreground")),
        BEST: style(colour("text-success"), bold=True),
        TITLE: style(colour("text-primary" if is_focused else "foreground"), bold=True),
    }
    for index, variable in enumerate(curves):
        styles[line_role(index)] = style(colour(variable))
        styles[envelope_role(index)] = style(colour(variable, ENVELOPE_SHARE))
    return [styles[role] for role in sorted(styles)]


def to_strips(picture: Picture, styles: Sequence[Style]) -> list[Strip]:
    """A strip for each row."""
    return [Strip([Segment(text, styles[role]) for text, role in row], picture.width) for row in picture.rows]


def changed_regions(before: Picture, after: Picture) -> list[Region]:
    """The cells in which two pictures of one size differ: at most one stretch of a row."""
    regions = []
    if before.canvas is None or after.canvas is None or before.plot_left != after.plot_left:
        return [Region(0, 0, after.width, len(after.rows))]
    old, new = before.canvas, after.canvas
    differs = old.codes != new.codes
    differs |= (old.roles != new.roles) & (new.codes != SPACE)
    columns = after.plot_left
    for row, (one, other) in enumerate(zip(before.rows, after.rows, strict=True)):
        if not 0 < row <= len(differs):
            if one != other:
                regions.append(Region(0, row, after.width, 1))
            continue
        if one[0] != other[0]:  # the label
            regions.append(Region(0, row, columns, 1))
        at = differs[row - 1].nonzero()[0]
        if len(at):
            regions.append(Region(columns + int(at[0]), row, int(at[-1] - at[0]) + 1, 1))
    return regions
