"""Kills training processes, at random moments and at each point of saving, and resumes the runs.

Every one of them must end with the very weights, optimiser, losses and previews of a run that was never
interrupted.
"""

import os
import random
import re
import resource
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path

from core.config import TrainingConfig
from core.data.report import ScanReport
from core.data.scan import scan
from core.runs import RunDirectory, RunManifest
from core.training.control import Control
from core.training.run import train_run
from tests.faults.tally import Fault, FaultKind, Tally
from tests.settings import TINY
from tests.sounds import write_tone
from tests.training import assert_same_outcome, logged

SETTINGS = {**TINY, "epochs": 3, "preview_interval": 2}
KILLED_AGAIN = 0.3  # of the runs are killed a second time after they were resumed


CHECKPOINT = r"\.pt$"
WRITTEN = r"\.pt(\.\d+\.tmp)?$"  # a checkpoint, or the temporary file that becomes one


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def kill_around(owner: object, name: str, nth: int, after: bool, file: str = WRITTEN) -> Callable[[], None]:
    """Makes the process die before or after the nth call of a function that concerns such a file."""

    def install() -> None:
        real = getattr(owner, name)
        calls = 0

        def wrapped(*arguments: object, **options: object) -> object:
            nonlocal calls
            calls += any(re.search(file, str(each)) for each in arguments)
            if calls == nth and not after:
                die()
            result = real(*arguments, **options)
            if calls == nth:
                die()
            return result

        setattr(owner, name, wrapped)

    return install


# Of write_atomically and retention; the third checkpoint is one with a best one beside it.
POINTS: dict[str, Callable[[], None]] = {
    "after the temporary file is opened": kill_around(os, "open", 4, after=True),
    "after the temporary write, before the rename": kill_around(os, "rename", 4, after=False),
    "after the rename": kill_around(os, "rename", 4, after=True),
    "before a deletion": kill_around(os, "unlink", 1, after=False, file=CHECKPOINT),
    "after a deletion": kill_around(os, "unlink", 1, after=True, file=CHECKPOINT),
}


def in_child(work: Callable[[], object]) -> int:
    """Start `work` in a process of its own.  This one imports torch and never computes, so it may fork."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        finally:
            sys.stderr.flush()
            os._exit(status)
    return pid


def wait(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def train(run: RunDirectory, install: Callable[[], None] = lambda: None) -> int:
    def work() -> None:
        install()
        train_run(run, "cpu", Control(run.requests), lambda _: None)

    return in_child(work)


def last_event(run: RunDirectory) -> str:
    lines = run.events.read_bytes().splitlines()
    return "before anything" if not lines else lines[-1].split(b'"')[3].decode()


class Trials:
    """Copies of one run that was never trained, and the run that was never interrupted."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder
        self._draws = random.Random(seed)
        sounds = folder / "sounds"
        sounds.mkdir()
        for index in range(8):
            write_tone(sounds / f"tone-{index}.wav", 110.0 * (index + 1), 1.0)
        config = TrainingConfig().with_settings(SETTINGS)
        *_, report = scan(sounds, config.chunk_duration_s)
        assert isinstance(report, ScanReport)
        self._template = RunDirectory.create(
            folder, "template", RunManifest.from_scan(report, "balanced", config)
        )
        self._whole = self._copy("whole")
        started_s = time.monotonic()
        assert wait(train(self._whole)) == 0
        self._duration_s = time.monotonic() - started_s

    def kill_at_random(self, name: str) -> str:
        """Kill a run at a random moment, perhaps twice, resume it, compare; what it had done last."""
        run = self._copy(name)
        while (doing := self._kill(run, self._duration_s)) is None:
            self._duration_s *= 0.9  # it had ended already: the machine is quicker now
            shutil.rmtree(run.path)
            run = self._copy(name)
        if self._draws.random() < KILLED_AGAIN:
            self._kill(run, self._duration_s / 2)
        self._compare(run)
        return doing

    def kill_at(self, name: str, install: Callable[[], None]) -> str:
        run = self._copy(name)
        assert wait(train(run, install)) == -signal.SIGKILL, "the point was not reached"
        doing = last_event(run)
        self._compare(run)
        return doing

    def _kill(self, run: RunDirectory, within_s: float) -> str | None:
        """The last event before the kill; None if the run had ended."""
        pid = train(run)
        time.sleep(self._draws.uniform(0, within_s))
        os.kill(pid, signal.SIGKILL)
        if wait(pid) == 0:
            return None
        return last_event(run)

    def _copy(self, name: str) -> RunDirectory:
        shutil.copytree(self._template.path, self._folder / name)
        return RunDirectory(self._folder / name)

    def _compare(self, run: RunDirectory) -> None:
        assert wait(train(run)) == 0
        assert logged(run)[-1].state == "finished"
        assert wait(in_child(lambda: assert_same_outcome(run, self._whole))) == 0
        shutil.rmtree(run.path)


def kills_part(folder: Path, seed: int, count: int) -> Tally:
    """Kill at each point of saving and at `count` random moments."""
    trials, tally = Trials(folder, seed), Tally()
    last_events: Counter[str] = Counter()

    def attempt(culprit: str, trial: Callable[[], str]) -> None:
        started_s = time.monotonic()
        tally.tried += 1
        try:
            last_events[trial()] += 1
        except AssertionError as error:
            tally.faults.append(Fault(FaultKind.WRONG, culprit, f"not the same model ({error})"))
            print(f"{culprit}: not the same model ({error})", file=sys.stderr, flush=True)
        tally.longest_s = max(tally.longest_s, time.monotonic() - started_s)

    for number, (name, install) in enumerate(POINTS.items()):
        attempt(f"killed {name}", partial(trials.kill_at, f"point-{number}", install))
    for number in range(count):
        attempt(f"kill {number} of seed {seed}", partial(trials.kill_at_random, f"kill-{number}"))
    tally.peak_bytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    print("last event before the kill:", ", ".join(f"{name} {n}" for name, n in last_events.most_common()))
    return tally
