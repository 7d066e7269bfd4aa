"""Poor machines: few descriptors, little memory, no space, no home, odd terminals, closed streams."""

import random
import shutil
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from tests.faults import canary
from tests.faults.child import Outcome, run_program
from tests.faults.hostile_sounds import make_hostile_dataset
from tests.faults.tally import Fault, FaultKind, Tally, share_out
from tests.faults.terminal import show_in_terminal
from tests.settings import TINY
from tests.sounds import write_tone

LIMIT_S = 180.0
SETTINGS = [word for name, value in {**TINY, "epochs": 1}.items() for word in ("--set", f"{name}={value}")]
PATHS_IN_ENVIRONMENT = ("HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME", "SDA_CACHE", "SDA_RUNS", "TMPDIR")
ODD_PATHS = (
    "",
    "/nowhere/at/all",
    "/dev/null",
    "/dev/full",
    "/proc/self",
    "relative",
    "~nobody-here",
    "\udcff\udcfe",
)
ODD_TERMINALS = ("", "dumb", "unknown-thing", "vt52", "screen", "linux", "xterm", "x" * 5000)
LOCALES = ("C", "POSIX", "C.UTF-8", "xx_XX.KOI8-R", "")
STREAMS = (
    '"$@" >&-',
    '"$@" 2>&-',
    '"$@" <&-',
    '"$@" >&- 2>&- <&-',
    '"$@" >/dev/full',
    '"$@" 2>/dev/full',
    '"$@" >/dev/full 2>/dev/full',
    '"$@" | head -c 1 | cat',
    '"$@" 2>&1 | true',
)
LIMITS = {  # of ulimit, from what Python itself needs to enough
    "-n": (8, 12, 16, 20, 24, 32, 48, 64),
    "-f": (8, 64, 512, 1024, 4096),
    "-v": (300_000, 600_000, 1_000_000, 1_500_000, 2_500_000, 4_000_000, 8_000_000),
}


@dataclass(frozen=True)
class Case:
    """A command, where it runs, and what it may end with besides what README says."""

    name: str
    words: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    shell: str = '"$@"'
    in_terminal: bool = False
    statuses: frozenset[int] = frozenset({0, 1, 2, 130})
    may_be_silent: bool = False


def environment_part(folder: Path, seed: int, count: int, jobs: int) -> Tally:
    """All cases, or `count` of them drawn by the seed."""
    sounds = folder / "sounds"
    sounds.mkdir()
    for index in range(6):
        write_tone(sounds / f"tone-{index}.wav", 110.0 * (index + 1), 0.5)
    make_hostile_dataset(folder / "hostile")
    cases = all_cases(folder)
    if count < len(cases):
        cases = random.Random(f"environment {seed}").sample(cases, count)
    return share_out(partial(_try, folder), list(enumerate(cases)), jobs)


def all_cases(folder: Path) -> list[Case]:
    return [
        *_limited(folder / "sounds"),
        *_misplaced(folder / "sounds"),
        *_in_odd_terminals(folder / "sounds"),
        *_with_odd_streams(folder / "sounds"),
        *_on_hostile_datasets(folder / "hostile"),
    ]


def _commands(sounds: Path) -> dict[str, tuple[str, ...]]:
    return {
        "scan": ("scan", str(sounds)),
        "scan --json": ("scan", str(sounds), "--json"),
        "train": ("train", str(sounds), "--device", "cpu", *SETTINGS),
        "runs": ("runs",),
        "cache": ("cache",),
    }


def _limited(sounds: Path) -> list[Case]:
    """From limits under which Python itself just starts."""
    return [
        Case(f"{name} under ulimit {option} {limit}", words, shell=f'ulimit {option} {limit}; "$@"')
        for option, limits in LIMITS.items()
        for limit in limits
        for name, words in _commands(sounds).items()
        if name in {"scan", "train", "runs"}
    ]


def _misplaced(sounds: Path) -> list[Case]:
    cases = [
        Case(f"{name} with {variable}={path!r}", words, {variable: path})
        for variable in PATHS_IN_ENVIRONMENT
        for path in ODD_PATHS
        for name, words in _commands(sounds).items()
        if name in {"scan", "cache", "runs"}
        or (name == "train" and variable in {"HOME", "SDA_CACHE", "SDA_RUNS"})
    ]
    cases += [
        Case(f"{name} in locale {locale!r}", words, {"LC_ALL": locale, "LANG": locale, "PYTHONUTF8": "0"})
        for locale in LOCALES
        for name, words in _commands(sounds.parent / "hostile").items()
        if name != "train"
    ]
    cases += [
        Case(f"{words[0]} --runs {path!r}", (*words, "--runs", path))
        for path in ODD_PATHS
        for words in (("runs",), ("train", str(sounds), "--device", "cpu", *SETTINGS))
    ]
    return cases


def _in_odd_terminals(sounds: Path) -> list[Case]:
    cases = [
        Case(f"the app with TERM={term[:20]!r}", (str(sounds),), {"TERM": term}, in_terminal=True)
        for term in ODD_TERMINALS
    ]
    for variable, value in (
        ("COLUMNS", "0"),
        ("LINES", "-5"),
        ("COLUMNS", "x"),
        ("NO_COLOR", "1"),
        ("COLORTERM", "odd"),
    ):
        cases.append(
            Case(f"the app with {variable}={value}", (str(sounds),), {variable: value}, in_terminal=True)
        )
    return cases


def _with_odd_streams(sounds: Path) -> list[Case]:
    """Errors are not printed where their stream is closed."""
    return [
        Case(
            f"{name}: {shell}",
            words,
            shell=shell,
            statuses=frozenset({0, 1, 2, 120, 130, 141}),
            may_be_silent=True,
        )
        for shell in STREAMS
        for name, words in _commands(sounds).items()
    ]


def _on_hostile_datasets(hostile: Path) -> list[Case]:
    return [
        Case(f"{name} on hostile names, loops and devices", words)
        for name, words in _commands(hostile).items()
        if name in {"scan", "scan --json", "train"}
    ]


def _try(folder: Path, numbered: tuple[int, Case]) -> Tally:
    number, case = numbered
    place = folder / f"case-{number}"
    place.mkdir()
    ours = {name: str(place / name.lower()) for name in PATHS_IN_ENVIRONMENT if name != "TMPDIR"}
    environment = {**ours, **case.environment}
    before = canary.look(folder / "sounds")
    outcome = _run(case, place, environment)
    tally = Tally(tried=1, longest_s=outcome.duration_s, peak_bytes=outcome.peak_bytes)
    tally.faults = [
        fault
        for fault in outcome.faults(case.name, set(case.statuses))
        if not (case.may_be_silent and fault.detail.endswith("without a word"))
    ]
    if not tally.faults and not case.in_terminal:
        tally.faults = outcome.raw_controls(case.name)
    tally.faults += [
        Fault(FaultKind.OUTSIDE, case.name, f"{path} was {what}", size_bytes)
        for path, what, size_bytes in canary.changes(before, canary.look(folder / "sounds"))
    ]
    shutil.rmtree(place, ignore_errors=True)
    return tally


def _run(case: Case, place: Path, environment: dict[str, str]) -> Outcome:
    if case.in_terminal:
        return show_in_terminal(case.words, LIMIT_S, environment)
    return run_program(case.words, LIMIT_S, environment, f"cd '{place}'; {case.shell}")
