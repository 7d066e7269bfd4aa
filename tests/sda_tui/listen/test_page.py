"""The page in a real browser: what it lists, plays and says."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.events import PreviewReady, RunState
from core.runs import RunDirectory
from sda_tui.listen.access import new_token
from sda_tui.listen.player import PagePlayer
from sda_tui.listen.remembered import Remembered
from tests.browser import Browser, Chromium
from tests.conftest import read_wav
from tests.sda_tui.listen.conftest import path_of, write_preview

PLAYING = "playing && previews.get(playing.number).file"
SAMPLES = """load(%d).then(buffer => {
  const bytes = new Uint8Array(buffer.getChannelData(0).buffer);
  let text = '';
  for (let i = 0; i < bytes.length; i += 4096) text += String.fromCharCode(...bytes.subarray(i, i + 4096));
  return btoa(text);
})"""

pytestmark = pytest.mark.slow


class Terminal:
    """What stands at the terminal's end: the player, and what it reported."""

    def __init__(self, run: RunDirectory, previews: list[PreviewReady]) -> None:
        self.problems: list[str] = []
        self.offers = 0
        self.player = PagePlayer(
            Remembered.load(),
            None,
            lambda problem: self.problems.append(problem.message),
            self._offer,
            lambda: None,
        )
        self.run = run
        self.previews = previews
        self.show(RunState.TRAINING, 2)

    def _offer(self) -> None:
        self.offers += 1

    def show(self, state: RunState, best: int) -> None:
        self.player.show(self.player.library.show_run(self.run, state, best, self.previews))

    def play(self, number: int, is_switch: bool = False) -> None:
        self.player.play(path_of(self.run, self.previews[number]), is_switch)


@pytest.fixture
async def terminal(run: RunDirectory, previews: list[PreviewReady]) -> AsyncIterator[Terminal]:
    terminal = Terminal(run, previews)
    terminal.player.serve()
    yield terminal
    terminal.player.close("The test has ended.")


Opened = Callable[[], Awaitable[Browser]]


@pytest.fixture
def opened(terminal: Terminal, chromium: Chromium) -> Opened:
    """Opens the page, as the user does."""

    async def open_page() -> Browser:
        page = await chromium.new_page()
        await page.open(terminal.player.serve().address)
        await page.wait_for("rows.size")
        return page

    return open_page


@pytest.fixture
async def page(terminal: Terminal, opened: Opened) -> Browser:
    """The page, opened and allowed to sound."""
    page = await opened()
    await page.click("#allow")
    await eventually(lambda: terminal.player.ready_pages == 1, "the page is ready")
    return page


async def eventually(condition: Callable[[], Any], what: str) -> None:
    for _ in range(600):
        if condition():
            return
        await asyncio.sleep(0.05)
    pytest.fail(f"this did not happen: {what}")


async def decoded(page: Browser, number: int) -> np.ndarray:
    """What the browser made of a sound."""
    return np.frombuffer(base64.b64decode(await page.evaluate(SAMPLES % number)), np.float32)


async def test_the_page_lists_previews_by_epoch_and_has_no_problem(terminal: Terminal, page: Browser) -> None:
    headings = await page.evaluate("[...document.querySelectorAll('#previews h2')].map(e => e.textContent)")
    assert headings == ["epoch 4", "epoch 2 · best", "epoch 0, untrained"]
    names = await page.evaluate(
        "[...document.querySelectorAll('.preview')].map(e => e.innerText.split('\\n'))"
    )
    assert names[0] == ["reconstruction", "1.0 s"]
    assert len(names) == len(terminal.previews)
    assert await page.evaluate("document.title") == "kicks · sda-tui"
    assert "token" not in await page.evaluate("location.href")
    assert page.problems == []
    assert all(url.startswith(f"http://127.0.0.1:{terminal.player.serve().port}/") for url in page.requests)


async def test_a_key_in_the_terminal_sounds_in_the_page(terminal: Terminal, page: Browser) -> None:
    terminal.play(5)
    assert await page.wait_for(PLAYING) == "epoch-0002-sample-1.wav"
    before = await page.evaluate("position()")
    await asyncio.sleep(0.2)
    assert await page.evaluate("position()") > before
    await eventually(lambda: terminal.player.playing and terminal.player.playing.position_s > 0.1, "position")
    now = terminal.player.playing
    assert now is not None
    assert now.path == path_of(terminal.run, terminal.previews[5])
    assert now.duration_s == pytest.approx(1.0)
    await eventually(lambda: terminal.player.playing is None, "the end of the sound")
    assert await page.evaluate("playing") is None
    assert terminal.problems == []


async def test_what_the_page_decodes_is_the_file(terminal: Terminal, page: Browser) -> None:
    for number in (0, 5):
        samples, _ = read_wav(path_of(terminal.run, terminal.previews[number]))
        ours = await decoded(page, number)
        assert len(ours) == len(samples)
        assert np.corrcoef(ours, samples)[0, 1] > 0.9999


async def test_stop_in_the_terminal_stops_the_page(terminal: Terminal, page: Browser) -> None:
    terminal.play(2)
    await page.wait_for(PLAYING)
    terminal.player.stop()
    await page.wait_for("playing === null")
    assert terminal.player.playing is None


async def test_the_page_is_silent_until_it_is_clicked(terminal: Terminal, opened: Opened) -> None:
    page = await opened()
    assert await page.evaluate("context.state") == "suspended"
    assert await page.evaluate("!byId('allow').hidden")
    terminal.play(2)
    assert terminal.offers == 1
    await page.click("#allow")
    await eventually(lambda: terminal.player.ready_pages == 1, "the page is ready")
    assert await page.evaluate("byId('allow').hidden")
    terminal.play(2)
    assert await page.wait_for(PLAYING) == "epoch-0000-reconstruction.wav"


async def test_a_new_preview_appears_without_a_reload_and_does_not_play(
    terminal: Terminal, page: Browser
) -> None:
    await page.evaluate("document.body.dataset.mark = 'the same page'")
    chosen = await page.evaluate("chosen")
    terminal.previews.append(write_preview(terminal.run, 6, "sample", "sample 1", 900.0))
    terminal.show(RunState.TRAINING, 6)
    await page.wait_for("document.querySelector('#previews h2').textContent === 'epoch 6 · best'")
    await asyncio.sleep(0.3)
    assert await page.evaluate("[playing, chosen, document.body.dataset.mark]") == [
        None,
        chosen,
        "the same page",
    ]


async def test_the_first_click_in_the_page_sounds_at_once(opened: Opened) -> None:
    page = await opened()
    await page.click(".preview")
    assert await page.wait_for(PLAYING) == "epoch-0004-reconstruction.wav"


async def test_the_focus_stays_where_it_is_when_a_preview_arrives(terminal: Terminal, page: Browser) -> None:
    await page.click("#previews div:last-child .preview")
    label = await page.evaluate("document.activeElement.title")
    terminal.previews.append(write_preview(terminal.run, 6, "sample", "sample 1", 900.0))
    terminal.show(RunState.TRAINING, 6)
    await page.wait_for("rows.size === 9")
    assert await page.evaluate("document.activeElement.title") == label == "original.wav"


async def test_the_position_is_drawn_once_a_frame_however_often_is_played(page: Browser) -> None:
    for _ in range(10):
        await page.evaluate("play(5)")
    await page.evaluate(
        "window.frames_ = 0; const ask_ = requestAnimationFrame;"
        "window.requestAnimationFrame = (call) => { frames_++; return ask_(call); }"
    )
    await asyncio.sleep(0.4)
    assert 0 < await page.evaluate("frames_") < 60


async def test_outlines_follow_the_colours_of_the_page(page: Browser) -> None:
    colours = []
    for scheme in ("light", "dark"):
        await page.call(
            "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
        )
        await page.wait_for("document.querySelector('.preview canvas') !== null")
        await asyncio.sleep(0.3)
        colours.append(
            await page.evaluate(
                "Math.max(...document.querySelector('.preview canvas').getContext('2d')"
                ".getImageData(1, 0, 4, 32).data.filter((_, i) => i % 4 < 3))"
            )
        )
    assert colours[0] < 100 < colours[1]


async def test_evolve_passes_over_what_is_gone(terminal: Terminal, page: Browser) -> None:
    path_of(terminal.run, terminal.previews[4]).unlink()
    await page.evaluate("choose(2)")
    await page.press("e")
    await page.wait_for("playing && playing.number === 6")


async def test_a_sound_begun_in_the_page_is_stopped_from_the_terminal(
    terminal: Terminal, page: Browser
) -> None:
    await page.click(".preview")
    await page.wait_for(PLAYING)
    terminal.player.stop()
    await page.wait_for("playing === null")


async def test_a_page_that_cannot_sound_does_not_hide_one_that_does(
    terminal: Terminal, page: Browser, opened: Opened
) -> None:
    other = await opened()
    await other.evaluate("send({ type: 'ready', ready: true })")  # and yet its sound is not allowed
    await eventually(lambda: terminal.player.ready_pages == 2, "both say so")
    terminal.play(5)
    await page.wait_for(PLAYING)
    assert terminal.player.playing is not None
    await other.wait_for("byId('message').textContent.startsWith('The browser waits')")
    assert terminal.problems == []


async def test_a_connection_over_which_nothing_comes_is_given_up(page: Browser) -> None:
    await page.evaluate("receivedMs -= SILENT_MS")
    await page.wait_for("document.body.classList.contains('lost')")
    await page.wait_for("byId('connection').textContent === 'Connected.'")


async def test_a_click_and_the_keys_of_the_terminal_play(page: Browser) -> None:
    await page.click("#previews div .preview:nth-of-type(2)")
    assert await page.wait_for(PLAYING) == "epoch-0004-sample-1.wav"
    for key, expected in (
        ("ArrowLeft", None),
        ("ArrowUp", None),
        ("ArrowRight", "epoch-0004-reconstruction.wav"),
        ("b", "epoch-0002-reconstruction.wav"),
        ("b", "epoch-0000-reconstruction.wav"),
        ("a", "original.wav"),
        ("a", "epoch-0000-reconstruction.wav"),
        ("ArrowDown", "epoch-0000-reconstruction.wav"),
        (" ", "epoch-0000-sample-1.wav"),
    ):
        await page.press(key)
        if expected is None:
            await page.wait_for("playing === null")
        else:
            await page.wait_for(f"({PLAYING}) === '{expected}'", f"{key} plays {expected}")


async def test_a_b_continues_at_the_same_position_without_a_gap(page: Browser) -> None:
    await page.click(".preview")
    await page.wait_for("position() > 0.3")
    await page.evaluate(
        "window.switches = []; const play_ = AudioBufferSourceNode.prototype.start;"
        "AudioBufferSourceNode.prototype.start = function(when, offset) {"
        "  switches.push([when, offset, playing && playing.startS]); return play_.call(this, when, offset); }"
    )
    await page.press("a")
    await page.wait_for(f"({PLAYING}) === 'original.wav'")
    (started,) = await page.evaluate("switches")
    when, offset, startS = started
    assert startS is not None  # the one before is audible until this one begins
    assert await page.evaluate("playing.startS") == pytest.approx(startS, abs=1e-6)
    assert offset == pytest.approx(when - startS, abs=1e-6)
    assert offset > 0.3


async def test_evolve_plays_one_preview_of_each_epoch_in_turn(page: Browser) -> None:
    await page.evaluate(
        "window.names = []; new MutationObserver(() => {"
        "  const name = byId('label').textContent; if (names.at(-1) !== name) names.push(name); })"
        ".observe(byId('label'), { childList: true })"
    )
    await page.evaluate("choose(5)")
    await page.press("e")
    await page.wait_for("names.length >= 4 && playing === null", "all epochs have played")
    assert (await page.evaluate("names"))[-3:] == [f"sample 1 · epoch {epoch}" for epoch in (0, 2, 4)]


async def test_the_end_of_the_run_is_shown(terminal: Terminal, page: Browser) -> None:
    for state, text in (
        (RunState.FINISHED, "The run has finished."),
        (RunState.CANCELLED, "The run was stopped and saved."),
        (RunState.FAILED, "The run has failed."),
        (RunState.INTERRUPTED, "The run was interrupted"),
    ):
        terminal.show(state, 2)
        await page.wait_for(f"byId('state').textContent.startsWith({text!r})")


async def test_a_preview_that_was_deleted_is_reported_at_both_ends(terminal: Terminal, page: Browser) -> None:
    path_of(terminal.run, terminal.previews[5]).unlink()
    terminal.play(5)
    await page.wait_for("byId('message').textContent === 'This sound is gone from the disk.'")
    await eventually(lambda: terminal.problems, "the terminal knows")
    assert "cannot play epoch-0002-sample-1.wav" in terminal.problems[0]
    terminal.play(4)
    assert await page.wait_for(PLAYING) == "epoch-0002-reconstruction.wav"


async def test_the_page_comes_back_after_the_program_was_started_again(
    terminal: Terminal, page: Browser
) -> None:
    port = terminal.player.serve().port
    await page.evaluate("choose(5)")
    terminal.player.close("The terminal was left.")
    await page.wait_for("byId('connection').textContent.startsWith('The terminal was left.')")
    terminal.play(2)  # nothing listens
    again = Terminal(terminal.run, terminal.previews)
    assert again.player.serve().port == port
    await page.wait_for("byId('connection').textContent === 'Connected.'")
    await eventually(lambda: again.player.ready_pages == 1, "ready without another click")
    assert await page.evaluate("previews.get(chosen).file") == "epoch-0002-sample-1.wav"
    again.play(3)
    assert await page.wait_for(PLAYING) == "epoch-0000-sample-1.wav"
    again.player.close("")


async def test_a_page_of_an_earlier_token_says_what_to_do(terminal: Terminal, page: Browser) -> None:
    server = terminal.player.serve()
    server.admission.token, server.admission.cookie = new_token(), new_token()
    server.pages.close()
    await page.wait_for("byId('connection').textContent.startsWith('This address is of an earlier start.')")


async def test_a_browser_that_goes_away_while_it_plays_is_no_harm(
    terminal: Terminal, page: Browser, opened: Opened
) -> None:
    terminal.play(2)
    await page.wait_for(PLAYING)
    await page.call("Page.navigate", url="about:blank")
    await eventually(lambda: terminal.player.pages == 0, "the page has gone")
    assert terminal.player.playing is None
    second = await opened()
    await second.click("#allow")
    await eventually(lambda: terminal.player.ready_pages == 1, "another page")
    terminal.play(2)
    await second.wait_for(PLAYING)


async def test_two_pages_play_together(terminal: Terminal, page: Browser, opened: Opened) -> None:
    other = await opened()
    await other.click("#allow")
    await eventually(lambda: terminal.player.ready_pages == 2, "both are ready")
    terminal.play(4)
    for each in (page, other):
        assert await each.wait_for(PLAYING) == "epoch-0002-reconstruction.wav"


async def test_nothing_is_fetched_before_it_is_wanted(chromium: Chromium, terminal: Terminal) -> None:
    for epoch in range(10, 60):
        for kind, label in (("reconstruction", "reconstruction"), ("sample", "sample 1")):
            terminal.previews.append(write_preview(terminal.run, epoch, kind, label, 300.0))
    terminal.show(RunState.TRAINING, 2)
    page = await chromium.new_page(height=700)
    await page.open(terminal.player.serve().address)
    await page.wait_for("rows.size === 108")
    await asyncio.sleep(0.5)
    await page.evaluate("0")
    sounds = {url for url in page.requests if "/sound/" in url}
    pictures = {url for url in page.requests if "/spectrogram/" in url}
    assert len(sounds) == 2  # of the chosen epoch
    assert len(pictures) < 25


@pytest.mark.parametrize(
    ("scheme", "width"), [("light", 1200), ("dark", 1200), ("light", 390), ("dark", 390)]
)
async def test_the_page_fits_and_can_be_read(
    chromium: Chromium, terminal: Terminal, tmp_path: Path, scheme: str, width: int
) -> None:
    page = await chromium.new_page(width=width)
    await page.call(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}]
    )
    await page.open(terminal.player.serve().address)
    await page.wait_for("rows.size")
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    page_colour, ink = await page.evaluate(
        "['backgroundColor', 'color'].map("
        "  name => getComputedStyle(document.body)[name].match(/\\d+/g).map(Number))"
    )
    assert contrast(page_colour, ink) > 7
    unnamed = "[...document.querySelectorAll('button')].filter(each => !each.innerText.trim()).length"
    assert await page.evaluate(unnamed) == 0


def contrast(first: list[int], second: list[int]) -> float:
    """The contrast ratio of two colours, by the Web Content Accessibility Guidelines."""

    def luminance(colour: list[int]) -> float:
        linear = [(c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4) for c in colour]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(first), luminance(second)), reverse=True)
    return (high + 0.05) / (low + 0.05)


async def test_the_keyboard_alone_reaches_everything(page: Browser) -> None:
    names = []
    for _ in range(12):
        await page.press("Tab")
        names.append(await page.evaluate("document.activeElement.innerText.split('\\n')[0]"))
    for name in ("Play →", "A/B a", "Evolve e", "reconstruction"):
        assert name in names
    await page.press("Enter")
    await page.wait_for("playing !== null")


async def test_a_sound_of_the_dataset_plays_too(terminal: Terminal, page: Browser, tmp_path: Path) -> None:
    wav = tmp_path / "0123456789abcdef.wav"
    wav.write_bytes(path_of(terminal.run, terminal.previews[0]).read_bytes())
    terminal.player.library.add_file(wav, "snare.flac")
    terminal.player.play(wav)
    await page.wait_for("playing && byId('label').textContent === 'snare.flac'")
