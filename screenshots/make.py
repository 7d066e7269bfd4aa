"""Drives the real app on the demo sounds and writes a picture of each screen beside this file.

python screenshots/make.py [--size 120x36] [--out FOLDER]
"""

import argparse
import asyncio
import os
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

from textual import constants
from textual.pilot import Pilot
from textual.widgets import Input

from core.events import RunState
from sda_tui.app import Leave, SdaApp
from sda_tui.screens.dashboard import DashboardScreen
from sda_tui.screens.datasets import DatasetScreen
from sda_tui.screens.explore import ExploreScreen
from sda_tui.screens.runs import RunsScreen
from sda_tui.screens.settings import SettingsScreen
from sda_tui.screens.sounds import SoundsScreen
from sda_tui.widgets.table import Table

EPOCHS = 14
PATIENCE_S = 1800.0


async def until(pilot: Pilot[Leave], condition: Callable[[], bool]) -> None:
    """Wait until the app has come so far."""
    for _ in range(round(PATIENCE_S / 0.2)):
        await pilot.pause(0.2)
        if condition():
            return
    raise TimeoutError("the app did not get there")


def save(app: SdaApp, out: Path, name: str) -> None:
    svg = app.export_screenshot(title=f"sda-tui · {name}")
    # The fonts of the reader's own terminal do; a picture should not load anything.
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    (out / f"{name}.svg").write_text(svg, encoding="utf-8")
    print(out / f"{name}.svg")


async def drive(app: SdaApp, out: Path, size: tuple[int, int]) -> None:
    async with app.run_test(size=size) as pilot:

        def dashboard() -> DashboardScreen:
            assert isinstance(app.screen, DashboardScreen)
            return app.screen

        def at_epoch(epoch: int) -> bool:
            last = dashboard().history.last_epoch
            return last is not None and last.epoch >= epoch

        await until(pilot, lambda: isinstance(app.screen, DatasetScreen) and app.screen.is_ready)
        await pilot.pause(0.5)  # the footer follows the focus
        save(app, out, "datasets")
        await pilot.press("enter")
        await until(pilot, lambda: isinstance(app.screen, SettingsScreen) and bool(app.session.devices))
        await pilot.pause()
        save(app, out, "settings")
        await pilot.press("a")
        app.screen.query_one("#setting-epochs Input", Input).value = str(EPOCHS)
        await pilot.pause(0.5)
        save(app, out, "advanced")
        await pilot.press("ctrl+n")
        await until(pilot, lambda: isinstance(app.screen, DashboardScreen))
        await until(pilot, lambda: at_epoch(EPOCHS // 2))
        await pilot.press("s", "down")
        await until(pilot, lambda: at_epoch(EPOCHS // 2 + 2))
        app.clear_notifications()
        await pilot.pause(0.6)
        save(app, out, "dashboard")
        await pilot.press("question_mark")
        await pilot.pause()
        save(app, out, "help")
        await pilot.press("escape", "c")
        await pilot.pause()
        save(app, out, "cancel")
        await pilot.press("y")
        await until(pilot, lambda: dashboard().history.state is RunState.CANCELLED)
        await pilot.press("escape", "r")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen.is_ready)
        app.clear_notifications()
        await pilot.pause()
        save(app, out, "runs")
        await pilot.press("m")
        await until(pilot, lambda: isinstance(app.screen, SoundsScreen))
        await pilot.press("n")
        await until(
            pilot, lambda: isinstance(app.screen, SoundsScreen) and app.screen.query_one(Table).row_count > 9
        )
        await pilot.press("down", "down", "s")
        await pilot.pause(1)
        save(app, out, "sounds")
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, ExploreScreen) and app.screen.is_ready)
        await pilot.press(*["right"] * 3, *["up"] * 2, "tab", "down", "down", *["right"] * 4)
        await until(pilot, lambda: isinstance(app.screen, ExploreScreen) and app.screen.is_ready)
        await pilot.press("k")
        await pilot.pause(2)
        save(app, out, "explore")
        await pilot.press("q")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", default="120x36", help="columns x rows")
    parser.add_argument("--out", type=Path, default=Path(__file__).parent)
    arguments = parser.parse_args()
    columns, rows = map(int, arguments.size.split("x"))
    out = arguments.out.absolute()
    with tempfile.TemporaryDirectory() as home:  # pictures should not tell whose machine they are from
        os.environ.update(HOME=home, XDG_CACHE_HOME=f"{home}/.cache", XDG_CONFIG_HOME=f"{home}/.config")
        constants.COLOR_SYSTEM = "truecolor"  # whatever the terminal that this is started in
        for folder in ("field-recordings", "drums"):
            Path(home, "sounds", folder).mkdir(parents=True)
        os.chdir(Path(home, "sounds"))
        app = SdaApp(Path(home, "sounds", "runs"), demo=True)
        asyncio.run(drive(app, out, (columns, rows)))


if __name__ == "__main__":
    main()
