"""(f) What a start costs before the first step."""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import torch

from core.data import cache
from core.data.loading import load_sounds
from core.data.store import SampleBuffer
from speed_parts.program import child_environment
from speed_parts.sounds import scan_folder, write_files
from speed_parts.table import at_least, in_turn, print_row, seconds

SAMPLE_RATE = 48_000
SCANS, STARTS = 5, 3  # of each folder, in turn


def start() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = write_files(Path(scratch) / "500", 500, 5.0)
        few, many = (write_files(Path(scratch) / f"short {count}", count, 0.5) for count in (500, 5000))
        ratio = first_to_second(folder)
        few_s, many_s, few_scanned_s, many_scanned_s = in_turn(
            min, SCANS,
            lambda: sum(scan_anew(scan_folder, few) for _ in range(10)), lambda: scan_anew(scan_folder, many),
            lambda: scan_anew(scan_command, few), lambda: scan_anew(scan_command, many),
        )  # fmt: skip
    at_least("(f) first start relative to the second, 500 files", ratio, 10)
    at_least("(f) files scanned a second, 5 000 relative to 500", few_s / many_s, 1)
    print_row(
        "(f) the same of `sda-tui scan`, with its start and its table", 10 * few_scanned_s / many_scanned_s
    )


def print_start(folder: Path, count: int) -> None:
    print_row(f"(h) (f) first start relative to the second, {count} files", first_to_second(folder))


def first_to_second(folder: Path) -> float:
    time.sleep(1.5 * cache.SETTLED_NS / 1e9)  # files as young as that are not trusted to stay as they are

    def first_start() -> float:
        cache.trim_cache(0)
        return seconds(lambda: scan_and_decode(folder))

    def second_start() -> float:
        return seconds(lambda: scan_and_decode(folder))

    first_s, second_s = in_turn(statistics.median, STARTS, first_start, second_start)
    return first_s / second_s


def scan_anew(scan: Callable[[Path], object], folder: Path) -> float:
    """Seconds of a scan with nothing known from before."""
    cache.trim_cache(0)
    return seconds(lambda: scan(folder))


def scan_command(folder: Path) -> None:
    command = [sys.executable, "-m", "sda_tui", "scan", str(folder)]
    subprocess.run(command, env=child_environment(), stdout=subprocess.DEVNULL, check=True)


def scan_and_decode(folder: Path) -> None:
    split, buffer = scan_folder(folder).split, SampleBuffer()
    cpu = torch.device("cpu")
    load_sounds(folder, split, SAMPLE_RATE, SAMPLE_RATE, cpu, buffer, lambda: False, lambda *_: None)
