"""The panels of a dashboard, as data: which curves each shows, and what they mean."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from core.runs import RunHistory, Series


class Source(StrEnum):
    """Where the numbers of a curve come from."""

    STEP = "step"  # of each step
    EPOCH = "epoch"  # of each epoch
    OTHER = "other"  # not of the run's log, of the device for example: given to `find_curves`


class Glyph(StrEnum):
    """How a curve is drawn; the value stands for it in the legend."""

    LINE = "⣀"  # in fine dots
    BLOCKS = "▚"  # in quarters of a cell
    DOTTED = "┈"


@dataclass(frozen=True)
class Curve:
    """A series of a panel: where it is found, and how it is drawn.

    `variable` is the theme's for its colour.  `is_noisy`: smoothed, with what it was before behind.
    `is_share`: between 0 and 1, drawn over the whole height without an axis of its own.
    """

    metric: str
    source: Source
    label: str
    variable: str = "text-primary"
    glyph: Glyph = Glyph.LINE
    is_noisy: bool = False
    is_share: bool = False


@dataclass(frozen=True)
class Panel:
    """One chart: `factor` makes its numbers those of `unit`.  `explanation` is one sentence for everyone."""

    id: str
    title: str
    explanation: str
    curves: tuple[Curve, ...] = ()
    unit: str = ""
    factor: float = 1.0
    has_best: bool = False  # the best epoch is marked on the validation curve
    is_bars: bool = False  # of the KL divergence per dimension, instead of curves


def _training(metric: str, label: str = "training") -> Curve:
    return Curve(metric, Source.STEP, label, is_noisy=True)


def _validation(metric: str, label: str = "validation") -> Curve:
    return Curve(metric, Source.EPOCH, label, "text-accent", Glyph.BLOCKS)


PANELS: Mapping[str, Panel] = {
    panel.id: panel
    for panel in (
        Panel(
            "loss",
            "Loss",
            "What training makes smaller, on training sounds and on held-out ones; lower is better, and "
            "below zero is normal.",
            (_training("train_loss"), _validation("validation_loss")),
            has_best=True,
        ),
        Panel(
            "reconstruction",
            "Reconstruction",
            "How far decoded sounds are from the real ones; lower is better, and below zero is normal.",
            (_training("reconstruction_loss"), _validation("validation_reconstruction_loss")),
        ),
        Panel(
            "kl",
            "KL loss",
            "How much the model keeps of each sound; near 0 it keeps nothing, and the weight says how much "
            "that counts.",
            (
                _training("kl_loss"),
                _validation("validation_kl_loss"),
                Curve("kl_weight", Source.STEP, "weight", "foreground", Glyph.DOTTED, is_share=True),
            ),
        ),
        Panel(
            "kl-dimensions",
            "KL per dimension",
            "What each latent dimension carries of a sound, the busiest first; those near 0 are unused.",
            unit="nats",
            is_bars=True,
        ),
        Panel(
            "learning-rate",
            "Learning rate",
            "How large the steps of training are: it rises at first and then falls, as the settings say.",
            (Curve("learning_rate", Source.STEP, "rate"),),
        ),
        Panel(
            "gradient",
            "Gradient norm",
            "How strongly each step pulls at the model; single spikes are normal, steady growth is not.",
            (Curve("gradient_norm", Source.STEP, "norm", is_noisy=True),),
        ),
        Panel(
            "detail",
            "Detail",
            "How much of the fine structure of held-out sounds is decoded; low values sound blurred.",
            (Curve("validation_detail", Source.EPOCH, "validation", "text-success", Glyph.BLOCKS),),
            unit="%",
            factor=100,
        ),
        Panel(
            "speed",
            "Speed",
            "Steps of training a second; short dips are previews and checkpoints.",
            (Curve("steps_per_s", Source.STEP, "steps/s", is_noisy=True),),
            unit="steps/s",
        ),
    )
}


def find_curves(
    panel: Panel, history: RunHistory, others: Mapping[str, Series] | None = None
) -> list[Series | None]:
    """The series of each curve of a panel, or None of one without a point so far."""
    tables = {
        Source.STEP: history.step_metrics,
        Source.EPOCH: history.epoch_metrics,
        Source.OTHER: others or {},
    }
    found = [tables[curve.source].get(curve.metric) for curve in panel.curves]
    return [series if series else None for series in found]
