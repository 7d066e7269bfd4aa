"""(d) Time to the first paint."""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from speed_parts.program import Program, child_environment
from speed_parts.sounds import write_files
from speed_parts.table import at_most, in_turn, print_row, seconds

ROUNDS = 15
EMPTY_APP = """
from textual.app import App
from textual.widgets import Label
class Empty(App):
    def compose(self):
        yield Label("painted")
Empty().run()
"""


def first() -> None:
    python, ours = [sys.executable, "-c"], [sys.executable, "-m", "sda_tui"]
    paint, whole, empty = in_turn(  # the first round compiles, as an installation does
        min, ROUNDS,
        lambda: painted(ours, b"sda-tui"),
        lambda: painted(ours, b"Demo sounds"),
        lambda: painted([*python, EMPTY_APP], b"painted"),
    )  # fmt: skip
    at_most("(d) first paint relative to an empty Textual app's", paint / empty, 1.3)
    print_row("(d) whole first screen relative to that", whole / empty)
    with tempfile.TemporaryDirectory() as scratch:
        few, many = (write_files(Path(scratch) / str(count), count, 0.1) for count in (5, 5000))
        few_s, many_s = in_turn(
            min, 5, *(lambda folder=folder: painted([*ours, folder], b"sda-tui") for folder in (few, many))
        )
    print_row("(h) (d) first paint with a folder of 5 000 files relative to 5", many_s / few_s)
    help_s, empty_s = in_turn(
        min, ROUNDS,
        lambda: seconds(lambda: finish([*ours, "--help"])),
        lambda: seconds(lambda: finish([*python, "pass"])),
    )  # fmt: skip
    is_met = help_s <= max(0.15, 1.5 * empty_s)
    print_row(
        f"(d) `--help` relative to `python -c pass`; {help_s:.3f} s",
        help_s / empty_s,
        "0.15 s or 1.5",
        is_met,
    )


def painted(command: Sequence[str | Path], text: bytes) -> float:
    """Seconds until the program has written this text to its terminal."""
    with tempfile.TemporaryDirectory() as folder, Program(command, Path(folder), HOME=folder) as program:
        return program.wait_for(text)


def finish(command: Sequence[str]) -> None:
    subprocess.run(command, env=child_environment(), stdout=subprocess.DEVNULL, check=True)
