"""Which way sounds take, and what is shown of it."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from textual.content import Content

from core.events import PreviewReady
from sda_tui.app import SdaApp
from sda_tui.listen.remembered import Remembered
from sda_tui.listening import AUTOMATIC, Listening, order_players
from sda_tui.playback import Outputs, Playing, Problem
from sda_tui.screens.dashboard import DashboardScreen
from sda_tui.screens.listen import ListenScreen
from sda_tui.screens.players import PlayersScreen
from sda_tui.widgets.spectrogram import Spectrogram
from tests.conftest import MakeRun
from tests.sda_tui.driving import a_step, open_dashboard, running, text, toasts, until, write_run
from tests.sda_tui.listen.conftest import write_previews

SOUND = Path("/previews/a.wav")


class FakePlayer:
    """Plays, or fails with `problem` as soon as it is asked to."""

    def __init__(self, name: str, problem: str = "") -> None:
        self.name = name
        self.problem = problem
        self.on_problem: Callable[[Problem], object] = lambda _: None
        self.playing: Playing | None = None

    def probe(self) -> str:
        return self.problem

    def play(self, path: Path, is_switch: bool = False) -> None:
        if self.problem:
            self.on_problem(Problem(self.name, self.problem))
        else:
            self.playing = Playing(path, 0.0, 1.0)

    def stop(self) -> None:
        self.playing = None


def outputs_of(*players: FakePlayer, chosen: str = "") -> tuple[Outputs, list[str]]:
    problems: list[str] = []
    outputs = Outputs(
        players, lambda call: call(), lambda: None, lambda problem: problems.append(problem.message), chosen
    )
    for player in players:
        player.on_problem = outputs.fail
    return outputs, problems


def test_the_first_player_that_works_gets_the_sound() -> None:
    broken, working, third = FakePlayer("card", "no card"), FakePlayer("paplay"), FakePlayer("page")
    outputs, problems = outputs_of(broken, working, third)
    outputs.play(SOUND)
    assert working.playing == outputs.playing == Playing(SOUND, 0.0, 1.0)
    assert third.playing is None
    assert outputs.active is working
    assert problems == []
    assert outputs.reason_against(broken) == "no card"


def test_the_chosen_player_is_used_and_its_problem_is_reported() -> None:
    working, chosen = FakePlayer("card"), FakePlayer("paplay", "no server")
    outputs, problems = outputs_of(working, chosen, chosen="paplay")
    outputs.play(SOUND)
    assert working.playing is None
    assert problems == ["no server"]
    outputs.choose(AUTOMATIC)
    outputs.play(SOUND)
    assert working.playing is not None


def test_a_bad_file_is_no_reason_against_its_player() -> None:
    player = FakePlayer("card")
    outputs, problems = outputs_of(player)
    outputs.fail(Problem("card", "it is damaged", is_of_player=False))
    assert problems == ["it is damaged"]
    assert outputs.active is player


def test_a_sound_is_not_lost_when_its_player_is_probed_meanwhile() -> None:
    """The probe may find out that the card is none before the card's own failure is known."""
    card, page = FakePlayer("card"), FakePlayer("page")
    outputs, problems = outputs_of(card, page)
    outputs.play(SOUND)
    outputs.take({"card": "no card", "page": ""})
    assert page.playing is None
    outputs.fail(Problem("card", "no card"))
    assert page.playing is not None
    assert problems == []


def test_without_any_player_the_problem_is_reported() -> None:
    player = FakePlayer("card", "no card")
    outputs, problems = outputs_of(player)
    outputs.play(SOUND)
    outputs.play(SOUND)
    assert outputs.active is None
    assert problems == ["no card"]


def test_a_player_chosen_before_that_is_here_no_more_is_passed_over() -> None:
    player = FakePlayer("card")
    outputs, _ = outputs_of(player, chosen="pw-play")
    assert outputs.active is player


def test_over_ssh_the_page_comes_before_the_programs_of_the_box() -> None:
    card, page, program = FakePlayer("card"), FakePlayer("page"), FakePlayer("paplay")
    for environment, expected in (
        ({}, [card, program, page]),
        ({"SSH_CONNECTION": "a 1 b 22"}, [card, page, program]),
        ({"SSH_CONNECTION": "a 1 b 22", "PULSE_SERVER": "localhost"}, [card, program, page]),
    ):
        assert order_players(card, page, [program], environment) == expected


async def run_with_previews(tmp_path: Path, make_run: MakeRun) -> list[PreviewReady]:
    run = make_run("run")
    previews = write_previews(run)
    write_run(run, a_step(1, 1.0), *previews)
    return previews


async def test_the_way_is_shown_and_can_be_chosen(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run("run")
    write_run(run, a_step(1, 1.0), *write_previews(run))
    async with running(tmp_path) as (app, pilot):
        broken, working = FakePlayer("sound card", "no card"), FakePlayer("paplay")
        use(app, broken, working)
        await open_dashboard(app, pilot, run)
        await until(pilot, lambda: text(app, "#way") == "♪ paplay", "the way")
        await pilot.press("p")
        await until(pilot, lambda: isinstance(app.screen, PlayersScreen), "the list")
        await pilot.pause(0.3)
        await pilot.press("down", "enter")
        await until(pilot, lambda: isinstance(app.screen, DashboardScreen), "chosen")
        assert app.listening.outputs.chosen == "sound card"
        assert Remembered.load().player == "sound card"
        await pilot.press("right")
        await until(pilot, lambda: toasts(app) == ["no card"], "the problem")


def use(app: SdaApp, *players: FakePlayer) -> None:
    app.listening.outputs.players = players
    for player in players:
        player.on_problem = app.listening.outputs.fail


async def test_a_b_while_a_sound_plays_is_a_switch(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run("run")
    write_run(run, a_step(1, 1.0), *write_previews(run))
    calls: list[tuple[str, bool]] = []

    class Noting(FakePlayer):
        def play(self, path: Path, is_switch: bool = False) -> None:
            calls.append((path.name, is_switch))
            super().play(path, is_switch)

    async with running(tmp_path) as (app, pilot):
        use(app, Noting("card"))
        screen = await open_dashboard(app, pilot, run)
        await until(pilot, lambda: len(screen.history.previews) == 8, "previews")
        await pilot.pause(0.3)
        await pilot.press("a", "a", "left", "a")
        assert calls == [
            ("original.wav", False),
            ("epoch-0004-reconstruction.wav", True),
            ("original.wav", False),
        ]


async def test_the_scp_line_of_a_preview_is_copied(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run("run")
    write_run(run, a_step(1, 1.0), *write_previews(run))
    async with running(tmp_path) as (app, pilot):
        app.listening.login = "-p 2222 ada@box"
        screen = await open_dashboard(app, pilot, run)
        await until(pilot, lambda: bool(screen.history.previews), "previews")
        await pilot.pause(0.3)
        await pilot.press("y")
        path = run.previews / "epoch-0004-reconstruction.wav"
        assert app.clipboard == f"scp -P 2222 ada@box:{path} ."


@pytest.mark.parametrize("label", ["pad [key=C#m].wav", "[/b]", "[@click=app.quit]x", "[red]x"])
async def test_a_label_that_looks_like_markup_is_shown_as_it_is(
    tmp_path: Path, make_run: MakeRun, label: str
) -> None:
    run = make_run("run")
    previews = [replace(each, label=label) for each in write_previews(run)[-1:]]
    write_run(run, a_step(1, 1.0), *previews)
    async with running(tmp_path, size=(170, 50)) as (app, pilot):
        use(app, FakePlayer("card"))
        screen = await open_dashboard(app, pilot, run)
        picture = screen.query_one("#spectrogram", Spectrogram)
        await until(pilot, lambda: picture.levels is not None, "the spectrogram")
        assert Content.from_markup(str(picture.border_title)).plain == label


async def test_after_the_first_offer_a_play_key_without_a_page_says_what_to_do(
    tmp_path: Path, make_run: MakeRun
) -> None:
    run = make_run("run")
    write_run(run, a_step(1, 1.0), *write_previews(run))
    async with running(tmp_path) as (app, pilot):
        app.listening.outputs.players = [app.listening.page]
        screen = await open_dashboard(app, pilot, run)
        await until(pilot, lambda: bool(screen.history.previews), "previews")
        await pilot.pause(0.3)
        await pilot.press("right")
        await until(pilot, lambda: isinstance(app.screen, ListenScreen), "the offer")
        await pilot.press("escape", "right")
        assert app.screen is screen
        offer, advice = toasts(app)
        assert offer == "This machine has no sound output; your own computer can play instead."
        assert advice == "No page is open to play it; l shows how to listen on your own computer."


async def test_tmux_copies_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It does not pass the terminal's own sequence on, as it is set up by default."""
    script = tmp_path / "bin" / "tmux"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/arguments\ncat > {tmp_path}/copied\n')
    script.chmod(0o755)
    monkeypatch.setenv("TMUX", "/tmp/tmux-0/default,1,0")
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    async with running(tmp_path) as (app, pilot):
        app.copy_to_clipboard("ssh -N -L 1:127.0.0.1:1 box")
        copied = tmp_path / "copied"
        await until(pilot, lambda: copied.exists() and bool(copied.read_text()), "the copy")
        assert copied.read_text() == "ssh -N -L 1:127.0.0.1:1 box"
        assert (tmp_path / "arguments").read_text() == "load-buffer -w -\n"


async def test_the_host_is_edited_and_kept(tmp_path: Path, make_run: MakeRun) -> None:
    run = make_run("run")
    async with running(tmp_path) as (app, pilot):
        await open_dashboard(app, pilot, run)
        await pilot.press("l")
        await until(pilot, lambda: isinstance(app.screen, ListenScreen), "the offer")
        assert app.clipboard.startswith("ssh -N -L ")
        await pilot.press("e")
        await pilot.press(*("backspace",) * 60, *"bad;host", "enter")
        await until(pilot, lambda: "Write it as ssh takes it" in text(app, "#listen-note"), "refusal")
        await pilot.press(*("backspace",) * 20, *"ada@gpu.example", "enter")
        await until(pilot, lambda: text(app, "#tunnel").endswith(" ada@gpu.example"), "the line")
        assert app.clipboard.endswith(" ada@gpu.example")
        await pilot.press("u")
        assert app.clipboard == app.listening.page.serve().address
        await pilot.press("escape")
        await until(pilot, lambda: isinstance(app.screen, DashboardScreen), "closed")
        assert Remembered.load().login == "ada@gpu.example"


async def test_browser_opens_the_page(
    tmp_path: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in an editor's remote terminal, which forwards the port and sets $BROWSER."""
    opened = tmp_path / "opened"
    script = tmp_path / "browser"
    script.write_text(f'#!/bin/sh\nprintf %s "$1" > {opened}\n')
    script.chmod(0o755)
    monkeypatch.setenv("BROWSER", str(script))
    run = make_run("run")
    async with running(tmp_path) as (app, pilot):
        await open_dashboard(app, pilot, run)
        await pilot.press("l")
        await until(pilot, lambda: isinstance(app.screen, ListenScreen), "the offer")
        await pilot.press("o")
        await until(pilot, lambda: opened.exists() and bool(opened.read_text()), "the browser")
        server = app.listening.page.serve()
        assert opened.read_text().startswith(f"http://127.0.0.1:{server.port}/?token=")
        assert server.admission.token not in opened.read_text()  # others see the command


async def test_a_port_that_is_taken_is_reported_and_nothing_is_lost(
    tmp_path: Path, make_run: MakeRun
) -> None:
    import socket

    run = make_run("run")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with running(tmp_path, listen_port=port) as (app, pilot):
            await open_dashboard(app, pilot, run)
            await pilot.press("l")
            await until(pilot, lambda: f"port {port}" in text(app, "#pages"), "the problem")
            await pilot.press("y", "u", "escape")
            await until(pilot, lambda: isinstance(app.screen, DashboardScreen), "closed")


def test_what_is_remembered_is_the_users_alone(tmp_path: Path) -> None:
    first = Remembered.load().change(port=4321, login="ada@box", player="paplay")
    (file,) = tmp_path.rglob("listening.json")
    assert file.stat().st_mode & 0o777 == 0o600
    assert Remembered.load() == first


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[",
        "[]",
        "7",
        '{"token": "short", "port": -1, "login": "a;b", "player": 7}',
        '{"port": true}',
        "[" * 9999,
    ],
)
def test_a_damaged_memory_is_as_good_as_none(tmp_path: Path, content: str) -> None:
    Remembered.load().change(port=4321)
    (file,) = tmp_path.rglob("listening.json")
    file.write_text(content)
    found = Remembered.load()
    assert (found.port, found.login) == (0, "")
    assert len(found.token) >= 43


def test_a_home_that_cannot_be_written_is_no_obstacle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", "/proc/nothing")
    assert Remembered.load().change(port=4321).port == 4321
    assert Remembered.load().port == 0


def test_nothing_is_served_and_no_server_loaded_before_it_is_wanted(sda_tui: Callable[..., object]) -> None:
    import subprocess
    import sys

    check = (
        "import sys; from sda_tui.listening import Listening; "
        "Listening(None, lambda c: c(), lambda: None, lambda p: None, lambda: None); "
        "print('tornado' in sys.modules, 'numpy' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def test_all_that_listening_opened_is_closed(tmp_path: Path) -> None:
    import asyncio

    async def serve() -> None:
        listening = Listening(None, lambda call: call(), lambda: None, lambda _: None, lambda: None)
        port = listening.page.serve().port
        listening.close()
        await asyncio.sleep(0.1)
        with pytest.raises(ConnectionRefusedError):
            await asyncio.open_connection("127.0.0.1", port)

    asyncio.run(serve())
