"""The numbers of a run, as rows of the metric tables."""

from core.runs import RunHistory
from sda_tui import format as fmt
from sda_tui.widgets.metric_table import Metric


def key_figures(history: RunHistory, eta_s: float | None) -> list[Metric]:
    """The numbers that stand on the dashboard at every size.  What is not measured yet is a dash."""
    step, epoch, memory = history.last_step, history.last_epoch, history.memory
    return [
        Metric("Step", f"{history.step}/{history.total_steps}", "step"),
        Metric("ETA", fmt.duration(eta_s), "eta"),
        Metric("Loss", fmt.number(step.train_loss if step else None), "loss"),
        Metric("Valid.", fmt.number(epoch.validation_loss if epoch else None), "validation"),
        Metric("Best", _best(history), "best"),
        Metric("Memory", fmt.size(memory.used_bytes) if memory else "–", "memory"),
    ]


def all_figures(history: RunHistory) -> list[Metric]:
    """All other numbers, in the same order whether they are measured yet or not."""
    step, epoch, saved = history.last_step, history.last_epoch, history.checkpoint
    memory = history.memory
    parts = step.metrics if step else {}
    measured = epoch.metrics if epoch else {}
    counts = [measured.get(f"{prefix}latent_dimensions") for prefix in ("active_", "")]
    latents = "–" if None in counts else "{}/{}".format(*counts)
    return [
        Metric("Epoch", f"{history.epoch}/{history.total_epochs}"),
        Metric("Elapsed", fmt.duration(history.elapsed_s)),
        Metric("Steps/s", fmt.number(history.steps_per_s, 1), "speed"),
        Metric("Recon.", fmt.number(parts.get("reconstruction_loss")), "reconstruction"),
        Metric("KL", fmt.number(parts.get("kl_loss")), "kl"),
        Metric("KL weight", fmt.number(parts.get("kl_weight"), 3), "kl_weight"),
        Metric("KL nats", fmt.number(measured.get("kl_divergence"), 1), "kl_nats"),
        Metric("Latents", latents, "latents"),
        Metric("Detail", fmt.share(measured.get("validation_detail")), "detail"),
        Metric("Quality", fmt.share(epoch.quality if epoch else None), "quality"),
        Metric("Gap", fmt.share(epoch.overfitting_gap if epoch else None), "gap"),
        Metric("Rate", fmt.number(step.learning_rate if step else None, 6), "learning-rate"),
        Metric("Gradient", fmt.number(step.gradient_norm if step else None, 3), "gradient"),
        Metric("Mem. peak", fmt.size(memory.peak_bytes) if memory else "–", "memory"),
        Metric("Mem. of", fmt.size(memory.total_bytes) if memory else "–", "memory"),
        Metric("Saved", f"{saved.step} {saved.reason}" if saved else "–", "saved"),
    ]


def _best(history: RunHistory) -> str:
    epoch = history.last_epoch
    return fmt.best(epoch.best_validation_loss, epoch.best_epoch) if epoch else "–"
