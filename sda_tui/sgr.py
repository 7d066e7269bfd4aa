"""Styles of text in fewer bytes: a terminal is sent only what changes from one text to the next.

Rich writes every piece of text with its whole style before it and a reset behind it, which for a chart is
many times as long as the text.  The codes are those of "select graphic rendition", ECMA-48, 8.3.117.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

SEQUENCE = re.compile(r"\x1b\[([\d;:]*)m")
MOVES = re.compile(r"(?:\x1b\[\d+;\d+H)*")  # of the cursor, which look the same in any rendition
RESETS = {"1": "22", "2": "22", "3": "23", "4": "24", "5": "25", "7": "27", "9": "29"}  # of attributes
TRUE_COLOUR, PALETTE = "2", "5"
FOREGROUNDS = {str(code) for code in (*range(30, 38), *range(90, 98))}
BACKGROUNDS = {str(code) for code in (*range(40, 48), *range(100, 108))}


class Rendition(NamedTuple):
    """The codes of attributes and of colours that text has; those that are empty are the terminal's own."""

    attributes: tuple[str, ...] = ()
    foreground: str = ""
    background: str = ""


PLAIN = Rendition()


def shorten(data: str) -> str:
    """What looks the same on a terminal.  Unchanged if it has codes that are unknown."""
    parts: list[str] = []
    shown: Rendition | None = None  # not known: what came before is not seen here
    wanted: Rendition | None = None
    at = 0
    for sequence in SEQUENCE.finditer(data):
        text = data[at : sequence.start()]
        if text and not MOVES.fullmatch(text):
            parts.append(_transition(shown, wanted))
            shown = wanted
        parts.append(text)
        at = sequence.end()
        wanted = _apply(sequence[1], wanted or PLAIN)
        if wanted is None:
            return data
    return "".join((*parts, _transition(shown, wanted), data[at:]))


@lru_cache(4096)
def _apply(codes: str, before: Rendition) -> Rendition | None:
    """The rendition after these codes; None if one is unknown."""
    attributes, foreground, background = before
    rest = iter(codes.split(";"))
    for code in rest:
        if code in ("", "0"):
            attributes, foreground, background = PLAIN
        elif code in RESETS:
            attributes = tuple(sorted({*attributes, code}))
        elif code in FOREGROUNDS:
            foreground = code
        elif code in BACKGROUNDS:
            background = code
        elif code in ("38", "48") and (colour := _colour(code, rest)):
            foreground, background = (colour, background) if code == "38" else (foreground, colour)
        else:
            return None
    return Rendition(attributes, foreground, background)


def _colour(code: str, rest: Iterator[str]) -> str:
    """The codes of a colour of the palette, or of 16 million; empty if they are none."""
    kind = next(rest, "")
    values = [next(rest, "") for _ in range({TRUE_COLOUR: 3, PALETTE: 1}.get(kind, 0))]
    return ";".join((code, kind, *values)) if values and all(values) else ""


@lru_cache(4096)
def _transition(before: Rendition | None, after: Rendition | None) -> str:
    """The shortest sequence from one rendition to another."""
    if before == after or after is None:
        return ""
    if after == PLAIN:
        return "\x1b[0m"
    whole = ["0", *after.attributes, *filter(None, after[1:])]
    if before is None:
        return _sequence(whole)
    codes = list(dict.fromkeys(RESETS[each] for each in before.attributes if each not in after.attributes))
    if any(RESETS[each] in codes for each in after.attributes):  # bold and dim end together
        return _sequence(whole)
    codes += [each for each in after.attributes if each not in before.attributes]
    for was, becomes, default in zip(before[1:], after[1:], ("39", "49"), strict=True):
        if was != becomes:
            codes.append(becomes or default)
    return min(_sequence(codes), _sequence(whole), key=len)


def _sequence(codes: list[str]) -> str:
    return f"\x1b[{';'.join(codes)}m"
