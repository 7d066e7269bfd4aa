"""The curves of a run, side by side where there is room."""

from textual.app import ComposeResult
from textual.containers import Grid

from core.events import EpochFinished, RunState, StepFinished
from core.runs import RunHistory
from sda_tui.chart.panels import PANELS
from sda_tui.widgets.chart import Chart
from sda_tui.widgets.charts import LossChart

SHOWN_PANELS = ("reconstruction", "kl", "learning-rate")


class RunCharts(Grid):
    """Losses by epoch at a glance, and panels of the run that show the same part of it."""

    def compose(self) -> ComposeResult:
        yield LossChart(id="loss-chart")
        for name in SHOWN_PANELS:
            yield Chart(PANELS[name], id=f"{name}-chart")

    def show(self, history: RunHistory, state: RunState) -> None:
        """Draw what has grown; the end of a run at once, and where there is nothing, why."""
        from sda_tui.chart.data import find_data  # which loads numpy

        is_ended = not state.is_active
        last, best = history.last_epoch, None
        if last is not None and last.best_validation_loss is not None:
            best = (float(last.best_epoch), last.best_validation_loss)
        overview = self.query_one(LossChart)
        overview.why_empty = why_empty("epoch", history.last_epoch, is_ended)
        overview.show(history.training_losses, history.validation_losses, best, is_ended)
        for chart in self.query(Chart):
            chart.why_empty = why_empty("step", history.last_step, is_ended)
            chart.show(find_data(chart.panel, history), is_ended)

    def on_chart_view_changed(self, message: Chart.ViewChanged) -> None:
        """Let all charts show the same part of the run."""
        message.stop()
        for chart in self.query(Chart):
            chart.view = message.view


def why_empty(unit: str, last: EpochFinished | StepFinished | None, is_ended: bool) -> str:
    """Why a curve by epoch or by step has no point, if it has none."""
    if last is not None:
        return f"No {unit} has had a finite number here."
    if is_ended:
        return f"The run ended before its first {unit} did."
    return f"The first point comes at the end of {unit} 1."
