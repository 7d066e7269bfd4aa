"""Making sounds from a run in the app, walking through its latent space, and what becomes of the sounds."""

import shutil
from pathlib import Path

import pytest
import soundfile
from textual.pilot import Pilot
from textual.widgets import Input

from core.runs import RunDirectory, list_generated, read_provenance
from sda_tui.app import Leave, SdaApp
from sda_tui.screens.choice import ChoiceScreen
from sda_tui.screens.explore import ExploreScreen
from sda_tui.screens.rename import RenameScreen
from sda_tui.screens.runs import RunsScreen
from sda_tui.screens.sounds import SoundsScreen
from sda_tui.widgets.sliders import Sliders
from sda_tui.widgets.space_map import SpaceMap
from sda_tui.widgets.table import Table
from tests.conftest import MakeRun
from tests.sda_tui.driving import NARROW, WIDE, RecordingPlayer, running, shows, text, toasts, until

pytestmark = pytest.mark.slow


@pytest.fixture
def run(trained: RunDirectory, tmp_path: Path) -> RunDirectory:
    return RunDirectory(Path(shutil.copytree(trained.path, tmp_path / "runs" / "hits")))


async def to_sounds(app: SdaApp, pilot: Pilot[Leave]) -> SoundsScreen:
    """The screen of the newest run's sounds, by keys."""
    await pilot.press("r")
    await until(pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen.is_ready, "runs")
    await pilot.press("m")
    await until(pilot, lambda: isinstance(app.screen, SoundsScreen), "sounds")
    assert isinstance(app.screen, SoundsScreen)
    return app.screen


async def made(pilot: Pilot[Leave], screen: SoundsScreen, count: int) -> list[str]:
    """The names in the list once it has so many."""
    table = screen.query_one(Table)
    await until(pilot, lambda: screen.is_ready and table.row_count == count, f"{count} sounds")
    return [str(table.get_row_at(row)[1]) for row in range(count)]


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_sounds_are_made_played_named_marked_and_deleted_by_keys(
    tmp_path: Path, run: RunDirectory, size: tuple[int, int]
) -> None:
    async with running(tmp_path, size=size) as (app, pilot):
        screen = await to_sounds(app, pilot)
        await shows(pilot, "#made-note", "n makes new sounds")
        player = RecordingPlayer()
        app.listening.outputs.players = [player]
        screen.query_one("#make-count", Input).value = "3"
        screen.query_one("#make-seed", Input).value = "7"
        await pilot.press("n")
        names = await made(pilot, screen, 3)
        assert names == [f"e0002-s7-{number:03}.wav" for number in (1, 2, 3)]
        await shows(pilot, "#making-note", "3 sounds made")
        await pilot.press("down", "space")
        await until(pilot, lambda: player.playing is not None, "playing")
        await pilot.press("left", "s")
        await until(pilot, lambda: str(screen.query_one(Table).get_row_at(1)[0]) == "★", "mark")
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RenameScreen), "name")
        app.screen.query_one(Input).value = "thump"
        await pilot.press("enter")
        await until(pilot, lambda: (run.generated / "thump.wav").exists(), "renamed")
        await until(pilot, lambda: "thump.wav" in str(screen.query_one(Table).get_row_at(2)[1]), "new name")
        await pilot.press("d", "y")
        assert (await made(pilot, screen, 2)) == [names[0], names[2]]
        assert not (run.generated / "thump.wav").exists()
        await pilot.press("v")
        await made(pilot, screen, 5)
        varied = [sound for sound in list_generated(run.generated) if sound.kind == "vary"]
        assert len(varied) == 3  # as many as new ones
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen), "runs again")


async def test_values_that_cannot_be_used_are_refused_in_one_sentence(
    tmp_path: Path, run: RunDirectory
) -> None:
    async with running(tmp_path) as (app, pilot):
        screen = await to_sounds(app, pilot)
        screen.query_one("#make-count", Input).value = "0"
        await pilot.press("n")
        await until(pilot, lambda: "How many must be 1 to 10000, not 0." in toasts(app), "refusal")
        assert screen.query_one("#make-count").has_focus
        assert screen.is_ready
        assert not run.generated.exists()


async def test_making_can_be_stopped_and_keeps_what_is_complete(tmp_path: Path, run: RunDirectory) -> None:
    async with running(tmp_path) as (app, pilot):
        screen = await to_sounds(app, pilot)
        screen.query_one("#make-count", Input).value = "3000"
        await pilot.press("n")
        await until(pilot, lambda: len(list(run.generated.glob("*.wav"))) > 2, "some sounds")
        await pilot.press("c")
        await until(pilot, lambda: screen.is_ready, "stopped")
        await shows(pilot, "#making-note", "stopped")
        complete = {path.name for path in run.generated.glob("*.wav")}
        assert complete == {record["file"] for record in read_provenance(run.generated)}
        await made(pilot, screen, len(complete))


async def test_leaving_while_sounds_are_made_asks_and_keeps_what_is_complete(
    tmp_path: Path, run: RunDirectory
) -> None:
    async with running(tmp_path) as (app, pilot):
        screen = await to_sounds(app, pilot)
        screen.query_one("#make-count", Input).value = "3000"
        await pilot.press("n")
        await until(pilot, lambda: len(list(run.generated.glob("*.wav"))) > 2, "some sounds")
        await pilot.press("q")
        await until(pilot, lambda: isinstance(app.screen, ChoiceScreen), "question")
        await pilot.press("n")
        await until(pilot, lambda: app.screen is screen, "sounds again")
        await pilot.press("q", "y")
        await until(pilot, lambda: app.return_value is not None, "end")
    assert {path.name for path in run.generated.glob("*.wav")} == {
        record["file"] for record in read_provenance(run.generated)
    }


async def test_run_without_a_checkpoint_makes_nothing_yet(tmp_path: Path, make_run: MakeRun) -> None:
    make_run("fresh")
    async with running(tmp_path) as (app, pilot):
        await pilot.press("r")
        await until(pilot, lambda: isinstance(app.screen, RunsScreen) and app.screen.is_ready, "runs")
        await pilot.press("m")
        await until(pilot, lambda: any("no checkpoint yet" in each for each in toasts(app)), "why not")
        assert isinstance(app.screen, RunsScreen)


@pytest.mark.parametrize("size", [WIDE, NARROW])
async def test_latent_space_is_walked_by_keys_and_sounds_at_each_step(
    tmp_path: Path, run: RunDirectory, size: tuple[int, int]
) -> None:
    async with running(tmp_path, size=size) as (app, pilot):
        sounds = await to_sounds(app, pilot)
        player = RecordingPlayer()
        app.listening.outputs.players = [player]
        await pilot.press("x")
        await until(
            pilot, lambda: isinstance(app.screen, ExploreScreen) and app.screen.is_ready, "first sound"
        )
        screen = app.screen
        assert isinstance(screen, ExploreScreen)
        area, sliders = screen.query_one(SpaceMap), screen.query_one(Sliders)
        assert len(area.points) == 8
        assert player.calls == ["play explored.wav"]
        place = area.here
        await pilot.press("right", "right", "up")
        await until(pilot, lambda: screen.is_ready, "another place")
        assert area.here == pytest.approx((place[0] + 0.5, place[1] + 0.25), abs=1e-3)
        assert len(player.calls) > 1
        await pilot.press("tab", "down", "down", "right", "right")
        await until(pilot, lambda: screen.is_ready and sliders.values[2] == 0.5, "a slider")
        await shows(pilot, "#place", ".wav")
        await pilot.press("k")
        await until(pilot, lambda: "kept as" in text(app, "#kept"), "kept")
        (record,) = read_provenance(run.generated)
        assert record["kind"] == "explore"
        assert record["settings"]["d3"] == 0.5
        assert soundfile.info(run.generated / record["file"]).frames > 0
        await pilot.press("k")
        await until(pilot, lambda: any("kept already" in each for each in toasts(app)), "the same again")
        await pilot.press("0")
        await until(pilot, lambda: screen.is_ready and not any(sliders.values), "reset")
        await pilot.press("escape")
        assert await made(pilot, sounds, 1) == [record["file"].removeprefix("hits-")]
        await pilot.press("x")
        await until(pilot, lambda: isinstance(app.screen, ExploreScreen) and app.screen.is_ready, "again")
        (kept,) = app.screen.query_one(SpaceMap).made
        assert kept == pytest.approx((place[0] + 0.5, place[1] + 0.25), abs=1e-2)
        await pilot.press("right", "k", "escape")  # what is to be kept is kept, though the screen is left
        await until(pilot, lambda: len(list_generated(run.generated)) == 2, "kept at the last moment")


async def test_map_and_sliders_follow_the_mouse(tmp_path: Path, run: RunDirectory) -> None:
    async with running(tmp_path) as (app, pilot):
        await to_sounds(app, pilot)
        app.listening.outputs.players = [RecordingPlayer()]
        await pilot.press("x")
        await until(
            pilot, lambda: isinstance(app.screen, ExploreScreen) and app.screen.is_ready, "first sound"
        )
        area, sliders = app.screen.query_one(SpaceMap), app.screen.query_one(Sliders)
        await pilot.click(SpaceMap, offset=(1, 1))
        top_left = area.here
        await pilot.click(SpaceMap, offset=(area.size.width - 2, area.size.height - 2))
        assert area.here[0] > top_left[0]
        assert area.here[1] < top_left[1]
        await pilot.click(Sliders, offset=(sliders.size.width // 2 + 8, 4))
        await pilot.pause()
        assert sliders.values[4] > 0


async def test_file_of_a_model_is_opened_in_place_of_a_run(tmp_path: Path, trained: RunDirectory) -> None:
    model = Path(shutil.copy(trained.checkpoints / "best.pt", tmp_path / "travels.pt"))
    app = SdaApp(tmp_path / "runs", [model])
    async with app.run_test(size=WIDE) as pilot:
        await until(pilot, lambda: isinstance(app.screen, SoundsScreen), "sounds")
        screen = app.screen
        assert isinstance(screen, SoundsScreen)
        screen.query_one("#make-count", Input).value = "1"
        await pilot.press("n")
        (name,) = await made(pilot, screen, 1)
        assert (tmp_path / "generated" / name).exists()
