"""Text for users: printable file names, and parts of messages.  Imports no torch."""

import unicodedata
from collections.abc import Sequence


def printable(text: str) -> str:
    """A file name made safe for a terminal: undecodable bytes and control characters become `�`."""
    decoded = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join("�" if unicodedata.category(char) in {"Cc", "Cs"} else char for char in decoded)


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


def describe_best(best_epoch: int, epoch: int) -> str:
    """The epoch of the best validation loss, as a message; empty if there is none."""
    if best_epoch == 0:
        return ""
    ago = epoch - best_epoch
    if ago == 0:
        return f"Best is epoch {best_epoch}, the newest."
    return f"Best was epoch {best_epoch}, {ago} epoch{'' if ago == 1 else 's'} ago."
