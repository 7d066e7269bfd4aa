"""The curves of a run, side by side where there is room."""

from textual.app import ComposeResult
from textual.containers import Grid

from core.events import EpochFinished, RunState, StepFinished
from core.runs import RunHistory, Series
from sda_tui.widgets.charts import LossChart, StepChart


class RunCharts(Grid):
    """Losses by epoch; reconstruction loss, KL loss and learning rate by step."""

    def compose(self) -> ComposeResult:
        yield LossChart(id="loss-chart")
        yield StepChart("Reconstruction loss", id="reconstruction-chart")
        yield StepChart("KL loss", id="kl-chart")
        yield StepChart("Learning rate", id="rate-chart")

    def show(self, history: RunHistory, state: RunState) -> None:
        """Draw what has grown; the end of a run at once, and where there is nothing, why."""
        is_ended = not state.is_active
        last, best = history.last_epoch, None
        if last is not None and last.best_validation_loss is not None:
            best = (float(last.best_epoch), last.best_validation_loss)
        chart = self.query_one(LossChart)
        chart.why_empty = why_empty("epoch", history.last_epoch, is_ended)
        chart.show(history.training_losses, history.validation_losses, best, is_ended)
        for name, series in (
            ("reconstruction", history.step_metrics.get("reconstruction_loss")),
            ("kl", history.step_metrics.get("kl_loss")),
            ("rate", history.learning_rates),
        ):
            step_chart = self.query_one(f"#{name}-chart", StepChart)
            step_chart.why_empty = why_empty("step", history.last_step, is_ended)
            step_chart.show(series or Series(), is_ended)


def why_empty(unit: str, last: EpochFinished | StepFinished | None, is_ended: bool) -> str:
    """Why a curve by epoch or by step has no point, if it has none."""
    if last is not None:
        return f"No {unit} has had a finite number here."
    if is_ended:
        return f"The run ended before its first {unit} did."
    return f"The first point comes at the end of {unit} 1."
