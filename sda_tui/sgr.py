"""Styles of text in fewer bytes: a terminal over SSH is sent only what changes from one text to the next.

Rich writes every piece of text with its whole style before it and a reset behind it, which for a chart is
many times as long as the text.  The codes are those of "select graphic rendition", ECMA-48, 8.3.117.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

SEQUENCE = re.compile(r"\x1b\[([\d;]*)m")
MOVES = re.compile(r"(?:\x1b\[\d+;\d+H)*")  # of the cursor, which look the same in any style
ENDS = {"1": "22", "2": "22", "3": "23", "4": "24", "5": "25", "7": "27", "9": "29"}  # of attributes
TRUE_COLOUR, PALETTE = "2", "5"


class Look(NamedTuple):
    """What text looks like: the codes of its attributes, and of its colours; empty as the terminal has it."""

    attributes: tuple[str, ...] = ()
    foreground: str = ""
    background: str = ""


PLAIN = Look()


def shorten(data: str) -> str:
    """The same for a terminal whose text is plain before it.  Unchanged if it has codes that are unknown."""
    parts: list[str] = []
    shown = wanted = PLAIN
    at = 0
    for sequence in SEQUENCE.finditer(data):
        text = data[at : sequence.start()]
        if text and not MOVES.fullmatch(text):
            parts.append(_change(shown, wanted))
            shown = wanted
        parts.append(text)
        at = sequence.end()
        if (look := _look(sequence[1], wanted)) is None:
            return data
        wanted = look
    return "".join((*parts, _change(shown, wanted), data[at:]))


@lru_cache(4096)
def _look(codes: str, before: Look) -> Look | None:
    """Text after these codes; None if one is unknown."""
    attributes, foreground, background = before
    rest = iter(codes.split(";"))
    for code in rest:
        if code in ("", "0"):
            attributes, foreground, background = PLAIN
        elif code in ENDS:
            attributes = tuple(sorted({*attributes, code}))
        elif code in ENDS.values():
            attributes = tuple(each for each in attributes if ENDS[each] != code)
        elif (colour := _colour(code, rest)) is None:
            return None
        elif _is_background(code):
            background = colour.removeprefix("49")
        else:
            foreground = colour.removeprefix("39")
    return Look(attributes, foreground, background)


def _colour(code: str, rest: Iterator[str]) -> str | None:
    """The codes of a colour that begins with this one; None if it is none."""
    if code in ("38", "48"):
        kind = next(rest, "")
        count = {TRUE_COLOUR: 3, PALETTE: 1}.get(kind, 0)
        values = [next(rest, "") for _ in range(count)]
        return ";".join((code, kind, *values)) if count and all(values) else None
    is_colour = code.isdigit() and (30 <= int(code) <= 49 or 90 <= int(code) <= 107)
    return code if is_colour else None


def _is_background(code: str) -> bool:
    return 40 <= int(code) <= 49 or int(code) >= 100


@lru_cache(4096)
def _change(before: Look, after: Look) -> str:
    """The shortest sequence from one look to another."""
    if before == after:
        return ""
    if after == PLAIN:
        return "\x1b[0m"
    whole = ["0", *after.attributes, *filter(None, after[1:])]
    ended = [ENDS[each] for each in before.attributes if each not in after.attributes]
    if any(ENDS[each] in ended for each in after.attributes):  # bold and dim end together
        return _sequence(whole)
    codes = list(dict.fromkeys(ended)) + [each for each in after.attributes if each not in before.attributes]
    for was, becomes, default in zip(before[1:], after[1:], ("39", "49"), strict=True):
        if was != becomes:
            codes.append(becomes or default)
    return min(_sequence(codes), _sequence(whole), key=len)


def _sequence(codes: list[str]) -> str:
    return f"\x1b[{';'.join(codes)}m"
