"""How the screens of sounds look: those made from a run, exploring it, and the ways to listen.

After a change of looks that is meant: `pytest --snapshot-update tests/sda_tui/test_sound_snapshots.py`, then
look at what changed in `__snapshots__`.
"""

import math
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from textual.pilot import Pilot

from core.config import MakingRequest, OutputSettings
from core.runs import RunDirectory, read_picture
from core.runs.generated import append_provenance
from core.synthesis.making import Made, MakingProgress
from core.synthesis.space import LatentMap
from sda_tui.app import Leave, SdaApp
from sda_tui.listen.server import ListenServer
from sda_tui.listen.tunnel import tunnel_line
from sda_tui.screens.explore import ExploreScreen
from sda_tui.screens.listen import ListenScreen
from sda_tui.screens.players import PlayersScreen
from sda_tui.screens.rename import RenameScreen
from sda_tui.screens.sounds import SoundsScreen
from sda_tui.widgets.spectrogram import Spectrogram
from sda_tui.widgets.table import Table
from tests.sda_tui.driving import RecordingPlayer, text, until
from tests.sda_tui.logged_runs import finished, make_run
from tests.sda_tui.snapshots import Look, on_first_screen
from tests.sounds import write_tone

PORT = 8722
ADDRESS = f"http://127.0.0.1:{PORT}/?token=0123456789abcdef0123456789abcdef"
SOUNDS = (("kick.wav", 0.4), ("hat-open.wav", 0.9), ("tom.wav", 1.0))


class Recorded:
    """A `Maker` without a model: its sounds are tones, and of the ones asked for only the first is made."""

    is_current = True

    def __init__(self, run: RunDirectory, progress: Callable[[MakingProgress], object]) -> None:
        self._run = run
        self._progress = progress
        self.is_left = threading.Event()

    def map_space(self) -> LatentMap:
        points = tuple(
            tuple(math.sin(number * axis) * 4 / axis for axis in range(1, 9)) for number in range(1, 21)
        )
        words = (("dark", "bright"), ("short", "long"), ("quiet", "loud"), ("noisy", "tonal"))
        labels = (*words, *(("", ""),) * 4)
        return LatentMap(points, tuple(f"tone-{n}.wav" for n in range(1, 21)), labels, ((1.0, -0.5),))

    def make(
        self,
        request: MakingRequest,
        output: OutputSettings,
        to: Path | None = None,
        is_replacing: bool = False,
    ) -> Iterator[Made]:
        path = to or self._run.generated / "drums-001-e0040-s7-001.wav"
        write_tone(path, 330.0, 0.8)
        record = a_record(path.name, 0.8, "tone-7.wav", 7)
        if to is None:
            append_provenance(self._run.generated, record)
        yield Made(path, 0.8, record)
        if to is None:
            self._progress(MakingProgress(1, 20, "sounds"))
            self.is_left.wait()


def a_record(name: str, seconds: float, near: str, number: int = 1) -> Mapping[str, Any]:
    about = {"path": near, "number": number}
    return {"file": name, "kind": "generate", "duration_s": seconds, "near": about}


@pytest.fixture
def run(home: Path) -> RunDirectory:
    run = make_run(home, "drums-001", finished())
    run.generated.mkdir()
    return run


@pytest.fixture
def maker(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The model of the run is not loaded: what is made are tones."""
    makers: list[Recorded] = []

    def open_maker(_: Path, __: str, progress: Callable[[MakingProgress], object], **___: object) -> Recorded:
        makers.append(Recorded(run, progress))
        return makers[-1]

    monkeypatch.setattr("sda_tui.studio.open_maker", open_maker)
    yield
    for each in makers:
        each.is_left.set()


async def test_no_sounds_made_yet(look: Look, home: Path, run: RunDirectory) -> None:
    async def ready(app: SdaApp, pilot: Pilot[Leave]) -> None:
        screen = SoundsScreen(app.session, run.path, app.listening)
        await app.push_screen(screen)
        await until(pilot, lambda: screen.is_ready, "the list")

    await look(lambda: SdaApp(home / "runs"), on_first_screen(ready))


async def test_sounds_made_from_a_run(look: Look, home: Path, run: RunDirectory) -> None:
    for number, (near, seconds) in enumerate(SOUNDS, 1):
        name = f"drums-001-e0040-s7-{number:03}.wav"
        write_tone(run.generated / name, 100.0 * number, seconds)
        append_provenance(run.generated, {**a_record(name, seconds, near), "starred": number == 2})

    async def ready(app: SdaApp, pilot: Pilot[Leave]) -> None:
        await app.push_screen(SoundsScreen(app.session, run.path, app.listening))
        table = app.screen.query_one(Table)
        await until(pilot, lambda: table.row_count == 3, "sounds")
        await pilot.press("down")
        await until_drawn(app, pilot, "#made-picture", run.generated / "drums-001-e0040-s7-002.wav")

    await look(lambda: SdaApp(home / "runs"), on_first_screen(ready))


@pytest.mark.usefixtures("maker")
async def test_sounds_being_made(look: Look, home: Path, run: RunDirectory) -> None:
    async def ready(app: SdaApp, pilot: Pilot[Leave]) -> None:
        await app.push_screen(SoundsScreen(app.session, run.path, app.listening))
        await pilot.press("n")
        await until(pilot, lambda: "1 of 20 sounds made" in text(app, "#making-note"), "progress")
        await until_drawn(app, pilot, "#made-picture", run.generated / "drums-001-e0040-s7-001.wav")

    await look(lambda: SdaApp(home / "runs"), on_first_screen(ready))


@pytest.mark.usefixtures("maker")
async def test_explore(look: Look, home: Path, run: RunDirectory) -> None:
    async def ready(app: SdaApp, pilot: Pilot[Leave]) -> None:
        app.listening.outputs.players = [RecordingPlayer()]
        screen = ExploreScreen(run.path, app.listening)
        await app.push_screen(screen)
        await until(pilot, lambda: screen.is_ready, "the first sound")
        await pilot.press("right")
        await until(pilot, lambda: screen.is_ready, "another place")

    await look(lambda: SdaApp(home / "runs"), on_first_screen(ready))


async def test_a_new_name(look: Look, home: Path) -> None:
    async def ready(app: SdaApp, pilot: Pilot[Leave]) -> None:
        await app.push_screen(RenameScreen("drums-001-e0040-s7-002.wav"))

    await look(lambda: SdaApp(home / "runs"), on_first_screen(ready))


async def test_listen(look: Look, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ListenServer, "address", ADDRESS)
    monkeypatch.setattr("sda_tui.screens.listen.tunnel_line", lambda _, login: tunnel_line(PORT, login))

    async def ready(app: SdaApp, pilot: Pilot[Leave]) -> None:
        app.listening.login = "ada@gpu.example"
        await app.push_screen(ListenScreen(app.listening))
        await until(pilot, lambda: "Waiting for the page" in text(app, "#pages"), "the page")

    await look(lambda: SdaApp(home / "runs"), on_first_screen(ready))


async def test_players(look: Look, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reasons = {"aplay": "aplay is not installed", "paplay": "no sound server runs here"}
    monkeypatch.setattr(
        "sda_tui.screens.players.probe_all",
        lambda players: {player.name: reasons.get(player.name, "") for player in players},
    )

    async def ready(app: SdaApp, pilot: Pilot[Leave]) -> None:
        monkeypatch.setattr(app.listening.card, "devices", list)
        await app.push_screen(PlayersScreen(app.listening))
        await until(pilot, lambda: "is not installed" in player_list_text(app), "the reasons")

    await look(lambda: SdaApp(home / "runs"), on_first_screen(ready))


def player_list_text(app: SdaApp) -> str:
    return "\n".join(str(option.prompt) for option in app.screen.query_one("#player-list").options)  # type: ignore[attr-defined]


async def until_drawn(app: SdaApp, pilot: Pilot[Leave], spectrogram: str, sound: Path) -> None:
    wanted = read_picture(sound)
    picture = app.screen.query_one(spectrogram, Spectrogram)
    await until(pilot, lambda: np.array_equal(picture.levels, wanted), "the picture")
