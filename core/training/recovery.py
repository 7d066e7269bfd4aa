"""What a run does when numbers are not finite or memory runs out."""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from core.device import is_out_of_memory
from core.diagnostics.warnings import ActiveWarnings
from core.errors import TrainingError
from core.events import WarningKind
from core.training.state import Progress

BAD_STEPS_BEFORE_ROLLBACK = 10
MOST_ROLLBACKS = 3

T = TypeVar("T")


class NonFiniteStreak(Exception):
    """Too many steps in a row were not finite: the run must return to a checkpoint."""


class Recovery:
    """Counts what went wrong, and decides what follows.

    `return_to_good(is_newest_spent)` brings the run back to its newest checkpoint made while steps were good,
    or to an older one where that has led to nothing but bad steps.  `free_memory` ends what holds memory
    beside the steps, and returns whether there was anything.
    """

    def __init__(
        self,
        progress: Progress,
        warnings: ActiveWarnings,
        return_to_good: Callable[[bool], None],
        free_memory: Callable[[], bool],
    ) -> None:
        self._progress = progress
        self._warnings = warnings
        self._return_to_good = return_to_good
        self._free_memory = free_memory
        self.learning_rate_scale = 1.0
        self._rollbacks = 0
        self._skipped_steps = 0
        self._bad_steps = 0  # consecutive ones up to now
        self._is_spent = False  # the checkpoint of the last return, until a good step follows it

    @property
    def is_in_streak(self) -> bool:
        """Whether the last step was not finite: what leads to such steps is no state to return to."""
        return self._bad_steps > 0

    def note_step(self, step: int, is_finite: bool) -> None:
        """Take in a step that was taken, or skipped as its loss or gradient was not finite.

        Raises NonFiniteStreak after ten bad ones in a row.
        """
        if is_finite:
            self._bad_steps, self._is_spent = 0, False
            return
        self._bad_steps += 1
        self._skipped_steps += 1
        count = self._skipped_steps
        self._warnings.set(
            WarningKind.NON_FINITE,
            f"{count} step{'' if count == 1 else 's'} skipped: the loss was not a finite number, "
            f"last at step {step}.",
        )
        if self._bad_steps >= BAD_STEPS_BEFORE_ROLLBACK:
            raise NonFiniteStreak

    def roll_back(self) -> None:
        """Return to the newest good checkpoint, with half the learning rate.

        Raises TrainingError when that was done too often, CheckpointError if there is none.
        """
        rollbacks, scale = self._rollbacks + 1, self.learning_rate_scale / 2
        if rollbacks > MOST_ROLLBACKS:
            raise TrainingError(
                f"The loss stays infinite or not a number, also after {MOST_ROLLBACKS} returns "
                "to a good checkpoint at half the learning rate; start again with a smaller learning_rate."
            )
        active = self._warnings.kinds
        try:
            self._return_to_good(self._is_spent)
        finally:  # also where the log could not be rewound
            self._bad_steps, self._rollbacks, self.learning_rate_scale = 0, rollbacks, scale
            self._is_spent = True
        self._warnings.repeat(active)
        self._warnings.set(
            WarningKind.ROLLBACK,
            f"The loss was not finite {BAD_STEPS_BEFORE_ROLLBACK} steps in a row: back at step "
            f"{self._progress.step}, with {scale:g} times the learning rate.",
        )

    def recover_from_oom(self, device: str, memory_advice: str) -> None:
        """Free memory, and if there is none to free, halve the batch.

        The epoch keeps its number of steps and shows fewer items.  Raises TrainingError for a batch of one.
        """
        if self._free_memory():
            return
        size = self._progress.batch_size
        if size == 1:
            raise TrainingError(f"The device {device} has not enough memory for {memory_advice}.")
        self._progress.batch_size = size // 2
        self._warnings.set(
            WarningKind.MEMORY,
            f"The device ran out of memory: the batch size is now {size // 2}, not {size}.",
        )

    def with_memory(self, work: Callable[[], T], problem: str) -> T:
        """Do some work, and once more with memory freed where that runs out.

        Raises TrainingError with the `problem` where that does not help.
        """
        for _ in range(2):
            try:
                return work()
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            self._free_memory()
        raise TrainingError(f"{problem}; choose a smaller batch_size, or close other programs.")

    def state_dict(self) -> dict[str, Any]:
        return {
            "learning_rate_scale": self.learning_rate_scale,
            "rollbacks": self._rollbacks,
            "skipped_steps": self._skipped_steps,
            "bad_steps": self._bad_steps,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a checkpoint.  Raises KeyError, TypeError or ValueError."""
        self.learning_rate_scale = float(state["learning_rate_scale"])
        self._rollbacks = int(state["rollbacks"])
        self._skipped_steps = int(state["skipped_steps"])
        self._bad_steps = int(state["bad_steps"])
        counts = self._rollbacks, self._skipped_steps, self._bad_steps
        if not (0 < self.learning_rate_scale <= 1 and min(counts) >= 0):
            raise ValueError("its counts of bad steps are impossible")
