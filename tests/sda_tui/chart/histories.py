"""Runs to draw, without a log."""

import math
import random
from collections.abc import Iterable, Sequence

from core.events import EpochFinished, Metric, StateChanged, StepFinished
from core.runs import RunHistory, Series
from sda_tui.chart.bars import BarsData
from sda_tui.chart.data import find_data
from sda_tui.chart.draw import CurvesData, draw_curves
from sda_tui.chart.panels import PANELS
from sda_tui.chart.picture import Picture
from sda_tui.chart.view import ChartView

STEPS_PER_EPOCH = 10


def run_of(
    losses: Sequence[float | None], validation: Sequence[float | None] | None = None, best_epoch: int = 0
) -> RunHistory:
    """A run with these losses of its steps and of its epochs; else those of the epochs' last steps."""
    history = RunHistory()
    total = len(losses)
    history.apply(StateChanged("training", 0, 0, total, total // STEPS_PER_EPOCH), 0.0)
    for step, loss in enumerate(losses, 1):
        metrics: dict[str, Metric] = {"reconstruction_loss": loss, "kl_loss": loss, "kl_weight": step / total}
        epoch = (step - 1) // STEPS_PER_EPOCH
        event = StepFinished(epoch + 1, step, total, loss, 1e-3, loss, 0.5, metrics)
        history.apply(event, 0.5 * step)
        if step % STEPS_PER_EPOCH == 0:
            held_out = validation[epoch] if validation is not None else loss
            history.apply(an_epoch(epoch + 1, step, held_out, best_epoch or epoch + 1), 0.5 * step)
    return history


def an_epoch(epoch: int, step: int, validation: float | None, best_epoch: int) -> EpochFinished:
    return EpochFinished(
        epoch=epoch,
        total_epochs=10,
        step=step,
        train_loss=validation,
        validation_loss=validation,
        train_error=1.0,
        validation_error=1.0,
        overfitting_gap=0.0,
        best_validation_loss=validation,
        best_epoch=best_epoch,
        elapsed_s=0.5 * step,
        eta_s=1.0,
        memory_used_bytes=1,
        memory_peak_bytes=1,
        memory_total_bytes=1,
        metrics={"kl_per_dimension": (3.0, 1.0, 0.001, 2.0), "active_latent_dimensions": 3},
    )


def curve_of(values: Iterable[float | None]) -> CurvesData:
    """A panel of one noisy curve with these values, one a step."""
    history, series = RunHistory(), Series()
    for step, value in enumerate(values, 1):
        series.append(step, value)
        history.step = step
    history.step_metrics["gradient_norm"] = series
    return curves(history, "gradient")


def noisy(count: int, seed: int = 0) -> list[float]:
    """Losses that fall from 1 to −1, with as much noise."""
    draws = random.Random(seed)
    return [2 * math.exp(-4 * step / count) - 1 + draws.gauss(0, 0.3) for step in range(count)]


def curves(history: RunHistory, panel: str = "loss") -> CurvesData:
    data = find_data(PANELS[panel], history)
    assert isinstance(data, CurvesData)
    return data


def bars(history: RunHistory) -> BarsData:
    data = find_data(PANELS["kl-dimensions"], history)
    assert isinstance(data, BarsData)
    return data


def picture(data: CurvesData, view: ChartView | None = None, width: int = 66, height: int = 19) -> Picture:
    drawn = draw_curves(data, view or ChartView(), width, height)
    assert drawn is not None
    return drawn


def lines(drawn: Picture | None) -> list[str]:
    assert drawn is not None
    return ["".join(text for text, _ in row) for row in drawn.rows]
