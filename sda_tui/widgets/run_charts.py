"""The curves of a run, side by side where there is room."""

from textual.app import ComposeResult
from textual.containers import Grid

from core.runs import RunHistory
from sda_tui.widgets.charts import LossChart, StepChart


class RunCharts(Grid):
    """Losses by epoch; reconstruction loss, KL loss and learning rate by step."""

    def compose(self) -> ComposeResult:
        yield LossChart(id="loss-chart")
        yield StepChart("Reconstruction loss", id="reconstruction-chart")
        yield StepChart("KL loss", id="kl-chart")
        yield StepChart("Learning rate", id="rate-chart")

    def show(self, history: RunHistory) -> None:
        """Draw what has grown."""
        last, best = history.last_epoch, None
        if last is not None and last.best_validation_loss is not None:
            best = (float(last.best_epoch), last.best_validation_loss)
        self.query_one(LossChart).show(history.training_losses, history.validation_losses, best)
        for name, series in (
            ("reconstruction", history.step_metrics.get("reconstruction_loss")),
            ("kl", history.step_metrics.get("kl_loss")),
            ("rate", history.learning_rates),
        ):
            if series is not None:
                self.query_one(f"#{name}-chart", StepChart).show(series)
