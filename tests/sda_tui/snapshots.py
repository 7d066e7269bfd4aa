"""Compares screens with what they looked like: text and colours as a terminal gets them, at four sizes.

`cat tests/sda_tui/__snapshots__/…/NAME.ansi` in a terminal as large shows one.
"""

import math
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from rich.style import Style
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode
from textual._compositor import LayoutUpdate
from textual.pilot import Pilot
from textual.widgets import Input

from core.engine import Runner
from core.runs.lock import LockHolder
from sda_tui import format as fmt
from sda_tui.app import Leave, SdaApp
from sda_tui.devices.monitor import DeviceMonitor
from sda_tui.devices.reading import DeviceReading, Quantity
from sda_tui.playback import Outputs
from tests.sda_tui.driving import until
from tests.sda_tui.logged_runs import NOW_S
from tests.sounds import write_tone

SIZES = ((200, 60), (120, 36), (80, 24), (60, 18))

ATTRIBUTES = ("bold", "dim", "italic", "underline", "reverse", "strike")
LATER_S = NOW_S + 7200.0
READING = DeviceReading(
    series={
        Quantity.GPU_USE: [(NOW_S + index, 60 + 30 * math.sin(index / 4)) for index in range(60)],
        Quantity.GPU_MEMORY: [(NOW_S + index, 2e9) for index in range(60)],
        Quantity.PROCESS_CPU: [(NOW_S + index, 20 + index % 7) for index in range(60)],
    },
    limits={Quantity.GPU_MEMORY: 24e9},
    gpu_name="NVIDIA Example",
)

Ready = Callable[[SdaApp, Pilot[Leave]], Awaitable[None]]
Look = Callable[..., Awaitable[None]]


class Screenshot(SingleFileSnapshotExtension):
    """A file for each picture."""

    _file_extension = "ansi"
    _write_mode = WriteMode.TEXT


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home directory with sounds, which the app is started in; paths below it are shown with `~`."""
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    write_sounds(home / "sounds" / "drums")
    (home / "sounds" / "field-recordings").mkdir()
    monkeypatch.chdir(home / "sounds")
    return home


def write_sounds(folder: Path) -> None:
    folder.mkdir(parents=True)
    for index, name in enumerate(("clap", "crash", "hat-closed", "hat-open", "kick", "ride", "snare", "tom")):
        write_tone(folder / f"{name}.wav", 110.0 * (index + 1), 1.0 + index / 4)


@pytest.fixture
def look(snapshot: SnapshotAssertion, monkeypatch: pytest.MonkeyPatch) -> Iterator[Look]:
    """Compares the screen with its snapshots once it is ready, at each size, without an engine.

    `settled` says whether the screen has drawn what it draws late, after a change of size too.  `colours` are
    those of a terminal: truecolor, 256, standard for 16, or none.
    """
    monkeypatch.setattr(Runner, "load", lambda _: None)
    monkeypatch.setattr(Outputs, "prepare", lambda _: None)  # as if a sound card were there
    monkeypatch.setattr(DeviceMonitor, "start", lambda _: None)
    for screen in ("run_list", "datasets"):  # they look at runs again, but not amid a picture
        monkeypatch.setattr(f"sda_tui.screens.{screen}.FOLLOW_INTERVAL_S", 3600.0)
    monkeypatch.setattr(DeviceMonitor, "reading", READING)
    age = fmt.age
    monkeypatch.setattr(fmt, "age", lambda then_s, now_s: age(then_s, min(now_s, LATER_S)))
    monkeypatch.setattr(LockHolder, "this_process", lambda: LockHolder(4242, 0.0, "studio"))
    monkeypatch.setattr(LockHolder, "is_alive", lambda _: True)
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()

    async def compare(
        make_app: Callable[[], SdaApp],
        ready: Ready,
        settled: Callable[[SdaApp], bool] = lambda _: True,
        sizes: tuple[tuple[int, int], ...] = SIZES,
        colours: str = "truecolor",
    ) -> None:
        monkeypatch.delenv("NO_COLOR", raising=False)
        if colours == "none":
            monkeypatch.setenv("NO_COLOR", "1")
        monkeypatch.setattr("textual.constants.COLOR_SYSTEM", "truecolor" if colours == "none" else colours)
        app = make_app()
        differing = []
        async with app.run_test(size=sizes[0]) as pilot:
            await ready(app, pilot)
            for size in sizes:
                await pilot.resize_terminal(*size)
                for field in app.screen.query(Input):
                    field.cursor_blink = False
                await until(pilot, lambda: settled(app), f"the picture of {size}")
                name = "x".join(map(str, size)) + ("" if colours == "truecolor" else f"-{colours}")
                if draw(app) != snapshot(name=name, extension_class=Screenshot):
                    differing.append(name)
        assert not differing, f"the screen looks different at {', '.join(differing)}"

    yield compare
    monkeypatch.undo()
    time.tzset()


def on_first_screen(ready: Ready) -> Ready:
    """Wait for the app's first screen, then for `ready`."""

    async def wait(app: SdaApp, pilot: Pilot[Leave]) -> None:
        await until(pilot, lambda: bool(app.screen.query("#scan-status")), "first screen")
        await ready(app, pilot)

    return wait


def draw(app: SdaApp) -> str:
    """The screen as a terminal gets it, a line each."""
    stack = app._background_screens  # Textual's own screenshots use these two as well
    update = app.screen._compositor.render_update(full=True, screen_stack=stack)
    assert isinstance(update, LayoutUpdate)
    system = app.console._color_system
    lines = (
        "".join(
            fresh(style).render(text, color_system=system) if style else text
            for strip in line
            for text, style, _ in strip
        )
        for line in update.strips
    )
    return "".join(f"{line}\n" for line in lines)


def fresh(style: Style) -> Style:
    """The same style without codes: Rich keeps those of the first kind of terminal that it is drawn on."""
    attributes = {name: getattr(style, name) for name in ATTRIBUTES}
    return Style(color=style.color, bgcolor=style.bgcolor, **attributes)
