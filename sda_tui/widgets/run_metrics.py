"""The numbers of a run, as rows of the metric table."""

from core.runs import RunHistory
from sda_tui import format as fmt
from sda_tui.widgets.metric_table import Metric


def metric_rows(history: RunHistory, eta_s: float | None) -> list[Metric]:
    """Label and value of each number, those first that there must be room for in any terminal.

    What is not measured yet is a dash, so the rows are always the same.
    """
    step, epoch, saved = history.last_step, history.last_epoch, history.checkpoint
    memory = history.memory
    best = epoch.best_validation_loss if epoch else None
    parts = step.metrics if step else {}
    measured = epoch.metrics if epoch else {}
    counts = [measured.get(f"{prefix}latent_dimensions") for prefix in ("active_", "")]
    latents = "–" if None in counts else "{}/{}".format(*counts)
    return [
        ("Epoch", f"{history.epoch}/{history.total_epochs}"),
        ("Step", f"{history.step}/{history.total_steps}"),
        ("ETA", fmt.duration(eta_s)),
        ("Loss", fmt.number(step.train_loss if step else None)),
        ("Validation", fmt.number(epoch.validation_loss if epoch else None)),
        ("Memory", fmt.size(memory.used_bytes) if memory else "–"),
        ("  peak", fmt.size(memory.peak_bytes) if memory else "–"),
        ("  of", fmt.size(memory.total_bytes) if memory else "–"),
        ("Best", f"{fmt.number(best)} @{epoch.best_epoch}" if epoch else "–"),
        ("Steps/s", fmt.number(history.steps_per_s, 1)),
        ("Elapsed", fmt.duration(history.elapsed_s)),
        ("Recon.", fmt.number(parts.get("reconstruction_loss"))),
        ("KL", fmt.number(parts.get("kl_loss"))),
        ("KL weight", fmt.number(parts.get("kl_weight"), 3)),
        ("Rate", fmt.number(step.learning_rate if step else None, 6)),
        ("KL nats", fmt.number(measured.get("kl_divergence"), 1)),
        ("Latents", latents),
        ("Detail", fmt.share(measured.get("validation_detail"))),
        ("Saved", f"{saved.step} {saved.reason}" if saved else "–"),
    ]
