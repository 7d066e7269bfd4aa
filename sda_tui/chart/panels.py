"""The panels of a dashboard, as data: which curves each shows, and what they mean."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from core.runs import RunHistory, Series


class Source(StrEnum):
    """Where the numbers of a curve come from."""

    STEP = "step"  # of each step
    EPOCH = "epoch"  # of each epoch


class Glyph(StrEnum):
    """How a curve is drawn; the value stands for it in the legend."""

    THIN = "⠤"
    THICK = "⠶"  # with a mark at each point where they are few
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
    glyph: Glyph = Glyph.THIN
    is_noisy: bool = False
    is_share: bool = False


@dataclass(frozen=True)
class Panel:
    """One chart: `factor` makes its numbers those of `unit`.  Its id is also that of its explanation."""

    id: str
    title: str
    curves: tuple[Curve, ...] = ()
    unit: str = ""
    factor: float = 1.0
    has_best: bool = False  # the best epoch is marked on the validation curve
    is_bars: bool = False  # of the KL divergence per dimension, instead of curves


def _training(metric: str, label: str = "training") -> Curve:
    return Curve(metric, Source.STEP, label, is_noisy=True)


def _validation(metric: str, label: str = "validation") -> Curve:
    return Curve(metric, Source.EPOCH, label, "text-accent", Glyph.THICK)


PANELS: Mapping[str, Panel] = {
    panel.id: panel
    for panel in (
        Panel("loss", "Loss", (_training("train_loss"), _validation("validation_loss")), has_best=True),
        Panel(
            "reconstruction",
            "Reconstruction",
            (_training("reconstruction_loss"), _validation("validation_reconstruction_loss")),
        ),
        Panel(
            "kl",
            "KL loss",
            (
                _training("kl_loss"),
                _validation("validation_kl_loss"),
                Curve("kl_weight", Source.STEP, "weight", "foreground", Glyph.DOTTED, is_share=True),
            ),
        ),
        Panel("kl-dimensions", "KL per dimension", unit="nats", is_bars=True),
        Panel("learning-rate", "Learning rate", (Curve("learning_rate", Source.STEP, "rate"),)),
        Panel("gradient", "Gradient norm", (Curve("gradient_norm", Source.STEP, "norm", is_noisy=True),)),
        Panel(
            "detail",
            "Detail",
            (Curve("validation_detail", Source.EPOCH, "validation", "text-success", Glyph.THICK),),
            unit="%",
            factor=100,
        ),
        Panel(
            "speed", "Speed", (Curve("steps_per_s", Source.STEP, "steps/s", is_noisy=True),), unit="steps/s"
        ),
    )
}


def find_curves(panel: Panel, history: RunHistory) -> list[Series | None]:
    """The series of each curve of a panel, or None of one without a point so far."""
    tables = {Source.STEP: history.step_metrics, Source.EPOCH: history.epoch_metrics}
    found = [tables[curve.source].get(curve.metric) for curve in panel.curves]
    return [series if series else None for series in found]
