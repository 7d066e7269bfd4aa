"""When does a model learn its training sounds by heart instead of what they have in common?"""

from dataclasses import dataclass

GAP_LIMIT = 0.2
PATIENCE_EPOCHS = 5  # in a row; one uptick says nothing


def overfitting_gap(train_error: float, validation_error: float) -> float:
    """(validation - training) / training, of errors measured alike; 0 when there is no error at all.

    It is taken of the reconstruction error, which is positive.  The calibrated loss is a logarithm and
    passes through zero, where a ratio means nothing.
    """
    return (validation_error - train_error) / train_error if train_error > 0 else 0.0


def quality(gap: float) -> float:
    """1 for no gap, 0 for one of 100 % or more."""
    return min(1.0, max(0.0, 1 - gap))


@dataclass
class OverfittingDetector:
    """Counts the epochs in a row whose gap is over the limit.  The count is part of every checkpoint."""

    epochs_over_limit: int = 0

    def update(self, gap: float) -> None:
        self.epochs_over_limit = self.epochs_over_limit + 1 if gap > GAP_LIMIT else 0

    @property
    def is_overfitting(self) -> bool:
        return self.epochs_over_limit >= PATIENCE_EPOCHS

    def warning(self, gap: float, epoch: int, best_epoch: int) -> str:
        """A sentence with advice, empty while all is well."""
        if not self.is_overfitting:
            return ""
        worse = (
            f"Held-out sounds come out {gap:.0%} worse than training sounds, for "
            f"{self.epochs_over_limit} epochs"
        )
        if best_epoch == epoch:
            return f"{worse}, but still better than ever. More sounds or augmentation narrow the gap."
        return (
            f"Overfitting: {worse[0].lower()}{worse[1:]}. Best was epoch {best_epoch}. More sounds, "
            "augmentation or dropout help; training goes on until you stop it."
        )
