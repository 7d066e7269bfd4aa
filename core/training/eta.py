"""How long a run has taken, and how long the rest will take."""

import statistics
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

STEPS_FOR_ETA = 200
EVALUATIONS_FOR_ETA = 5


class RunClock:
    """Counts the seconds of a run across resumes, and estimates those to come.

    What recurs is steps, and the evaluation after each epoch.  Loading, previews and checkpoints are left
    out, and medians keep a slow first step from counting.  `now_s` is a monotonic clock.
    """

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._started_s = now_s()
        self._elapsed_before_s = 0.0
        # Of a resumed run, until it has times of its own.
        self._step_time_before_s: float | None = None
        self._evaluation_time_before_s: float | None = None
        self._step_times_s: deque[float] = deque(maxlen=STEPS_FOR_ETA)
        self._evaluation_times_s: deque[float] = deque(maxlen=EVALUATIONS_FOR_ETA)

    @property
    def elapsed_s(self) -> float:
        return self._elapsed_before_s + self._now_s() - self._started_s

    @property
    def step_time_s(self) -> float | None:
        return statistics.median(self._step_times_s) if self._step_times_s else self._step_time_before_s

    @property
    def evaluation_time_s(self) -> float | None:
        times_s = self._evaluation_times_s
        return statistics.median(times_s) if times_s else self._evaluation_time_before_s

    def add_step(self, time_s: float) -> None:
        self._step_times_s.append(time_s)

    def add_evaluation(self, time_s: float) -> None:
        self._evaluation_times_s.append(time_s)

    def estimate_s(self, steps: int, epochs: int) -> float | None:
        """Seconds for so many more steps and epochs, or None before the first step."""
        if self.step_time_s is None:
            return None
        return steps * self.step_time_s + epochs * (self.evaluation_time_s or 0.0)

    def state_dict(self) -> dict[str, Any]:
        return {
            "elapsed_s": self.elapsed_s,
            "step_time_s": self.step_time_s,
            "evaluation_time_s": self.evaluation_time_s,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from these times.  Raises KeyError, TypeError or ValueError."""
        self._elapsed_before_s = float(state["elapsed_s"])
        self._step_time_before_s = _seconds(state["step_time_s"])
        self._evaluation_time_before_s = _seconds(state["evaluation_time_s"])
        self._started_s = self._now_s()
        self._step_times_s.clear()
        self._evaluation_times_s.clear()


def _seconds(value: Any) -> float | None:
    return float(value) if value is not None else None
