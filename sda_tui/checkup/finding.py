"""One thing that was looked at, with a verdict."""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

T = TypeVar("T")


class Verdict(StrEnum):
    """`note`: something that this program does without; `problem`: something that it cannot work with."""

    OK = "ok"
    NOTE = "note"
    PROBLEM = "problem"


@dataclass(frozen=True)
class Finding:
    """What was `found` of a thing, and what to do if that is not as it should be."""

    name: str
    found: str
    verdict: Verdict = Verdict.OK
    advice: str = ""


def within(limit_s: float, look: Callable[[], T]) -> T:
    """What a function returns that may hang: in a driver, a network, a program.

    Raises TimeoutError if it does; its thread then ends with the process.
    """
    results: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(look())
        except BaseException as error:
            errors.append(error)

    thread = threading.Thread(target=work, name="checkup", daemon=True)
    thread.start()
    thread.join(limit_s)
    if errors:
        raise errors[0]
    if not results:
        raise TimeoutError
    return results[0]
