"""Values from JSON that may come from elsewhere: of the right type, and bounded in depth, size and number.

Every function raises ValueError that says what is wrong with a value, and returns it if nothing is.
"""

import json
import os
import reprlib
from collections.abc import Mapping
from typing import Any, NoReturn

LARGEST_INTEGER = 2**63 - 1
LARGEST_NUMBER = 1e100  # beyond all that float32 holds; sums and squares of such numbers are still finite
LONGEST_TEXT = 4096


def parse_json(text: str | bytes) -> Any:
    """The document in a text.  NaN, infinities and what is nested too deeply are refused."""
    try:
        return _DECODER.decode(text if isinstance(text, str) else text.decode("utf-8"))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def read_integer(value: object, least: int = 0) -> int:
    if type(value) is int and least <= value <= LARGEST_INTEGER:  # a bool is an int to isinstance
        return value
    raise ValueError(f"{reprlib.repr(value)} is not a whole number from {least} on")


def read_number(value: object) -> float:
    """Whole numbers stay whole."""
    if (type(value) is float or type(value) is int) and -LARGEST_NUMBER <= value <= LARGEST_NUMBER:
        return value
    raise ValueError(f"{reprlib.repr(value)} is not a number of usual size")


def read_text(value: object) -> str:
    if isinstance(value, str) and len(value) <= LONGEST_TEXT:
        return value
    raise ValueError(f"{reprlib.repr(value)} is not a text of usual length")


def read_path(value: object) -> str:
    """A path that the system accepts, whether there is anything at it or not."""
    path = read_text(value)
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        raise ValueError(f"{reprlib.repr(value)} is not the path of a file") from None
    if "\0" in path:
        raise ValueError(f"{reprlib.repr(value)} is not the path of a file")
    return path


def read_mapping(value: object) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return value
    raise ValueError(f"{reprlib.repr(value)} is not a mapping of names to values")


def read_list(value: object) -> list[Any]:
    if isinstance(value, list):
        return value
    raise ValueError(f"{reprlib.repr(value)} is not a list")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant)
