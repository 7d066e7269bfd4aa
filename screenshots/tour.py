"""Walks through the app by its keys, and takes a picture of each screen."""

from collections.abc import Callable, Collection
from pathlib import Path

import svg
from textual.pilot import Pilot
from textual.widgets import Input

from core.events import RunState
from core.runs import RunDirectory
from sda_tui.app import Leave, SdaApp
from sda_tui.screens.compare import CompareScreen
from sda_tui.screens.dashboard import DashboardScreen
from sda_tui.screens.datasets import DatasetScreen
from sda_tui.screens.explore import ExploreScreen
from sda_tui.screens.export import ExportScreen
from sda_tui.screens.go_back import GoBackScreen
from sda_tui.screens.resume import ResumeScreen
from sda_tui.screens.runs import RunsScreen
from sda_tui.screens.settings import SettingsScreen
from sda_tui.screens.sounds import SoundsScreen
from sda_tui.widgets.preview_panel import PreviewPanel
from sda_tui.widgets.run_table import RunTable
from sda_tui.widgets.table import Table

SIZES = ((120, 36), (80, 24))  # the first is the one that the app is driven at
PATIENCE_S = 1800.0
SETTLE_S = 0.7
STEPS_SHOWN = 10  # until there is a speed, and so an ETA


class Tour:
    """What is at hand on the way: the app, its keys, and where pictures go; `only` some, or all if empty."""

    def __init__(self, app: SdaApp, pilot: Pilot[Leave], out: Path, only: Collection[str]) -> None:
        self.app = app
        self.pilot = pilot
        self._out = out
        self._only = only

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the app has come so far."""
        for _ in range(round(PATIENCE_S / 0.2)):
            if condition():
                await self.pilot.pause()
                return
            await self.pilot.pause(0.2)
        raise TimeoutError(f"the app did not get there; it shows {self.app.screen}")

    async def press(self, *keys: str) -> None:
        await self.pilot.press(*keys)
        await self.pilot.pause(0.2)

    async def reach(self, screen: type, *keys: str) -> None:
        """Press keys, and wait for the screen that they lead to and all that it reads."""
        await self.press(*keys)
        await self.until(
            lambda: (
                isinstance(self.app.screen, screen)
                and getattr(self.app.screen, "is_ready", True)
                and getattr(self.app.screen, "has_drawn", True)
            )
        )

    async def picture(self, name: str) -> None:
        if self._only and name not in self._only:
            return
        focused = {screen: screen.focused for screen in self.app.screen_stack}  # the small size moves it
        for size in SIZES:
            await self.pilot.resize_terminal(*size)
            for field in self.app.screen.query(Input):
                field.cursor_blink = False
            await self.pilot.pause(SETTLE_S)
            await self.until(self._has_drawn)
            self.app.clear_notifications()
            await self.pilot.pause(0.1)
            suffix = "" if size == SIZES[0] else f"-{size[0]}x{size[1]}"
            svg.save(self.app, self._out / f"{name}{suffix}.svg", f"sda-tui · {name.replace('-', ' ')}")
        await self.pilot.resize_terminal(*SIZES[0])
        await self.pilot.pause(SETTLE_S)
        for screen, widget in focused.items():
            screen.set_focus(widget)

    def _has_drawn(self) -> bool:
        screen = self.app.screen
        if not isinstance(screen, DashboardScreen):
            return True
        previews = screen.query_one(PreviewPanel)
        return screen.has_drawn and (previews.has_drawn or not previews.region.area)


async def take_all(tour: Tour, trained: RunDirectory, finished: RunDirectory) -> None:
    """All screens: `trained` was stopped and is trained on, `finished` is looked at."""
    await _before_a_run(tour)
    await _finished_run(tour, finished)
    await _runs(tour, trained, finished)
    await _training(tour, trained)
    await _making(tour, finished)


async def _before_a_run(tour: Tour) -> None:
    await tour.reach(DatasetScreen)
    await tour.press("down", "down")
    await tour.picture("datasets")
    await tour.reach(SettingsScreen, "enter")
    await tour.until(lambda: bool(tour.app.session.devices))
    await tour.picture("settings")
    await tour.press("a")
    await tour.picture("advanced")
    await tour.reach(DatasetScreen, "escape")


async def _finished_run(tour: Tour, run: RunDirectory) -> None:
    await tour.reach(RunsScreen, "r")
    await _choose(tour, run)
    await tour.reach(DashboardScreen, "v")
    await tour.press("B")
    await tour.picture("finished")
    await tour.reach(ResumeScreen, "r")
    await tour.picture("resume")
    await tour.press("escape")
    await tour.reach(GoBackScreen, "g")
    await tour.picture("go-back")
    await tour.press("escape")
    await tour.reach(ExportScreen, "E")
    await tour.picture("export")
    await tour.reach(DashboardScreen, "escape")
    await tour.reach(RunsScreen, "escape")


async def _runs(tour: Tour, *marked: RunDirectory) -> None:
    await tour.picture("runs")
    for run in marked:
        await _choose(tour, run)
        await tour.press("space")
    await tour.reach(CompareScreen, "x")
    await tour.picture("compare")
    await tour.reach(RunsScreen, "escape")
    for run in reversed(marked):
        await _choose(tour, run)
        await tour.press("space")
    await tour.press("e")
    await tour.picture("continue")
    await tour.reach(RunsScreen, "escape")


async def _choose(tour: Tour, run: RunDirectory) -> None:
    """Put the cursor of the list of runs on this one."""
    table = tour.app.screen.query_one(RunTable)
    await tour.until(lambda: run.name in {each.name for each in table.summaries})
    table.focus()
    await tour.press(*["up"] * len(table.summaries))
    for _ in table.summaries:
        if table.chosen is not None and table.chosen.name == run.name:
            return
        await tour.press("down")
    raise LookupError(f"{run.name} is not listed")


async def _training(tour: Tour, run: RunDirectory) -> None:
    await _choose(tour, run)
    await tour.reach(DashboardScreen, "n")
    dashboard = tour.app.screen
    assert isinstance(dashboard, DashboardScreen)
    await tour.until(lambda: dashboard.state is RunState.TRAINING)
    first = dashboard.history.step
    await tour.until(lambda: dashboard.history.step > first + STEPS_SHOWN)
    await tour.press("s", "B")
    await tour.picture("dashboard")
    await tour.press("2", *["left"] * 8)
    await tour.picture("charts")
    await tour.press("v")
    await tour.picture("choose-charts")
    await tour.press("escape", "0", "3")
    await tour.picture("previews")
    await tour.press("4")
    await tour.picture("figures")
    await tour.press("5")
    await tour.picture("messages")
    await tour.press("1", "i")
    await tour.picture("explain")
    await tour.press("escape", "question_mark")
    await tour.picture("help")
    await tour.press("escape", "ctrl+p")
    await tour.picture("palette")
    await tour.press("escape", "l")
    await tour.picture("listen")
    await tour.press("escape", "c")
    await tour.picture("cancel")
    await tour.press("y")
    # On a fast machine it may have finished before it was stopped.
    await tour.until(lambda: not dashboard.state.is_active and not tour.app.session.is_training)
    await tour.reach(RunsScreen, "escape")


async def _making(tour: Tour, run: RunDirectory) -> None:
    await _choose(tour, run)
    await tour.reach(SoundsScreen, "m")
    await tour.press("n")
    await tour.until(
        lambda: (
            isinstance(tour.app.screen, SoundsScreen)
            and tour.app.screen.is_ready
            and tour.app.screen.query_one(Table).row_count > 9
        )
    )
    await tour.press("down", "down", "s")
    await tour.picture("sounds")
    await tour.reach(ExploreScreen, "x")
    await tour.press(*["right"] * 3, *["up"] * 2, "tab", "down", "down", *["right"] * 4)
    await tour.reach(ExploreScreen, "k")
    await tour.picture("explore")
    await tour.press("q")
