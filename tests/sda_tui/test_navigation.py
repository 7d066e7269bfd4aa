"""Which screen comes after which, when keys come faster than screens."""

from pathlib import Path

import pytest

from core.engine import Runner
from sda_tui.app import SdaApp
from sda_tui.screens.dashboard import DashboardScreen
from sda_tui.screens.datasets import DatasetScreen
from sda_tui.screens.settings import SettingsScreen
from tests.conftest import MakeRun, scan_folder
from tests.sda_tui.driving import running, until


async def test_a_run_that_starts_after_its_settings_were_left_replaces_no_other_screen(
    tmp_path: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Runner, "load", lambda _: None)
    run = make_run()
    async with running(tmp_path) as (app, pilot):
        assert isinstance(app, SdaApp)
        app.on_settings_screen_started(SettingsScreen.Started(run))
        await until(pilot, lambda: isinstance(app.screen, DashboardScreen))
        await pilot.press("escape")
        assert isinstance(app.screen, DatasetScreen)


async def test_settings_are_shown_once_however_often_they_are_asked_for(
    tmp_path: Path, sounds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Runner, "load", lambda _: None)
    async with running(tmp_path) as (app, pilot):
        for chunk_duration_s in (1.0, 0.5):
            app.on_dataset_screen_proceed(DatasetScreen.Proceed(scan_folder(sounds, chunk_duration_s)))
        await until(pilot, lambda: app.screen.is_mounted)
        assert sum(isinstance(screen, SettingsScreen) for screen in app.screen_stack) == 1
