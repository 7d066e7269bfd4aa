"""Round numbers for the axes of a chart, and their labels."""

import math
from collections.abc import Sequence
from itertools import pairwise

from sda_tui.format import MINUS

STEPS = (1.0, 2.0, 5.0, 10.0)
TIME_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400)
THOUSANDS = ((1e9, "G"), (1e6, "M"), (1e3, "k"))
SMALLEST_PLAIN, LARGEST_PLAIN = 1e-4, 1e12


def round_ticks(low: float, high: float, most: int) -> list[float]:
    """At most so many multiples of 1, 2 or 5 times a power of ten, from low to high."""
    for intervals in (most, max(1, most - 1)):  # so many steps have one more end, which may lie outside
        step = round_step(high - low, intervals)
        ticks = _multiples(low, high, step) if step else []
        if len(ticks) <= most:
            return ticks
    return []


def round_step(span: float, most: int) -> float:
    """The smallest round step of which at most so many fit in a span; 0 if there is none."""
    if not 0 < span < math.inf or most < 1:
        return 0.0
    scale = 10.0 ** math.floor(math.log10(span / most))
    if not scale:
        return 0.0
    return next((factor * scale for factor in STEPS if span <= factor * scale * most), 10 * scale)


def time_ticks(low_s: float, high_s: float, most: int) -> list[float]:
    """The same for seconds: whole parts of a minute, an hour or a day."""
    span = high_s - low_s
    if span < 1 or most < 1:
        return round_ticks(low_s, high_s, most)
    steps = (step for step in TIME_STEPS_S if span < step * most)
    step = next(steps, None) or 86_400 * max(1.0, round_step(span / 86_400, most))
    return _multiples(low_s, high_s, float(step))


def log_ticks(low: float, high: float, most: int) -> list[float]:
    """Powers of ten from low to high, both positive; with 2 and 5 times those where they are few."""
    if most < 1:
        return []
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    stride = max(1, math.ceil((last - first) / most))
    decades = [10.0**power for power in range(first, last + 1, stride)]
    within = [tick for tick in decades if low <= tick <= high]
    if stride > 1 or len(within) >= min(3, most):
        return within
    finer = [factor * 10.0**power for power in range(first, last + 1) for factor in (1, 2, 5)]
    finer = [tick for tick in finer if low <= tick <= high]
    if 2 <= len(finer) <= most:
        return finer
    return within if len(finer) > most else round_ticks(low, high, most)


def labels(ticks: Sequence[float]) -> list[str]:
    """With as many digits as make them differ: 0.12, −2, 10k, 2.5M; tiny and huge ones in powers of ten."""
    if not ticks:
        return []
    largest = max(map(abs, ticks))
    steps = [abs(b - a) for a, b in pairwise(ticks)]
    step = min((each for each in steps if each > 0), default=largest or 1.0)
    if largest and not SMALLEST_PLAIN <= largest < LARGEST_PLAIN:
        digits = _decimals(step / 10.0 ** math.floor(math.log10(largest)))
        return [_power(tick, min(digits, 6)) if tick else "0" for tick in ticks]
    if largest >= 10_000 and step >= 1:
        scale, unit = next(each for each in THOUSANDS if largest >= each[0])
        digits = _decimals(step / scale)
        return [_signed(f"{tick / scale:.{digits}f}{unit}" if tick else "0") for tick in ticks]
    digits = _decimals(step)
    return [_signed(f"{tick:.{digits}f}") for tick in ticks]


def log_labels(ticks: Sequence[float]) -> list[str]:
    """Each with the digits that it needs: 0.001, 20, 5k, 1e9."""
    return [
        _power(tick, 0)
        if not SMALLEST_PLAIN <= tick < 1e6
        else f"{tick / 1e3:g}k"
        if tick >= 10_000
        else f"{tick:.6g}"
        for tick in ticks
    ]


def time_labels(ticks: Sequence[float]) -> list[str]:
    """45s, 1:30, 2h, 2h30, 3d."""
    return [time_label(tick) for tick in ticks]


def time_label(seconds: float) -> str:
    whole = round(seconds)
    if whole >= 86_400 and whole % 3600 == 0:
        days, hours = divmod(whole // 3600, 24)
        return f"{days}d{hours}h" if hours else f"{days}d"
    if whole >= 3600:
        hours, minutes = divmod(whole // 60, 60)
        return f"{hours}h{minutes:02}" if minutes else f"{hours}h"
    if whole >= 60:
        minutes, rest = divmod(whole, 60)
        return f"{minutes}:{rest:02}"
    return f"{seconds:g}s"


def figure(value: float) -> str:
    """A value with four significant digits, beside the curve's name: 0.4123, −12.35, 10.25k."""
    if not math.isfinite(value):
        return "–"
    size = abs(value)
    if size and not SMALLEST_PLAIN <= size < LARGEST_PLAIN:
        return _power(value, 2)
    if size >= 10_000:
        scale, unit = next(each for each in THOUSANDS if size >= each[0])
        return _signed(f"{value / scale:.4g}{unit}")
    digits = 3 if not size else min(6, max(0, 3 - math.floor(math.log10(size))))
    return _signed(f"{value:.{digits}f}")


def _multiples(low: float, high: float, step: float) -> list[float]:
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    if first * step == (first + 1) * step or last - first > 1000:  # the span is below the numbers' precision
        return []
    return [step * number for number in range(first, last + 1)]


def _decimals(step: float) -> int:
    """Digits after the point that a multiple of this round step needs."""
    digits = max(0, -math.floor(math.log10(step) + 1e-9))
    return digits if abs(step * 10**digits - round(step * 10**digits)) < 1e-6 else digits + 1


def _power(value: float, digits: int) -> str:
    """1.5e−7, 2e30."""
    factor, power = f"{value:.{digits}e}".split("e")
    return f"{_signed(factor)}e{_signed(str(int(power)))}"


def _signed(text: str) -> str:
    return MINUS + text[1:] if text.startswith("-") else text
