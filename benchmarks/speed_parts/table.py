"""The table's rows, and clocks."""

import statistics
import time
from collections.abc import Callable


def print_row(what: str, value: float, bound: str = "", is_met: bool | None = None) -> None:
    """Print a row."""
    answer = "" if is_met is None else "yes" if is_met else "NO"
    print(f"| {what} | {value:.2f} | {bound} | {answer} |", flush=True)


def at_least(what: str, value: float, bound: float) -> None:
    print_row(what, value, f">= {bound:g}", value >= bound)


def at_most(what: str, value: float, bound: float) -> None:
    print_row(what, value, f"<= {bound:g}", value <= bound)


def seconds(work: Callable[[], object]) -> float:
    started_s = time.perf_counter()
    work()
    return time.perf_counter() - started_s


def in_turn(measure: Callable[[list[float]], float], rounds: int, *works: Callable[[], float]) -> list[float]:
    """What `measure` says of the times of each, taken in turn."""
    times = [[work() for work in works] for _ in range(rounds)]
    return [measure(list(each)) for each in zip(*times, strict=True)]


def medians(rounds: int, *works: Callable[[], object]) -> list[float]:
    """The median seconds of each, taken in turn; a round before them warms up."""
    for work in works:
        work()
    return in_turn(statistics.median, rounds, *(lambda work=work: seconds(work) for work in works))
