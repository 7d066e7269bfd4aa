"""Numbers as text for people, the same in the app and in the commands."""

import math
import time

from rich.cells import cell_len, set_cell_size

from core.events import Metric

MINUS = "−"
LONGEST_S = 100 * 365 * 86_400.0
LARGEST_PLAIN = 1e9  # larger numbers are shown in powers of ten


def duration(seconds: float | None) -> str:
    """A length of time: 0:42, 3:07, 2:15:09; a dash for none."""
    if seconds is None or not 0 <= seconds < LONGEST_S:
        return "–"
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    minutes, remaining = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{remaining:02}" if hours else f"{minutes}:{remaining:02}"


def rough_duration(seconds: float) -> str:
    """An estimated length of time: 40 s, 25 min, 3.5 h, 4 days."""
    if seconds < 90:
        return f"{max(1.0, seconds):.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    if seconds < 48 * 3600:
        return f"{seconds / 3600:.1f} h"
    return f"{min(seconds, LONGEST_S) / 86_400:.0f} days"


def sound_duration(seconds: float) -> str:
    """A length of sound: 0.08 s, 12.4 s, 5.4 min, 1.2 h."""
    if seconds < 10:
        return f"{seconds:.2f} s"
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def size(count: float) -> str:
    """Bytes in decimal units: 640 B, 41 MB, 1.4 GB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" or count >= 10 else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def number(value: Metric, digits: int = 4) -> str:
    """A loss or rate with `digits` decimals; tiny ones in powers of ten; a dash for none."""
    if value is None or isinstance(value, tuple) or not math.isfinite(value):
        return "–"
    is_plain = 10**-digits <= abs(value) < LARGEST_PLAIN or value == 0
    text = f"{value:.{digits}f}" if is_plain else f"{value:.1e}"
    return text.replace("-", MINUS, 1) if value < 0 else text


def best(value: Metric, epoch: int, digits: int = 4) -> str:
    """The best value of a run, and its epoch: 0.1234 @12."""
    return f"{number(value, digits)} @{epoch}"


def level(decibels: float | None) -> str:
    """A level in dB with one decimal: −12.3; a dash for silence."""
    if decibels is None or not math.isfinite(decibels):
        return "–"
    return f"{decibels:.1f}".replace("-", MINUS, 1)


def share(part: Metric) -> str:
    """A part of 1 in per cent; a dash for none."""
    if part is None or isinstance(part, tuple) or not abs(part) < LARGEST_PLAIN:
        return "–"
    return f"{round(100 * part)}%".replace("-", MINUS, 1)


def change(before: float, after: float) -> str:
    """How far a number fell or rose, in whole per cent: "39 % less"; empty where that is none."""
    per_cent = round(100 * (1 - after / before))
    return f"{abs(per_cent)} % {'less' if per_cent > 0 else 'more'}" if per_cent else ""


def age(then_s: float, now_s: float) -> str:
    """The time between two times since 1970: just now, 5 min ago, 3 h ago, 12 days ago."""
    passed = max(0.0, now_s - then_s)
    if passed < 60:
        return "just now"
    if passed < 3600:
        return f"{passed / 60:.0f} min ago"
    if passed < 86_400:
        return f"{passed / 3600:.0f} h ago"
    days = round(passed / 86_400)
    return f"{days} day{'' if days == 1 else 's'} ago"


def sample_rate(hertz: float) -> str:
    """44.1 kHz."""
    return f"{hertz / 1000:g} kHz"


def count(amount: int, singular: str, plural: str = "") -> str:
    """1 file, 12 files, 1 024 chunks."""
    word = singular if amount == 1 else plural or f"{singular}s"
    return f"{amount:,} {word}".replace(",", " ")


def clock(time_s: float) -> str:
    """A time since 1970 as day and time of day here: 27 Nov 13:42."""
    return time.strftime("%d %b %H:%M", time.localtime(time_s))


def shorten(text: str, cells: int) -> str:
    """A text in at most so many cells of the terminal; an ellipsis marks what was cut off."""
    if cell_len(text) <= cells:
        return text
    return f"{set_cell_size(text, cells - 1).rstrip()}…" if cells > 0 else ""
