"""Signals in pairs, milliseconds apart, at random moments of `train`; the run resumes as if none had come."""

import random
import shutil
import signal
from functools import partial
from pathlib import Path

import core.training.run  # noqa: F401  (torch, before the forks that need it)
from core.events import RunState
from core.runs import RunDirectory, summarise
from sda_tui.cli import main
from tests.faults.bases import write_sounds
from tests.faults.child import Outcome, run_forked
from tests.faults.tally import Fault, FaultKind, Tally, share_out
from tests.settings import TINY
from tests.training import assert_same_outcome

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGALRM)
LIMIT_S = 120.0
GAPS_S = (0.0, 0.001, 0.005, 0.05, 0.5)
RESUMED_AT_MOST = 3
FIRST_S = 0.05  # until the command has set its handlers: it begins with a fork, not with an interpreter


def signals_part(folder: Path, seed: int, count: int, jobs: int) -> Tally:
    write_sounds(folder / "sounds")
    whole = _train(folder, "whole", ())
    assert whole.status == 0, whole.stderr
    return share_out(partial(_try, folder, seed, whole.duration_s), range(count), jobs)


def _words(folder: Path) -> list[str]:
    words = ["--device", "cpu", "--runs", str(folder / "runs")]
    return [*words, *(word for name, value in TINY.items() for word in ("--set", f"{name}={value}"))]


def _train(folder: Path, name: str, signals: tuple[tuple[float, int], ...]) -> Outcome:
    words = ["train", str(folder / "sounds"), "--name", name, *_words(folder)]
    return run_forked(partial(main, words), LIMIT_S, {"SDA_CACHE": str(folder / "cache")}, signals=signals)


def _try(folder: Path, seed: int, duration_s: float, number: int) -> Tally:
    draws = random.Random(f"signals {seed} {number}")
    first, second = draws.choices(NUMBERS, k=2)
    at_s = draws.uniform(FIRST_S, duration_s)
    gap_s = draws.choice(GAPS_S)
    culprit = f"{first.name} at {at_s:.3f} s, {second.name} {gap_s} s later (signals, seed {seed}, {number})"
    run = RunDirectory(folder / "runs" / f"signalled-{number:06}")
    outcome = _train(folder, run.name, ((at_s, first), (at_s + gap_s, second)))
    tally = Tally(1, outcome.duration_s, outcome.peak_bytes, outcome.faults(culprit))
    if run.path.exists() and not tally.faults:
        tally.faults = _resume(run, culprit)
    if not tally.faults and run.path.exists():
        whole = RunDirectory(folder / "runs" / "whole")
        compared = run_forked(lambda: assert_same_outcome(run, whole) or 0, LIMIT_S)
        tally.faults = compared.faults(culprit)
    shutil.rmtree(run.path, ignore_errors=True)
    return tally


def _resume(run: RunDirectory, culprit: str) -> list[Fault]:
    """Resume until the run is finished."""
    for _ in range(RESUMED_AT_MOST):
        if summarise(run).state is RunState.FINISHED:
            return []
        outcome = run_forked(partial(main, ["resume", str(run.path), "--device", "cpu"]), LIMIT_S)
        if faults := outcome.faults(culprit):
            return faults
    state = summarise(run).state
    return [] if state is RunState.FINISHED else [Fault(FaultKind.WRONG, culprit, f"resumed, it is {state}")]
