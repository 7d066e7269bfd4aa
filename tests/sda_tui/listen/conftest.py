"""A run with previews, and its page served on the loopback interface."""

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from core.audio.writing import write_wav
from core.events import PreviewReady, RunState
from core.runs import RunDirectory
from sda_tui.listen.access import new_token
from sda_tui.listen.library import Library
from sda_tui.listen.server import ListenServer
from tests.browser import Chromium
from tests.conftest import MakeRun

SAMPLE_RATE = 48_000
EPOCHS = (0, 2, 4)


def write_preview(run: RunDirectory, epoch: int, kind: str, label: str, hz: float) -> PreviewReady:
    """A decaying tone and its picture, a sound of the run."""
    name = kind if kind in ("original", "resynthesis") else f"epoch-{epoch:04}-{label.replace(' ', '-')}"
    time_s = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    samples = (np.exp(-2 * time_s) * np.sin(2 * np.pi * hz * time_s)).astype(np.float32)
    write_wav(run.previews / f"{name}.wav", samples, SAMPLE_RATE)
    if kind != "original":
        picture = np.outer(np.linspace(0, 8, 128), np.linspace(1, 0, 94)).astype(np.float32)
        np.save(run.previews / f"{name}.npy", picture)
    return PreviewReady(epoch, epoch, kind, label, f"previews/{name}.wav", 1.0, tuple(np.linspace(1, 0, 24)))


def write_previews(run: RunDirectory) -> list[PreviewReady]:
    """The clip, and a reconstruction and a sample of each epoch."""
    previews = [
        write_preview(run, 0, "original", "original · kick.wav", 220.0),
        write_preview(run, 0, "resynthesis", "resynthesis", 220.0),
    ]
    for epoch in EPOCHS:
        previews.append(write_preview(run, epoch, "reconstruction", "reconstruction", 300.0 + 20 * epoch))
        previews.append(write_preview(run, epoch, "sample", "sample 1", 500.0 + 20 * epoch))
    return previews


@pytest.fixture
def run(make_run: MakeRun) -> RunDirectory:
    return make_run("kicks")


@pytest.fixture
def previews(run: RunDirectory) -> list[PreviewReady]:
    return write_previews(run)


@pytest.fixture
def library(run: RunDirectory, previews: list[PreviewReady]) -> Library:
    library = Library()
    library.show_run(run, RunState.TRAINING, 2, previews)
    return library


Served = Callable[..., ListenServer]


@pytest.fixture
async def serve(library: Library) -> AsyncIterator[Served]:
    """Starts servers of the library; they are stopped at the end."""
    servers: list[ListenServer] = []

    def start(port: int | None = None, **options: object) -> ListenServer:
        server = ListenServer(library, new_token(), **options)  # type: ignore[arg-type]
        server.start(port)
        servers.append(server)
        return server

    yield start
    for server in servers:
        server.stop("The test has ended.")


def path_of(run: RunDirectory, preview: PreviewReady) -> Path:
    return run.path / preview.path


@pytest.fixture(scope="session")
def browser_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """A browser for all tests of a process."""
    browser = Chromium(tmp_path_factory.mktemp("chromium"))
    yield browser
    browser.close()


@pytest.fixture
async def chromium(browser_process: Chromium) -> AsyncIterator[Chromium]:
    """The browser; its pages are closed at the end."""
    yield browser_process
    await browser_process.close_pages()
