"""(c) and (e): what the dashboard costs the training and the line; (h) what a long history does to it."""

import asyncio
import json
import signal
import statistics
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

from textual.app import App, ComposeResult
from textual_plotext import PlotextPlot

from core.run.series import Series
from sda_tui.widgets.charts import StepChart
from speed_parts.program import Program, wait_until
from speed_parts.sounds import write_files
from speed_parts.table import at_least, at_most, tell

SLICE_S, SLICES = 10.0, 7
STEPS_BEFORE = 8
REDRAWS = 30
SSH = "192.0.2.1 50000 192.0.2.2 22"


def screen() -> None:
    ratio, kilobytes_s = beside_headless(50, SLICES)
    at_least("(c) steps a second in the app relative to headless, four charts at 120 x 36", ratio, 0.97)
    at_most("(e) kB a second to the terminal over SSH while training", kilobytes_s, 8)


def screens() -> None:
    for count in (5, 500, 5000):
        ratio, kilobytes_s = beside_headless(count, SLICES // 2)
        tell(f"(h) (c) steps in the app relative to headless, {count} files", ratio)
        tell(f"(h) (e) kB a second to the terminal, {count} files", kilobytes_s)


def beside_headless(files: int, slices: int) -> tuple[float, float]:
    """The app and `sda-tui train` on the same sounds; one sleeps while the other works.

    Steps of the app relative to headless ones, and kilobytes a second that it writes to the terminal.
    """
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        folder = write_files(home / "sounds", files, 250 / max(files, 50))
        program = [sys.executable, "-m", "sda_tui"]
        in_app, headless = home / "app", home / "headless"
        with (
            Program([*program, folder, "--runs", in_app], home, HOME=scratch, SSH_CONNECTION=SSH) as app,
            Program([*program, "train", folder, "--runs", headless], home, HOME=scratch) as bare,
        ):
            app.wait_for(b"Suggested preset")
            time.sleep(1.0)
            app.press(b"\r")
            app.wait_for(b"Start training")
            app.press(b"\r")
            for runs in (in_app, headless):
                wait_until(lambda runs=runs: len(intervals(runs)) > STEPS_BEFORE, "the first steps")
            bare.signal(signal.SIGSTOP)
            taken: dict[Path, list[float]] = {in_app: [], headless: []}
            written = 0
            for _ in range(slices):
                for runs, works, sleeps in ((in_app, app, bare), (headless, bare, app)):
                    sleeps.signal(signal.SIGSTOP)
                    works.signal(signal.SIGCONT)
                    before, written_before = len(intervals(runs)), works.count
                    time.sleep(SLICE_S)
                    taken[runs] += intervals(runs)[before + 2 :]  # not those that began before
                    if works is app:
                        written += works.count - written_before
    ratio = statistics.mean(taken[headless]) / statistics.mean(taken[in_app])
    return ratio, written / 1000 / SLICE_S / slices


def intervals(runs: Path) -> list[float]:
    """Seconds from each step to the next, where nothing but these two was told meanwhile."""
    logs = list(runs.glob("*/events.jsonl"))
    lines = logs[0].read_text().splitlines() if logs else []
    events = [json.loads(line) for line in lines if line.endswith("}")]
    return [b["time"] - a["time"] for a, b in pairwise(events) if a["event"] == b["event"] == "step"]


def history() -> None:
    """Redraw one chart with a short history and a long one."""
    short, long = asyncio.run(redraws())
    at_most("(h) redraw of a chart of 1 000 000 steps relative to one of 1 000", long / short, 1.1)


class Chart(App[None]):
    def compose(self) -> ComposeResult:
        yield StepChart("Loss")


async def redraws() -> list[float]:
    """Median seconds of a redraw with a thousand steps, and with a million."""
    app = Chart()
    async with app.run_test(size=(120, 36)):
        chart, plot = app.query_one(StepChart), app.query_one(PlotextPlot)
        times: dict[int, list[float]] = {1_000: [], 1_000_000: []}
        curves = {count: Series() for count in times}
        for count, series in curves.items():
            for number in range(1, count + 1):
                series.append(number, 1 / number + number % 7)
        for _ in range(REDRAWS):
            for count, series in curves.items():
                started_s = time.perf_counter()
                chart.show(series)
                plot.render()
                times[count].append(time.perf_counter() - started_s)
        return [statistics.median(each) for each in times.values()]
