"""A run as its log shows it: live, finished, crashed or trained by another process, read in one way."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from core.errors import RunError
from core.events import EpochFinished, RunEvent, RunState, StepFinished
from core.runs import EventFollower, RunDirectory, RunHistory, RunManifest
from sda_tui.advice import explain

LOCK_INTERVAL_S = 2.0  # between two looks at the lock of a run whose log is silent


@dataclass(frozen=True)
class Update:
    """What one `poll` read.

    `live` holds the events appended since the log had been read to its end.  `has_rare` is true if anything
    but steps and epochs was read.
    """

    live: tuple[RunEvent, ...]
    has_rare: bool


class FollowedRun:
    """Reads the description of a run once, and its log with each `poll`.  Owned by one thread.

    `is_training` returns whether this process trains a run, `is_waiting` whether it is about to.  `clock`
    counts seconds.  Where there is no `manifest`, `problem` gives the reason.
    """

    def __init__(
        self,
        directory: RunDirectory,
        is_training: Callable[[RunDirectory], bool],
        is_waiting: Callable[[RunDirectory], bool] = lambda _: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.directory = directory
        self.history = RunHistory()
        self.manifest: RunManifest | None = None
        self._problem = ""
        self._is_training = is_training
        self._is_waiting = is_waiting
        self._is_outdated = False  # the log is of before the run was continued
        self._clock = clock
        self._follower = EventFollower(directory.events)
        self._generation = 0
        self._is_live = False  # the log has been read to its end, so what is read next has just happened
        self._is_abandoned = False  # no process held the lock when it was last looked at
        self._checked_s = -math.inf
        try:
            self.manifest = directory.read_manifest()
        except RunError as error:
            self._problem = explain(error)

    @property
    def problem(self) -> str:
        """Why the run, its log or a line of that cannot be read; empty if nothing is wrong."""
        return self._problem or self._follower.problem

    @property
    def has_caught_up(self) -> bool:
        """Whether the last `poll` read to the end of the log; if not, poll again at once."""
        return self._follower.has_caught_up

    @property
    def is_reading(self) -> bool:
        """Whether the log has not been read to its end yet, so that nothing is known of its end."""
        return not self._is_live

    @property
    def is_trained_here(self) -> bool:
        return self._is_training(self.directory)

    @property
    def state(self) -> RunState:
        """The state in the log, or interrupted if that is active and no process trains the run.

        Loading, while `is_reading` and until a run that was just continued writes its own.
        """
        if self.is_reading or self._is_outdated:
            return RunState.LOADING
        logged = self.history.state
        if logged.is_active and self._is_abandoned and not self.is_trained_here:
            return RunState.INTERRUPTED
        return logged

    @property
    def progress(self) -> tuple[int, int]:
        """Files or chunks loaded, else steps done, and how many there are in all; 0 if that is not known."""
        loading = self.history.loading
        if loading is not None:
            return loading.done, loading.total
        return self.history.step, self.history.total_steps

    def poll(self) -> Update:
        """Read what was appended to the log, for about 0.05 s at most."""
        self._is_outdated = self._is_waiting(self.directory)  # before the log is read, which it writes first
        live_generation = self._generation if self._is_live else None
        events = self._read()
        if self._must_check_lock(is_silent=not events):
            self._checked_s = self._clock()
            self._is_abandoned = self.directory.lock.holder() is None
            if self._is_abandoned and (last_words := self._read()):
                # The process wrote them and released the lock since the log was read.
                self._is_abandoned = False
                events += last_words
        return Update(
            live=tuple(events) if live_generation == self._generation else (),
            has_rare=any(not isinstance(event, StepFinished | EpochFinished) for event in events),
        )

    def close(self) -> None:
        self._follower.close()

    def _read(self) -> list[RunEvent]:
        events = list(self._follower.poll())
        if self._follower.generation != self._generation:  # a resume cut the log back: this is its new start
            self._generation = self._follower.generation
            self.history = RunHistory()
            self._is_live, self._is_abandoned, self._checked_s = False, False, -math.inf
        for event, time_s in events:
            self.history.apply(event, time_s)
        self._is_live = self._is_live or self.has_caught_up
        return [event for event, _ in events]

    def _must_check_lock(self, is_silent: bool) -> bool:
        """Whether the log leaves open if a process trains the run, and it is time to look at the lock."""
        if not (self._is_live and self.has_caught_up and self.history.state.is_active):
            return False
        if self.is_trained_here:
            return False
        if self._checked_s == -math.inf:  # what was read may be old
            return True
        if self._is_abandoned and not is_silent:  # a process may have resumed it
            return True
        return is_silent and self._clock() - self._checked_s >= LOCK_INTERVAL_S
