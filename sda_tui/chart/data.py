"""What a panel shows of a run, ready to be drawn."""

from collections.abc import Mapping

from core.runs import RunHistory, Series
from sda_tui.chart.bars import BarsData
from sda_tui.chart.draw import CurvesData
from sda_tui.chart.legend import Best
from sda_tui.chart.panels import Panel, find_curves


def find_data(
    panel: Panel, history: RunHistory, others: Mapping[str, Series] | None = None
) -> CurvesData | BarsData:
    """The curves or bars of a panel; `others` are series that are not of the log, under their names."""
    if panel.is_bars:
        used = history.last_epoch.metrics.get("active_latent_dimensions") if history.last_epoch else None
        return BarsData(panel, history.kl_per_dimension, int(used) if isinstance(used, int | float) else None)
    best = find_best(history) if panel.has_best else None
    return CurvesData(panel, find_curves(panel, history, others), history.step, history.clock, best)


def find_best(history: RunHistory) -> Best | None:
    """The best epoch so far, if there is one."""
    last = history.last_epoch
    if last is None or last.best_validation_loss is None or last.best_epoch < 1:
        return None
    step = history.clock.step_at(last.best_epoch)
    return Best(step, last.best_validation_loss, last.best_epoch, max(0, last.epoch - last.best_epoch))
