"""Driving the app by keys, with the real engine."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from textual.pilot import Pilot
from textual.widgets import Input, Static

from core.config import SETTINGS
from core.events import EpochFinished, StepFinished
from core.runs import EventLog, RunDirectory
from sda_tui.app import Leave, SdaApp
from sda_tui.launch import SWITCH_INTERVAL_S
from sda_tui.playback import Playing
from sda_tui.screens.dashboard import DashboardScreen
from sda_tui.screens.datasets import DatasetScreen
from sda_tui.screens.runs import RunsScreen
from sda_tui.screens.settings import SettingsScreen
from sda_tui.widgets.metric_table import MetricTable
from sda_tui.widgets.setting_row import SettingRow
from tests.conftest import TINY

WIDE, NARROW = (120, 36), (80, 24)


class RecordingPlayer:
    """Notes what it is asked to do."""

    name = "recording"

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.playing: Playing | None = None

    def probe(self) -> str:
        return ""

    def play(self, path: Path, is_switch: bool = False) -> None:
        self.calls.append(f"{'switch to' if is_switch else 'play'} {path.name}")
        self.playing = Playing(path, 0.25, 1.0)

    def stop(self) -> None:
        self.calls.append("stop")
        self.playing = None


@asynccontextmanager
async def running(
    tmp_path: Path,
    folder: Path | None = None,
    size: tuple[int, int] = WIDE,
    demo: bool = False,
    listen_port: int | None = None,
) -> AsyncIterator[tuple[SdaApp, Pilot[Leave]]]:
    """The app in a terminal of this size; the engine is stopped afterwards."""
    app = SdaApp(tmp_path / "runs", [folder] if folder else [], demo, listen_port=listen_port)
    sys.setswitchinterval(SWITCH_INTERVAL_S)  # as the program does
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: isinstance(app.screen, DatasetScreen), "first screen")
        yield app, pilot
        app.session.cancel()
        assert await asyncio.to_thread(app.session.wait, 60)


async def until(pilot: Pilot[Leave], condition: Callable[[], bool], what: str = "") -> None:
    for _ in range(1200):
        if condition():
            await pilot.pause()
            return
        await pilot.pause(0.05)
    screen = pilot.app.screen
    lines = "\n".join(strip.text for strip in screen._compositor.render_strips())  # no public way to them
    pytest.fail(f"this did not happen: {what or condition}; {screen!r} shows\n{lines}")


async def to_settings(app: SdaApp, pilot: Pilot[Leave]) -> SettingsScreen:
    await until(pilot, lambda: isinstance(app.screen, DatasetScreen) and app.screen.is_ready, "scan")
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(app.screen, SettingsScreen), "settings")
    assert isinstance(app.screen, SettingsScreen)
    return app.screen


async def to_dashboard(app: SdaApp, pilot: Pilot[Leave], **settings: object) -> DashboardScreen:
    screen = await to_settings(app, pilot)
    for name, value in {**TINY, "epochs": 5000, **settings}.items():
        row = screen.query_one(f"#setting-{name}", SettingRow)
        row.query_one(Input).value = SETTINGS[name].show(value)  # type: ignore[arg-type]
    await pilot.pause(0.3)
    await pilot.press("enter")
    await until(pilot, lambda: isinstance(app.screen, DashboardScreen), "dashboard")
    assert isinstance(app.screen, DashboardScreen)
    return app.screen


def text(app: SdaApp, selector: str) -> str:
    return str(app.screen.query_one(selector, Static).render())


async def shows(pilot: Pilot[Leave], selector: str, words: str) -> None:
    """Wait until a text has these words: some are drawn a moment after what they are about."""
    assert isinstance(pilot.app, SdaApp)
    app = pilot.app
    await until(pilot, lambda: words in text(app, selector), f"“{words}” in {selector}")


def figures_of(screen: DashboardScreen) -> dict[str, str]:
    """The numbers of the dashboard by their labels."""
    return {each.label: each.value for table in screen.query(MetricTable) for each in table.metrics}


def toasts(app: SdaApp) -> list[str]:
    """The messages shown now.  Textual has no public way to them; no other place uses this attribute."""
    return [notification.message for notification in app._notifications]


def write_run(run: RunDirectory, *events: object) -> None:
    log = EventLog(run.events)
    for event in events:
        log.append(event)  # type: ignore[arg-type]
    log.close()


async def open_dashboard(app: SdaApp, pilot: Pilot[Leave], run: RunDirectory) -> DashboardScreen:
    await pilot.press("r")
    await until(pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen.is_ready)
    await pilot.press("v")
    await until(pilot, lambda: isinstance(app.screen, DashboardScreen))
    assert isinstance(app.screen, DashboardScreen)
    assert app.screen.run.path == run.path
    return app.screen


def a_step(number: int, loss: float | None) -> StepFinished:
    return StepFinished(
        1,
        number,
        100,
        loss,
        1e-3,
        loss,
        0.1,
        {"reconstruction_loss": loss, "kl_loss": loss, "kl_weight": 1.0},
    )


def an_epoch(number: int, best_epoch: int, gap: float) -> EpochFinished:
    return EpochFinished(
        epoch=number,
        total_epochs=100,
        step=1,
        train_loss=0.1,
        validation_loss=0.3,
        train_error=1.0,
        validation_error=1 + gap,
        overfitting_gap=gap,
        best_validation_loss=0.2,
        best_epoch=best_epoch,
        elapsed_s=1.0,
        eta_s=9.0,
        memory_used_bytes=1,
        memory_peak_bytes=1,
        memory_total_bytes=2,
        untrained_error=2 * (1 + gap),
        metrics={
            "kl_divergence": 8.0,
            "kl_per_dimension": (2.0, 2.0, 2.0, 2.0),
            "active_latent_dimensions": 4,
            "latent_dimensions": 4,
        },
    )
