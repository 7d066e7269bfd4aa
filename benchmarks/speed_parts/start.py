"""(f) What a start costs before the first step."""

import tempfile
import time
from pathlib import Path

import torch

from core.data import cache
from core.data.store import SampleArena, load_sounds
from speed_parts.sounds import scan_folder, write_files
from speed_parts.table import at_least, seconds

SAMPLE_RATE = 48_000


def start() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        folder = write_files(Path(scratch) / "500", 500, 5.0)
        short = {count: write_files(Path(scratch) / f"short {count}", count, 0.5) for count in (500, 5000)}
        time.sleep(1.5 * cache.SETTLED_NS / 1e9)  # files as young as that are not trusted to stay as they are
        first_s, second_s = (seconds(lambda: scan_and_decode(folder)) for _ in range(2))
        rates = {count: count / seconds(lambda of=short[count]: scan_folder(of)) for count in short}
    at_least("(f) first start relative to the second, 500 files", first_s / second_s, 10)
    at_least("(f) files scanned a second, 5 000 relative to 500", rates[5000] / rates[500], 1)


def scan_and_decode(folder: Path) -> None:
    split, arena = scan_folder(folder).split, SampleArena()
    cpu = torch.device("cpu")
    load_sounds(folder, split, SAMPLE_RATE, SAMPLE_RATE, cpu, arena, lambda: False, lambda *_: None)
