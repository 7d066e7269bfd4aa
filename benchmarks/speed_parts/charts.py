"""What charts cost: all panels with a long history, and one with a short history and a very long one."""

import math
import random
from functools import partial

from rich.style import Style
from textual.color import Color
from textual.design import ColorSystem

from core.events import EpochFinished, Metric, StateChanged, StepFinished
from core.runs import RunHistory
from sda_tui.chart.bars import BarsData, draw_bars
from sda_tui.chart.data import find_data
from sda_tui.chart.draw import CurvesData, draw_curves
from sda_tui.chart.panels import PANELS
from sda_tui.chart.strips import palette, to_strips
from sda_tui.chart.view import ChartView, XAxis
from speed_parts.table import at_most, print_row, seconds

STEPS, EPOCH_STEPS = 100_000, 100
SHORT, LONG = 1_000, 1_000_000
WIDTH, HEIGHT = 66, 19  # nine charts at 200 x 60
ROUNDS = 60
LATENTS = 256


def charts() -> None:
    """Draw nine charts to the strips that Textual is given: the fastest of each, as the machine is shared."""
    history = long_history(STEPS)
    variables = ColorSystem(primary="#0178D4").generate()
    drawn = [
        (find_data(PANELS[name], history), palette(PANELS[name], variables, Color.parse("#121212")))
        for name in [*PANELS, "loss"]
    ]
    views = {
        "the whole run": ChartView(),
        "5 000 steps of it": ChartView(span=5000.0),
        "by time, with a crosshair": ChartView(x_axis=XAxis.TIME, cursor=40_000.0),
    }
    for name, view in views.items():
        rounds = [[seconds(partial(draw, *each, view)) for each in drawn] for _ in range(ROUNDS)]
        fastest_s = sum(map(min, zip(*rounds, strict=True)))
        at_most(f"(h) ms to draw nine charts of 100 000 steps at 200 x 60, {name}", 1000 * fastest_s, 5)
    taken_s = min(seconds(partial(long_history, SHORT)) for _ in range(5))
    print_row("(h) µs to keep the numbers of a step", 1e6 * taken_s / SHORT)


def draw(data: BarsData | CurvesData, styles: list[Style], view: ChartView) -> None:
    if isinstance(data, BarsData):
        picture = draw_bars(data, WIDTH, HEIGHT)
    else:
        picture = draw_curves(data, view, WIDTH, HEIGHT)
    assert picture is not None
    to_strips(picture, styles)


def history() -> None:
    """Draw one chart of a short history and of a long one."""
    panel = PANELS["gradient"]
    taken_s = []
    for count in (SHORT, LONG):
        data = find_data(panel, long_history(count, is_plain=True))
        assert isinstance(data, CurvesData)
        drawing = partial(draw_curves, data, ChartView(), WIDTH, HEIGHT)
        taken_s.append(min(seconds(drawing) for _ in range(ROUNDS)))
    short_s, long_s = taken_s
    at_most("(h) redraw of a chart of 1 000 000 steps relative to one of 1 000", long_s / short_s, 1.5)


def long_history(steps: int, is_plain: bool = False) -> RunHistory:
    """A run with noisy curves; a plain one has no metrics besides the fields of a step."""
    history, draws = RunHistory(), random.Random(0)
    history.apply(StateChanged("training", 0, 0, steps, steps // EPOCH_STEPS), 0.0)
    for step in range(1, steps + 1):
        loss = 2 * math.exp(-5 * step / steps) - 1 + draws.gauss(0, 0.2)
        parts: dict[str, Metric] = {"reconstruction_loss": loss, "kl_loss": 0.1, "kl_weight": step / steps}
        epoch = step // EPOCH_STEPS
        event = StepFinished(
            epoch + 1, step, steps, loss, 1e-3, draws.gauss(1, 0.2), 0.1, {} if is_plain else parts
        )
        history.apply(event, 0.1 * step)
        if step % EPOCH_STEPS == 0 and not is_plain:
            history.apply(an_epoch(epoch, steps // EPOCH_STEPS, step, loss), 0.1 * step)
    return history


def an_epoch(epoch: int, epochs: int, step: int, loss: float) -> EpochFinished:
    metrics: dict[str, Metric] = {
        "validation_reconstruction_loss": loss + 0.1,
        "validation_kl_loss": 0.1,
        "validation_detail": epoch / epochs,
        "kl_per_dimension": tuple(6 * math.exp(-number / 50) for number in range(LATENTS)),
        "active_latent_dimensions": LATENTS // 2,
    }
    return EpochFinished(
        epoch,
        epochs,
        step,
        loss,
        loss + 0.1,
        1.0,
        1.0,
        0.0,
        loss,
        epoch,
        0.1 * step,
        1.0,
        1,
        1,
        1,
        2.0,
        metrics,
    )
