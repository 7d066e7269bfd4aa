"""(c) and (e): what the dashboard costs the training and the line."""

import json
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from itertools import chain, pairwise
from pathlib import Path

from speed_parts.program import Program, wait_until
from speed_parts.sounds import write_files
from speed_parts.table import at_least, at_most, print_row

SLICE_S, SLICES = 10.0, 2
STARTS = 6  # the steps of one start are up to 8 % slower than those of another, for as long as it lasts
STEPS_BEFORE = 8
SSH = "192.0.2.1 50000 192.0.2.2 22"


def screen() -> None:
    ratio, kilobytes_s = beside_headless(50, STARTS)
    at_least("(c) steps a second in the app relative to headless, four charts at 120 x 36", ratio, 0.98)
    at_most("(e) kB a second to the terminal over SSH while training", kilobytes_s, 6)


def screens() -> None:
    for count in (5, 500, 5000):
        ratio, kilobytes_s = beside_headless(count, 2)
        print_row(f"(h) (c) steps in the app relative to headless, {count} files", ratio)
        print_row(f"(h) (e) kB a second to the terminal, {count} files", kilobytes_s)


def beside_headless(files: int, starts: int) -> tuple[float, float]:
    """Steps of the app relative to those of `sda-tui train` on the same sounds, each started so often.

    And kilobytes a second that the app writes to its terminal.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = write_files(Path(scratch) / "sounds", files, 250 / max(files, 50))
        taken = [take_turns(folder, Path(scratch) / str(number)) for number in range(starts)]
    in_app, headless, written = zip(*taken, strict=True)
    ratio = statistics.mean(chain(*headless)) / statistics.mean(chain(*in_app))
    return ratio, sum(written) / 1000 / SLICE_S / SLICES / starts


def take_turns(folder: Path, home: Path) -> tuple[list[float], list[float], int]:
    """Step times of both programs, of which one sleeps while the other works; bytes to the terminal."""
    home.mkdir()
    program = [sys.executable, "-m", "sda_tui"]
    in_app, headless = home / "app", home / "headless"
    variables = {"HOME": str(home), "SSH_CONNECTION": SSH}
    with (
        Program([*program, folder, "--runs", in_app], home, **variables) as app,
        Program([*program, "train", folder, "--runs", headless], home, **variables) as bare,
    ):
        app.wait_for(b"Suggested preset")
        time.sleep(1.0)
        app.press(b"\r")
        app.wait_for(b"Start training")
        app.press(b"\r")
        for runs in (in_app, headless):
            wait_until(partial(has_begun, runs), "the first steps")
        bare.pause()
        since_s, written = time.time(), app.count
        works, sleeps = app, bare
        for _ in range(2 * SLICES):
            time.sleep(SLICE_S)
            works.pause()
            sleeps.resume()
            works, sleeps = sleeps, works
        ours_s, bare_s = (
            [program.worked(*times) for times in step_times(runs) if times[0] > since_s]
            for runs, program in ((in_app, app), (headless, bare))
        )
        return ours_s, bare_s, app.count - written


def has_begun(runs: Path) -> bool:
    return len(list(step_times(runs))) > STEPS_BEFORE


def step_times(runs: Path) -> Iterator[tuple[float, float]]:
    """When each step began and ended by the clock, where no other event came meanwhile."""
    logs = list(runs.glob("*/events.jsonl"))
    lines = logs[0].read_text().splitlines() if logs else []
    events = [json.loads(line) for line in lines if line.endswith("}")]
    for before, after in pairwise(events):
        if before["event"] == after["event"] == "step":
            yield before["time"], after["time"]
