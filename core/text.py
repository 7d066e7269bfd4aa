"""Text for users: what may go to a terminal, and parts of messages.  Imports no torch."""

import unicodedata
from collections.abc import Sequence

LONGEST_MESSAGE = 2000
REPLACEMENT = "�"

# Of the invisible format characters (Cf) these change nothing but how letters or emoji join, or are visible.
# The others reorder or hide the text around them, as the bidirectional controls do.
HARMLESS_FORMAT = frozenset(
    "\u200c\u200d\u0600\u0601\u0602\u0603\u0604\u0605\u06dd\u070f\u0890\u0891\u08e2\U000110bd\U000110cd"
)


class _Escapes(dict[int, str]):
    """What `str.translate` makes of each character, found when it is first met."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        category = unicodedata.category(char)
        is_refused = category in {"Cc", "Cs", "Zl", "Zp"} or (
            category == "Cf" and char not in HARMLESS_FORMAT
        )
        self[code] = REPLACEMENT if is_refused else char
        return self[code]


_ESCAPES = _Escapes()


def printable(text: str) -> str:
    """Text from elsewhere, a file name for one, made safe for a terminal.

    Control characters (escape sequences, line ends), those that change the direction of writing, line and
    paragraph separators and bytes that are no valid UTF-8 become `�`.  Letters of all scripts and emoji stay.
    """
    return text if text.isprintable() else text.translate(_ESCAPES)


def one_line(message: str) -> str:
    """A message made safe for a terminal, in one line that is not absurdly long."""
    if len(message) > LONGEST_MESSAGE:  # its end says what to do
        half = LONGEST_MESSAGE // 2
        message = f"{message[:half]}…{message[-half:]}"
    return message if message.isprintable() else printable(" ".join(message.split()))


def first_line(error: BaseException) -> str:
    """What a library's error says, in brief: torch lists every weight that does not fit."""
    return str(error).strip().split("\n")[0][:100].rstrip(":")


def join_remarks(*parts: str) -> str:
    """Remarks on one file, those that are not empty: "cut short; clipped"."""
    return "; ".join(part for part in parts if part)


def name_some(names: Sequence[str]) -> str:
    """A subject with its verb: "kick.wav is", or "kick.wav, snare.wav and 7 more files are"."""
    if len(names) == 1:
        return f"{names[0]} is"
    if len(names) <= 3:
        return f"{', '.join(names[:-1])} and {names[-1]} are"
    return f"{', '.join(names[:2])} and {len(names) - 2} more files are"


def describe_early_stop(epoch: int, best_epoch: int) -> str:
    """Why a run ended before its last epoch, as a message."""
    return f"Stopped at epoch {epoch}: no better epoch since {best_epoch}."


def describe_best(best_epoch: int, epoch: int) -> str:
    """The epoch of the best validation loss, as a message; empty if there is none."""
    if best_epoch == 0:
        return ""
    ago = epoch - best_epoch
    if ago == 0:
        return f"Best is epoch {best_epoch}, the newest."
    return f"Best was epoch {best_epoch}, {ago} epoch{'' if ago == 1 else 's'} ago."
