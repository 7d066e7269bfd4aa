"""The panel of previews by itself: playing, comparing, evolving, stars, jumps and its layout."""

import itertools
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from textual.app import App, ComposeResult
from textual.binding import Binding
from textual.pilot import Pilot

from core.errors import DatasetError
from core.events import PreviewReady
from core.runs import RunDirectory, read_stars
from sda_tui.app import STYLES
from sda_tui.evolution import Evolution
from sda_tui.playback import Playing
from sda_tui.preview_layout import LEAST_LIST, plan_layout
from sda_tui.widgets import preview_panel
from sda_tui.widgets.epoch_input import EpochInput
from sda_tui.widgets.line import Line
from sda_tui.widgets.preview_details import PreviewDetails, describe_origin
from sda_tui.widgets.preview_list import PreviewList
from sda_tui.widgets.preview_panel import PreviewPanel
from tests.sda_tui.test_preview_list import preview

STYLE_FOLDER = Path(preview_panel.__file__).parents[1] / "styles"
SAMPLE = preview(5, "sample", 1)


class RecordingListening:
    """Notes what it is asked to play, and plays it until it is stopped."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.playing: Playing | None = None
        self.page = SimpleNamespace(choose=lambda path: None)

    def prepare(self) -> None: ...

    def describe(self) -> str:
        return "nowhere"

    def play(self, path: Path, is_switch: bool = False) -> None:
        self.calls.append(f"{'switch' if is_switch else 'play'} {path.stem}")
        self.playing = Playing(path, 0.25, 1.0)

    def play_file(self, path: Path, label: str, is_switch: bool = False) -> None:
        self.play(path, is_switch)

    def stop(self) -> None:
        self.calls.append("stop")
        self.playing = None

    def taken(self) -> list[str]:
        calls, self.calls = self.calls, []
        return calls


class PanelApp(App[None]):
    CSS_PATH = [STYLE_FOLDER / f"{name}.tcss" for name in STYLES]
    CSS = "#previews { width: 100%; height: 100%; }"
    BINDINGS = [Binding("e", "evolve"), Binding("asterisk", "star"), Binding("c", "noop")]

    def __init__(self, run: RunDirectory, previews: list[PreviewReady]) -> None:
        super().__init__()
        self.run_directory, self.previews = run, previews
        self.listening = RecordingListening()
        self.toasts: list[str] = []
        self.sounds = SimpleNamespace(audition_of=self.audition_of)

    def audition_of(self, run: RunDirectory, path: str, cancelled: Callable[[], bool]) -> Path:
        if path == "gone.wav":
            raise DatasetError("gone.wav is gone from here.")
        return self.run_directory.path.parent / "auditions" / path

    def compose(self) -> ComposeResult:
        yield PreviewPanel(self.run_directory, self.listening, self.sounds, id="previews")  # type: ignore[arg-type]

    def on_mount(self) -> None:
        self.panel.show(self.previews, "none", best_epoch=5)
        self.panel.focus_list()

    def notify(self, message: str, **_: object) -> None:  # type: ignore[override]
        self.toasts.append(message)

    def action_evolve(self) -> None:
        self.panel.evolve()

    def action_star(self) -> None:
        self.panel.star()

    @property
    def panel(self) -> PreviewPanel:
        return self.query_one(PreviewPanel)

    @property
    def list(self) -> PreviewList:
        return self.query_one(PreviewList)

    def said(self, id: str) -> str:
        return str(self.query_one(id, Line).render())


@pytest.fixture
def run(tmp_path: Path) -> RunDirectory:
    folder = RunDirectory(tmp_path / "run")
    folder.previews.mkdir(parents=True)
    return folder


def written(run: RunDirectory, *previews: PreviewReady) -> list[PreviewReady]:
    for each in previews:
        soundfile.write(run.path / each.path, np.zeros(480), 48_000, "PCM_16")
    return list(previews)


def some(run: RunDirectory, *epochs: int) -> list[PreviewReady]:
    previews = [each for epoch in epochs for each in (preview(epoch), preview(epoch, "sample", 1))]
    return written(run, preview(0, "original"), *previews)


async def until(pilot: Pilot[None], condition: Callable[[], bool]) -> None:
    for _ in range(200):
        if condition():
            return
        await pilot.pause(0.01)
    pytest.fail("this did not happen")


# -- comparing --------------------------------------------------------------------------------------------


def drawn_around(around: str, near: str = "") -> PreviewReady:
    return PreviewReady(5, 5, "sample", "sample 1", SAMPLE.path, 1.0, (1.0,), near, around)


async def test_a_sample_is_compared_with_the_sound_that_it_is_drawn_around(run: RunDirectory) -> None:
    app = PanelApp(run, written(run, preview(5), drawn_around("kick.wav", "snare.wav")))
    async with app.run_test(size=(60, 20)) as pilot:
        app.list.choose(app.previews[1])
        for expected in ("play kick", "switch epoch-0005-sample-1", "switch kick"):
            app.panel.compare()
            await until(pilot, lambda: bool(app.listening.calls))
            assert app.listening.taken() == [expected]
            assert app.list.chosen == app.previews[1]
        assert "kick.wav" in app.said("#playback")
        app.panel.play()
        assert app.listening.taken() == ["play epoch-0005-sample-1"]


async def test_a_training_sound_that_is_decoded_too_late_is_not_played(run: RunDirectory) -> None:
    app = PanelApp(run, written(run, preview(5), drawn_around("kick.wav")))
    decoding, played = threading.Event(), threading.Event()

    def audition_of(run: RunDirectory, path: str, cancelled: Callable[[], bool]) -> Path:
        decoding.wait(10)
        played.set()
        return run.path / path

    app.sounds.audition_of = audition_of
    async with app.run_test(size=(60, 20)) as pilot:
        app.list.choose(app.previews[1])
        await pilot.pause()
        app.panel.compare()
        app.list.choose(app.previews[0])
        await pilot.pause()
        decoding.set()
        await until(pilot, played.is_set)
        await pilot.pause(0.05)
        assert app.listening.taken() == []


@pytest.mark.parametrize(
    ("around", "near", "said"),
    [("gone.wav", "", "gone.wav is gone from here"), ("", "", "does not say which sound")],
)
async def test_why_a_sample_cannot_be_compared_is_said(
    run: RunDirectory, around: str, near: str, said: str
) -> None:
    app = PanelApp(run, written(run, drawn_around(around, near)))
    async with app.run_test(size=(60, 20)) as pilot:
        app.panel.compare()
        await until(pilot, lambda: any(said in toast for toast in app.toasts))
        assert app.listening.taken() == []


async def test_comparing_with_what_the_filter_hides_keeps_filter_and_cursor(run: RunDirectory) -> None:
    app = PanelApp(run, some(run, 0, 5))
    async with app.run_test(size=(60, 20)) as pilot:
        app.panel.star()
        await until(pilot, lambda: bool(app.list.stars))
        for _ in range(3):
            app.panel.next_filter()
        assert app.said("#preview-filter") == "1 of 5 · starred"
        app.panel.compare()
        app.panel.compare()
        assert app.listening.taken() == ["play epoch-0000-original", "switch epoch-0005-reconstruction"]
        assert app.list.chosen == preview(5)
        app.panel.next_filter()
        assert app.said("#preview-filter") == ""
    assert read_stars(run) == {preview(5).path}


def test_a_sound_that_a_sample_is_around_and_near_is_named_once() -> None:
    assert describe_origin("a/kick.wav", "a/kick.wav") == ["around and near kick.wav"]
    assert describe_origin("a/kick.wav", "b/snare.wav") == ["around kick.wav", "near snare.wav"]
    assert describe_origin("", "b/snare.wav") == ["near snare.wav"]
    assert describe_origin("", "") == []


# -- evolving ---------------------------------------------------------------------------------------------


class Clock:
    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_an_evolution_goes_on_when_a_sound_is_over_and_ends_when_one_was_cut_short() -> None:
    clock = Clock()
    evolution = Evolution([preview(0), preview(5), preview(10)], clock)
    clock.now_s = 1.0
    assert evolution.advance() == preview(5)
    assert (evolution.number, evolution.count) == (2, 3)
    clock.now_s = 1.2
    assert evolution.advance() is None, "nothing can be heard, or it was stopped elsewhere"
    clock.now_s = 2.0
    assert evolution.advance() == preview(10)
    clock.now_s = 9.0
    assert evolution.advance() is None


async def test_evolving_plays_one_preview_through_all_epochs_until_a_key(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = Clock()
    monkeypatch.setattr(preview_panel, "Evolution", lambda previews: Evolution(previews, clock))
    app = PanelApp(run, some(run, 0, 5, 10))

    async def end_sound(pilot: Pilot[None]) -> None:
        clock.now_s += 1.0
        app.listening.playing = None
        await until(pilot, lambda: bool(app.listening.calls))

    async with app.run_test(size=(60, 20)) as pilot:
        app.list.choose(preview(5, "sample", 1))
        await pilot.press("e")
        assert app.listening.taken() == ["play epoch-0000-sample-1"]
        assert app.list.chosen == preview(0, "sample", 1)
        assert "evolves, 1 of 3" in app.said("#playback")
        await end_sound(pilot)
        assert app.listening.taken() == ["play epoch-0005-sample-1"]
        await pilot.press("asterisk")
        await until(pilot, lambda: bool(app.list.stars))
        assert app.list.stars == {preview(5, "sample", 1).path}
        assert app.listening.taken() == [], "a star lets it go on"
        await end_sound(pilot)
        assert app.list.chosen == preview(10, "sample", 1)
        app.listening.taken()
        for key in ("c", "e", "down"):
            if key != "c":
                await pilot.press("e")
                app.listening.taken()
            await pilot.press(key)
            assert app.listening.taken() == ["stop"], key
            assert app.listening.playing is None


# -- going to an epoch ------------------------------------------------------------------------------------


async def test_jumps_go_to_the_nearest_epoch_with_the_same_preview(run: RunDirectory) -> None:
    app = PanelApp(run, some(run, 0, 5, 10))
    async with app.run_test(size=(60, 20)) as pilot:
        app.list.choose(preview(10, "sample", 1))
        app.panel.ask_epoch()
        await pilot.press("x", "6", "enter")
        assert app.list.chosen == preview(5, "sample", 1)
        assert app.toasts == ["Epoch 6 has no previews here; epoch 5 is the nearest."]
        assert app.focused is app.list
        app.panel.ask_epoch()
        await pilot.press("0", "escape")
        assert app.list.chosen == preview(5, "sample", 1)
        assert not app.query_one(EpochInput).display
        app.list.choose(preview(0))
        app.panel.go_to_best()
        assert app.list.chosen == preview(5)
        app.panel.show(app.previews, "none", best_epoch=7)
        app.panel.go_to_best()
        assert "Epoch 7 is the best so far" in app.toasts[-1]
        assert app.list.chosen == preview(5)


# -- layout -----------------------------------------------------------------------------------------------


def test_the_parts_fit_and_the_list_comes_first() -> None:
    for width, height in itertools.product(range(1, 121), range(1, 51)):
        plan = plan_layout(width, height)
        body = height - plan.playback - plan.way
        assert min(plan.picture, plan.waveform, plan.figures) >= 0
        if plan.details_width:
            assert plan.details <= body
            assert 20 <= plan.details_width <= width - 20
        else:
            assert body - plan.details >= min(LEAST_LIST, height), (width, height)
        assert plan.figures or not plan.picture


def test_a_wide_panel_has_the_list_beside_two_pictures_of_its_height() -> None:
    plan = plan_layout(116, 26)
    assert plan.details_width > 0
    assert plan.has_original
    assert plan.picture > 26 / 2


@pytest.mark.parametrize(
    ("size", "has_picture"), [((30, 6), False), ((58, 10), True), ((44, 30), True), ((120, 50), True)]
)
async def test_the_panel_lays_itself_out_at_any_size(
    run: RunDirectory, size: tuple[int, int], has_picture: bool
) -> None:
    previews = some(run, *range(20))
    for each in previews:
        np.save((run.path / each.path).with_suffix(".npy"), np.ones((128, 94), np.float32))
    app = PanelApp(run, previews)
    async with app.run_test(size=size) as pilot:
        await until(pilot, lambda: app.panel.has_drawn)
        await pilot.pause()
        panel, picture = app.panel.content_region, app.query_one("#pictures")
        assert app.list.size.height >= LEAST_LIST
        assert (picture.display and picture.size.height > 0) == has_picture
        for id in ("#preview-list", "#pictures", "#waveform", "#figures", "#playback", "#way"):
            widget = app.query_one(id)
            if widget.display and widget.size.height:
                assert panel.contains_region(widget.region), id
        if has_picture:
            await pilot.click("#spectrogram")
            assert app.listening.taken() == [f"play {Path(preview(19).path).stem}"]
        assert app.query_one(PreviewDetails).has_drawn
