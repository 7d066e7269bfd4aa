"""Hostile run directories: `runs`, `attach` and `resume` show or refuse each, and write nothing outside."""

import dataclasses
import json
import random
import shutil
import signal
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from sda_tui.cli import main
from tests.faults import canary
from tests.faults.bases import HEALTHY, make_bases
from tests.faults.child import Outcome, run_forked
from tests.faults.run_mutants import RunMutant, make_mutant
from tests.faults.tally import Fault, FaultKind, Tally, narrow, share_out
from tests.faults.terminal import show_in_terminal

BATCH = 20  # runs in one folder of runs
LISTING_LIMIT_S = 60.0
RESUME_STOP_S, RESUME_LIMIT_S = 20.0, 60.0
ATTACH_LIMIT_S = 60.0
GROWTH_BYTES = 700_000_000  # that reading a run may add to what the program takes when it starts


def runs_part(folder: Path, seed: int, count: int, attached: int, jobs: int) -> Tally:
    bases = make_bases(folder)
    for sounds in (folder / "sounds", folder / "old" / "sounds"):  # so that none has to be decoded again
        assert (
            run_forked(
                partial(main, ["scan", str(sounds)]), LISTING_LIMIT_S, _environment(bases[-1].parent)
            ).status
            == 0
        )
    numbers = range(count)
    shares = [numbers[first : first + BATCH] for first in range(0, count, BATCH)]
    to_attach = set(random.Random(f"attached {seed}").sample(numbers, min(attached, count)))
    return share_out(partial(_try_batch, folder, bases, seed, to_attach), shares, jobs)


def _try_batch(
    folder: Path, bases: Sequence[Path], seed: int, to_attach: set[int], numbers: Sequence[int]
) -> Tally:
    place = folder / f"batch-{numbers[0]:06}"
    runs, outside = place / "runs", place / "outside"
    runs.mkdir(parents=True)
    outside.mkdir()
    shutil.copytree(bases[-1], runs / HEALTHY)
    mutants = []
    for number in numbers:
        draws = random.Random(f"runs {seed} {number}")
        mutants.append(make_mutant(draws.choice(bases), runs, outside, number, draws))
    before = canary.look(outside)
    tally = narrow(mutants, partial(_list, place))
    for number, mutant in zip(numbers, mutants, strict=True):
        if number in to_attach:
            tally.add(_attach(place, mutant))
    for mutant in mutants:
        tally.add(_resume(place, mutant))
    tally.faults += _written_outside(before, canary.look(outside), mutants)
    tally.faults += _written_beside(place, mutants)
    tally.tried = len(mutants)
    shutil.rmtree(place)
    return tally


def _environment(place: Path) -> dict[str, str]:
    return {"SDA_CACHE": str(place.parent / "cache"), "XDG_STATE_HOME": str(place / "state")}


def _list(place: Path, mutants: Sequence[RunMutant]) -> Tally:
    """`runs` and `runs --json` on a folder with these runs and a healthy one."""
    listed = place / "runs"
    if len(mutants) + 1 < len(list(listed.iterdir())):
        listed = place / "some"
        listed.mkdir()
        for path in (listed.parent / "runs" / HEALTHY, *(mutant.path for mutant in mutants)):
            path.rename(listed / path.name)
    try:
        culprit = mutants[0].recipe if len(mutants) == 1 else f"one of {len(mutants)} runs"
        tally = Tally()
        for options in ([], ["--json"]):
            words = ["runs", "--runs", str(listed), *options]
            outcome = run_forked(partial(main, words), LISTING_LIMIT_S, _environment(place))
            tally.add(_counted(outcome, f"runs {' '.join(options)}", culprit))
            if not tally.faults:
                tally.faults += _missing_rows(outcome, listed, culprit, is_json=bool(options))
        return tally
    finally:
        if listed.name == "some":
            for path in listed.iterdir():
                path.rename(place / "runs" / path.name)
            listed.rmdir()


def _missing_rows(outcome: Outcome, listed: Path, culprit: str, is_json: bool) -> list[Fault]:
    if not is_json:
        is_there = HEALTHY.encode() in outcome.stdout
        return [] if is_there else [Fault(FaultKind.WRONG, culprit, "runs: the healthy one is not shown")]
    try:
        rows = {row["name"]: row for row in json.loads(outcome.stdout)}
    except (ValueError, KeyError) as error:
        return [Fault(FaultKind.WRONG, culprit, f"runs --json is no JSON ({error})")]
    missing = [
        path.name for path in listed.iterdir() if (path / "run.json").exists() and path.name not in rows
    ]
    if missing or rows[HEALTHY]["state"] != "finished":
        return [Fault(FaultKind.WRONG, culprit, f"runs --json has no row of {missing}")]
    return []


def _attach(place: Path, mutant: RunMutant) -> Tally:
    words = ["attach", str(mutant.path)]
    return _counted(show_in_terminal(words, ATTACH_LIMIT_S, _environment(place)), "attach", mutant.recipe)


def _resume(place: Path, mutant: RunMutant) -> Tally:
    outcome = run_forked(
        partial(main, ["resume", str(mutant.path), "--device", "cpu"]),
        RESUME_LIMIT_S,
        _environment(place),
        signals=[(RESUME_STOP_S, signal.SIGTERM)],
    )
    return _counted(outcome, "resume", mutant.recipe)


def _counted(outcome: Outcome, command: str, culprit: str) -> Tally:
    faults = outcome.faults(culprit) or outcome.raw_controls(culprit)
    growth = outcome.peak_bytes - outcome.first_bytes
    if growth > GROWTH_BYTES:
        faults.append(Fault(FaultKind.WRONG, culprit, f"took {growth / 1e6:,.0f} MB"))
    faults = [dataclasses.replace(fault, detail=f"{command}: {fault.detail}") for fault in faults]
    return Tally(longest_s=outcome.duration_s, peak_bytes=outcome.peak_bytes, faults=faults)


def _written_outside(
    before: canary.Canary, after: canary.Canary, mutants: Sequence[RunMutant]
) -> list[Fault]:
    recipes = {mutant.recipe[:6]: mutant.recipe for mutant in mutants}
    return [
        Fault(FaultKind.OUTSIDE, recipes.get(path[:6], path), f"{path} was {what}", size_bytes)
        for path, what, size_bytes in canary.changes(before, after)
    ]


def _written_beside(place: Path, mutants: Sequence[RunMutant]) -> list[Fault]:
    """Whatever appeared in the folder of runs or around it, where no command was asked to write."""
    expected = {HEALTHY, *(mutant.path.name for mutant in mutants)}
    found = {path.name for path in (place / "runs").iterdir()} ^ expected
    found |= {path.name for path in place.iterdir()} - {"runs", "outside", "state"}
    return [Fault(FaultKind.OUTSIDE, "one of a batch", f"{name!r} appeared or is gone", 1) for name in found]
