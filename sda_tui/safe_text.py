"""The last gate before the terminal: whatever text comes here, none of it steers the terminal.

What users see is made printable where it is put together, so that an odd character shows as `�`.  This is for
what is not: all lines of the app and all output of the commands pass through it.
"""

from collections.abc import Iterable

from rich.cells import cell_len
from rich.segment import Segment

from core.text import printable


def safe_segments(segments: Iterable[Segment]) -> list[Segment]:
    """The same segments without control characters of foreign text; those of the renderer itself stay."""
    return [
        segment
        if segment.control or segment.text.isprintable()
        else Segment(segment.text.translate(_ESCAPES), segment.style)
        for segment in segments
    ]


class _Escapes(dict[int, str]):
    """What becomes of each character.  One of no width is dropped, so that a line stays as wide as it is."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        shown = printable(char)
        self[code] = char if char in ("\n", shown) else shown * min(1, cell_len(char))
        return self[code]


_ESCAPES = _Escapes()
