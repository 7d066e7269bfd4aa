"""When does a model overfit: learn its training sounds instead of what they have in common?"""

import math
import statistics
from collections import deque
from collections.abc import Mapping
from typing import Any

from core.data.report import FEWEST_FILES_FOR_CONFIDENCE

GAP_LIMIT = 0.2
SMALLEST_GAP = -0.99  # held-out sounds a hundred times better: keeps the logarithm finite
SHORTEST_PATIENCE, LONGEST_PATIENCE = 5, 50  # epochs
PATIENCE_FRACTION = 0.1  # of the epochs gone by
NOISE_FACTOR = 2.0  # a rise of the validation loss by so many times its scatter is one
STALLED_GROWTH = 1.5  # of the ratio of the two errors since validation was best
WINDOW = 200  # epochs: the longest patience with the fewest files, and as many as the scatter is taken of
LEAST_RISE = 0.02  # of what the validation loss fell by at first: less is a flat valley, however smooth


def overfitting_gap(train_error: float, validation_error: float) -> float:
    """(validation - training) / training, of positive errors measured alike; 0 when there is no error at all.

    Not of losses: the calibrated one is a logarithm and passes through zero, where a ratio means nothing.
    """
    return (validation_error - train_error) / train_error if train_error > 0 else 0.0


def patience(epoch: int) -> int:
    """For how many epochs something must be true to be reported at this one: a tenth of all, 5 to 50."""
    return min(LONGEST_PATIENCE, max(SHORTEST_PATIENCE, math.ceil(PATIENCE_FRACTION * epoch)))


class OverfittingDetector:
    """Detects when held-out sounds stop gaining from what the model learns.

    A wide gap alone is not overfitting: with few and unlike sounds it is there from the start, while the
    model still learns something that holds for both sides.  What counts is the way of the validation loss
    since it was best, by its *level*, the mean over as many epochs as the patience: a single lucky or unlucky
    epoch changes little.  It is overfitting when, for as long as the patience, the gap was over its limit and
    validation had no new best, neither of an epoch nor of the level, while the ratio of the two errors grew
    by a fifth since the best level (so training did not get worse alike), and validation either

    - got worse: its level rose by twice the loss's scatter from epoch to epoch and by a fiftieth of its first
      fall, and all the last epochs were above the best level; or
    - stalled: its level has not been better for twice the patience, while the ratio grew by half.

    That stays so until validation has a new best, or the gap closes for as long as the patience.

    Its state has the same size however long the run is: what is looked at is the last 200 epochs.  Losses may
    be logarithms and negative: neither their unit nor their zero matters.  With fewer than four files held
    out, the rise must be as much larger and last as much longer.
    """

    def __init__(self, validation_files: int) -> None:
        self._care = max(1.0, FEWEST_FILES_FOR_CONFIDENCE / max(1, validation_files))
        self.is_overfitting = False
        self.best_epoch = 0
        self._is_worse = False
        self._count = 0  # of the epochs whose numbers were finite
        self._first_loss = 0.0
        self._losses: deque[float] = deque(maxlen=WINDOW)
        self._gaps: deque[float] = deque(maxlen=WINDOW)
        self._best_loss = math.inf
        self._best_level = math.inf
        self._best_level_count = 0
        self._ratio_at_best = 0.0  # logarithm

    def update(self, epoch: int, validation_loss: float, gap: float) -> None:
        """Take in one epoch.  One whose numbers are not finite changes nothing."""
        if not (math.isfinite(validation_loss) and math.isfinite(gap)):
            return
        if self._count == 0:
            self._first_loss = validation_loss
        self._count += 1
        self._losses.append(validation_loss)
        self._gaps.append(gap)
        span = math.ceil(self._care * patience(epoch))
        gaps = list(self._gaps)[-span:]
        level = statistics.fmean(list(self._losses)[-span:])
        ratio = statistics.fmean(math.log1p(max(each, SMALLEST_GAP)) for each in gaps)
        is_best = self._update_best(epoch, validation_loss, level, ratio, span)
        if is_best or max(gaps) <= GAP_LIMIT:
            self.is_overfitting = False
        elif min(gaps) > GAP_LIMIT and epoch - self.best_epoch >= span:
            self._judge(level - self._best_level, ratio - self._ratio_at_best, span)

    def _update_best(self, epoch: int, loss: float, level: float, ratio: float, span: int) -> bool:
        is_best = loss < self._best_loss
        if is_best:
            self._best_loss, self.best_epoch = loss, epoch
        if self._count >= span and level < self._best_level:
            self._best_level, self._best_level_count, self._ratio_at_best = level, self._count, ratio
            is_best = True
        return is_best

    def _judge(self, rise: float, growth: float, span: int) -> None:
        """Whether it is overfitting, by what happened since the best level."""
        since = self._count - self._best_level_count
        if since < span or growth < math.log1p(GAP_LIMIT):
            return
        losses = list(self._losses)
        noise = NOISE_FACTOR * scatter(losses)
        fall = self._first_loss - self._best_level
        is_worse = min(losses[-span:]) > self._best_level and (
            rise > self._care * max(noise, LEAST_RISE * fall)
        )
        has_stalled = since >= 2 * span and growth > math.log(STALLED_GROWTH)
        self._is_worse = is_worse or (self._is_worse and self.is_overfitting)
        self.is_overfitting = self.is_overfitting or is_worse or has_stalled

    def warning(self, note: str = "") -> str:
        """A message with advice, empty while all is well; `note` says how far to trust it."""
        if not self.is_overfitting:
            return ""
        held_out = "get worse" if self._is_worse else "no longer do"
        sentences = (
            f"Overfitting: training sounds get better, held-out ones {held_out}.",
            f"Best was epoch {self.best_epoch}.",
            "More sounds, augmentation or dropout help; training continues until you stop it.",
            note,
        )
        return " ".join(filter(None, sentences))

    def state_dict(self) -> dict[str, Any]:
        return {
            "is_overfitting": self.is_overfitting,
            "is_worse": self._is_worse,
            "best_epoch": self.best_epoch,
            "count": self._count,
            "first_loss": self._first_loss,
            "losses": list(self._losses),
            "gaps": list(self._gaps),
            "best_loss": self._best_loss,
            "best_level": self._best_level,
            "best_level_count": self._best_level_count,
            "ratio_at_best": self._ratio_at_best,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a checkpoint.  Raises KeyError, TypeError or ValueError."""
        self.is_overfitting = bool(state["is_overfitting"])
        self._is_worse = bool(state["is_worse"])
        self.best_epoch = int(state["best_epoch"])
        self._count = int(state["count"])
        self._first_loss = float(state["first_loss"])
        self._losses = deque(map(float, state["losses"]), WINDOW)
        self._gaps = deque(map(float, state["gaps"]), WINDOW)
        self._best_loss = float(state["best_loss"])
        self._best_level = float(state["best_level"])
        self._best_level_count = int(state["best_level_count"])
        self._ratio_at_best = float(state["ratio_at_best"])


def scatter(values: list[float]) -> float:
    """Standard deviation of the noise on a smooth curve, from its second differences.

    They take out a slope, and the median of their sizes takes no notice of a few spikes.  For normal noise
    of deviation 1 a second difference has √6, and the median of its size is 0.6745 of that.
    """
    bends = [abs(a - 2 * b + c) for a, b, c in zip(values, values[1:], values[2:], strict=False)]
    return statistics.median(bends) / (0.6745 * math.sqrt(6)) if bends else 0.0
