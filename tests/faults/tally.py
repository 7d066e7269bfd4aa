"""What was tried and what went wrong."""

import dataclasses
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field
from enum import StrEnum
from multiprocessing import get_context
from typing import TypeVar

Item = TypeVar("Item")

HEAD = (
    "| part | tried | tracebacks | hangs | bytes outside | wrong | longest | largest memory |\n"
    "|---|---|---|---|---|---|---|---|"
)


class FaultKind(StrEnum):
    TRACEBACK = "traceback"  # also an "unexpected error", and an end by a signal
    HANG = "hang"
    OUTSIDE = "outside"
    WRONG = "wrong"


@dataclass(frozen=True)
class Fault:
    kind: FaultKind
    culprit: str  # what makes it happen again: the name of the input, which says how it was made
    detail: str
    size_bytes: int = 0  # of what was written outside


@dataclass
class Tally:
    """Counts of one part, or of a share of it."""

    tried: int = 0
    longest_s: float = 0.0
    peak_bytes: int = 0
    faults: list[Fault] = field(default_factory=list)

    def add(self, other: "Tally") -> None:
        self.tried += other.tried
        self.longest_s = max(self.longest_s, other.longest_s)
        self.peak_bytes = max(self.peak_bytes, other.peak_bytes)
        self.faults += other.faults

    def row(self, part: str) -> str:
        counts = {kind: sum(fault.kind is kind for fault in self.faults) for kind in FaultKind}
        outside = sum(fault.size_bytes for fault in self.faults)
        cells = (
            part,
            f"{self.tried:,}",
            counts[FaultKind.TRACEBACK],
            counts[FaultKind.HANG],
            f"{outside:,} in {counts[FaultKind.OUTSIDE]}" if counts[FaultKind.OUTSIDE] else 0,
            counts[FaultKind.WRONG],
            f"{self.longest_s:.1f} s",
            f"{self.peak_bytes / 1e6:,.0f} MB",
        )
        return f"| {' | '.join(map(str, cells))} |"


def narrow(items: Sequence[Item], judge: Callable[[Sequence[Item]], Tally]) -> Tally:
    """Judge all items at once; where something goes wrong, judge halves, until a fault has its culprit."""
    tally = judge(items)
    if len(items) == 1 or not tally.faults:
        return tally
    halves = Tally()
    for half in (items[: len(items) // 2], items[len(items) // 2 :]):
        halves.add(narrow(half, judge))
    if halves.faults:
        return dataclasses.replace(halves, longest_s=max(halves.longest_s, tally.longest_s))
    return tally  # it takes several of them together


def share_out(work: Callable[[Item], Tally], shares: Iterable[Item], jobs: int) -> Tally:
    """Do `work` for each share, in `jobs` processes forked from this one, and print faults as they come."""
    total = Tally()
    with ProcessPoolExecutor(jobs, get_context("fork")) as pool:
        for future in as_completed([pool.submit(work, share) for share in shares]):
            tally = future.result()
            for fault in tally.faults:
                print(f"{fault.kind}: {fault.culprit}: {fault.detail}", file=sys.stderr, flush=True)
            total.add(tally)
    return total
