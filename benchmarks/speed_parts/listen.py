"""The listener page: what it costs the training, from a key in the terminal to the sound, what it sends."""

import asyncio
import contextlib
import json
import re
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import websocket_connect

from core.events import PreviewReady
from core.runs import EventLog, RunDirectory
from speed_parts.program import HERE, Program, wait_until
from speed_parts.screen import SSH, step_times
from speed_parts.sounds import write_files
from speed_parts.table import at_least, at_most, print_row

LISTENERS = 3
SLICES, SLICE_S = 12, 5.0
SETTLING_S = 0.5  # after they came or went
PRESSES = 12
PREVIEWS = 100
SETTINGS = ("epochs=1", "augmentation_expansion=1", "batch_size=1")
WITHOUT_SOUND = {"XDG_RUNTIME_DIR": "/nowhere", "SSH_CONNECTION": SSH}
PROGRAM = [sys.executable, "-m", "sda_tui"]


def listen() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        at_least(f"steps a second with {LISTENERS} listeners relative to none", beside_listeners(home), 0.98)
        sys.path.append(str(HERE))
        from tests.browser import CHROMIUM

        if CHROMIUM is None:
            print_row("key to sound in the page: not measured, needs Debian's chromium", float("nan"))
            return
        delays_ms, kilobytes = asyncio.run(in_a_browser(home))
    at_most("key in the terminal to sound in the page, median, ms", statistics.median(delays_ms), 300)
    at_most("the same, the slowest", max(delays_ms), 300)
    at_most(f"kB sent to a page with {PREVIEWS} previews until one is played", kilobytes, 500)


def beside_listeners(home: Path) -> float:
    """Steps a second of a run in the app while pages follow it, relative to those while none does."""
    folder = write_files(home / "sounds", 50, 5.0)
    with Program([*PROGRAM, folder, "--runs", home / "runs"], home, HOME=str(home), **WITHOUT_SOUND) as app:
        app.wait_for(b"Suggested preset")
        time.sleep(1.0)
        app.press(b"\r")
        app.wait_for(b"Start training")
        app.press(b"\r")
        wait_until(lambda: len(list(step_times(home / "runs"))) > 8, "the first steps")
        app.press(b"l")
        app.wait_for(b"Waiting for the page")
        app.press(b"\x1b")
        spans: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
        asyncio.run(in_turn_with_listeners(home, spans))
        steps = list(step_times(home / "runs"))
    means = {
        has_listeners: statistics.mean(
            end - begin for begin, end in steps if any(first < begin and end < last for first, last in those)
        )
        for has_listeners, those in spans.items()
    }
    return means[False] / means[True]


async def in_turn_with_listeners(home: Path, spans: dict[bool, list[tuple[float, float]]]) -> None:
    for number in range(SLICES):
        has_listeners = number % 2 == 1
        async with connected(home, LISTENERS if has_listeners else 0):
            await asyncio.sleep(SETTLING_S)
            begin_s = time.time()
            await asyncio.sleep(SLICE_S)
            spans[has_listeners].append((begin_s, time.time()))


@asynccontextmanager
async def connected(home: Path, count: int) -> AsyncIterator[None]:
    """So many pages that are ready, and read all that they are sent."""
    port, token = served(home)
    page = f"http://127.0.0.1:{port}"
    answer = await AsyncHTTPClient().fetch(
        f"{page}/?token={token}", follow_redirects=False, raise_error=False
    )
    headers = {"Origin": page, "Cookie": answer.headers["Set-Cookie"].split(";")[0]}
    pages = [
        await websocket_connect(
            HTTPRequest(f"ws://127.0.0.1:{port}/live", headers=headers), on_message_callback=lambda _: None
        )
        for _ in range(count)
    ]
    for each in pages:
        await each.write_message(json.dumps({"type": "ready", "ready": True}))
    yield
    for each in pages:
        each.close()


def served(home: Path) -> tuple[int, str]:
    """Port and token of the page that a program with this home serves."""
    (file,) = home.rglob("listening.json")
    values = json.loads(file.read_text())
    return values["port"], values["token"]


async def in_a_browser(home: Path) -> tuple[list[float], float]:
    """Milliseconds from each key to its sound, and kilobytes for a page with many previews."""
    from tests.browser import Chromium

    run = make_previews(home)
    chromium = Chromium(home / "chromium")
    with contextlib.closing(chromium), attached(run, home) as app:
        page = await chromium.new_page()
        await asyncio.to_thread(app.press, b"l")
        await asyncio.to_thread(app.wait_for, b"Waiting for the page")
        port, token = served(home)
        await page.open(f"http://127.0.0.1:{port}/?token={token}")
        await page.wait_for(f"rows.size >= {PREVIEWS}")
        await asyncio.sleep(1.0)
        await page.evaluate("0")  # reads what has come until now
        kilobytes = page.received_bytes / 1000
        await page.click("#allow")
        await page.wait_for("context.state === 'running'")
        await asyncio.sleep(2.0)  # the app closes what it showed
        await page.evaluate(
            "window.started = 0; const start_ = AudioBufferSourceNode.prototype.start;"
            "AudioBufferSourceNode.prototype.start = function(...given) {"
            "  started = Date.now() + 1000 * (context.outputLatency || context.baseLatency);"
            "  return start_.apply(this, given); }"
        )
        delays_ms = []
        for _ in range(PRESSES):
            await page.evaluate("started = 0")
            pressed_ms = 1000 * time.time()
            app.press(b"\x1b[C")
            delays_ms.append(await page.wait_for("started") - pressed_ms)
            app.press(b"\x1b[D")
            await asyncio.sleep(0.5)
        return delays_ms, kilobytes


@contextlib.contextmanager
def attached(run: RunDirectory, home: Path) -> Iterator[Program]:
    with Program([*PROGRAM, "attach", run.path], home, HOME=str(home), **WITHOUT_SOUND) as app:
        app.wait_for(b"sample 1")
        time.sleep(2.0)
        yield app


def make_previews(home: Path) -> RunDirectory:
    """A run of one epoch, with copies of its previews as those of later ones."""
    folder = write_files(home / "few", 5, 1.0)
    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    with Program(
        [*PROGRAM, "train", folder, *settings, "--runs", home / "runs", "--name", "listened"], home
    ) as training:
        training.process.wait()
    run = RunDirectory(home / "runs" / "listened")
    events = [json.loads(line) for line in run.events.read_text().splitlines()]
    made = [event for event in events if event["event"] == "preview" and event["epoch"] == 1]
    log = EventLog(run.events)
    for number in range(PREVIEWS - len([e for e in events if e["event"] == "preview"])):
        event = made[number % len(made)]
        epoch = 2 + number // len(made)
        path = re.sub(r"epoch-\d+", f"epoch-{epoch:04}", event["path"])
        for suffix in (".wav", ".npy"):
            source = (run.path / event["path"]).with_suffix(suffix)
            (run.path / path).with_suffix(suffix).write_bytes(source.read_bytes())
        log.append(
            PreviewReady(epoch, epoch, event["kind"], event["label"], path, 1.0, tuple(event["envelope"]))
        )
    log.close()
    return run
