"""Which epoch a run was in at each step, and how long it had trained."""

from typing import TYPE_CHECKING

from core.events import EpochFinished, StepFinished
from core.runs.series import Series

if TYPE_CHECKING:
    from core.runs.series import Floats


class StepClock:
    """Epochs and seconds of training by step, so that a curve by step can be shown by either.

    A resume does not set the time back: what passed between two processes is not training, and all else adds
    up.
    """

    def __init__(self) -> None:
        self.steps_per_epoch = 0.0  # on the whole; 0 if that is not known
        self._epochs = Series()  # those finished
        self._elapsed_s = Series()
        self._newest_s = 0.0

    def add_step(self, event: StepFinished, elapsed_s: float) -> None:
        self._append_time(event.step, elapsed_s)

    def add_epoch(self, event: EpochFinished) -> None:
        self._epochs.append(event.step, event.epoch)

    def _append_time(self, step: int, elapsed_s: float) -> None:
        newest = self._elapsed_s.newest
        if newest is None or step <= newest[0]:
            self._newest_s = 0.0  # the curve goes back to this step
        self._newest_s = max(self._newest_s, elapsed_s)  # an epoch's own figure may correct it downwards
        self._elapsed_s.append(step, self._newest_s)

    def epochs_at(self, steps: "Floats") -> "Floats":
        """Epochs finished at these steps, with fractions."""
        import numpy as np

        columns = self._epochs.columns()
        known_steps = np.concatenate([[0.0], columns.last_x])
        known = np.concatenate([[0.0], columns.highest])
        pace = self.steps_per_epoch
        if not pace:
            pace = known_steps[-1] / known[-1] if known[-1] > 0 else 1.0
        return _interpolate(steps, known_steps, known, 1 / pace)

    def step_at(self, epoch: int) -> float:
        """The step at which an epoch was finished."""
        import numpy as np

        columns = self._epochs.columns()
        return float(np.interp(epoch, [0.0, *columns.highest.tolist()], [0.0, *columns.last_x.tolist()]))

    def seconds_at(self, steps: "Floats") -> "Floats":
        """Seconds of training at these steps."""
        import numpy as np

        columns = self._elapsed_s.columns()
        known_steps = np.concatenate([[0.0], columns.last_x])
        known = np.concatenate([[0.0], columns.highest])
        pace = known[-1] / known_steps[-1] if known[-1] > 0 else 1.0
        return _interpolate(steps, known_steps, known, pace)


def _interpolate(steps: "Floats", known_steps: "Floats", known: "Floats", pace: float) -> "Floats":
    """Linear between what is known, and at this pace (a step) beyond the last of it."""
    import numpy as np

    beyond = np.maximum(steps - known_steps[-1], 0.0)
    reached: Floats = np.interp(steps, known_steps, known) + pace * beyond
    return reached
