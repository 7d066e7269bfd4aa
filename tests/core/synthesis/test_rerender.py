"""Previews rendered again from the spectrograms beside them."""

import io
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from core.errors import Cancelled, RunError
from core.events import PreviewReady
from core.runs import RunDirectory
from core.synthesis.rerender import rerender
from tests.conftest import MakeRun
from tests.training import logged, of, train


@pytest.fixture
def run(uninterrupted: RunDirectory, tmp_path: Path) -> RunDirectory:
    return RunDirectory(Path(shutil.copytree(uninterrupted.path, tmp_path / "runs" / "run")))


def contents(run: RunDirectory) -> dict[str, bytes]:
    return {
        str(path.relative_to(run.path)): path.read_bytes() for path in run.path.rglob("*") if path.is_file()
    }


def test_the_same_inversion_gives_the_same_files(run: RunDirectory) -> None:
    before = contents(run)
    done = list(rerender(run, "fast", None, "cpu", lambda: False))
    assert contents(run) == before
    assert {each.path for each in done} == {
        each.path for each in of(PreviewReady, logged(run)) if each.kind != "original"
    }
    assert [each.done for each in done] == list(range(1, len(done) + 1))
    assert all(each.total == len(done) and not each.problem for each in done)


def test_another_inversion_gives_what_the_run_would_have_made(run: RunDirectory, make_run: MakeRun) -> None:
    """Of the asked epoch alone, while another process trains the run."""
    best = make_run("best", preview_inversion="best")
    train(best)
    before = contents(run)
    run.lock.acquire()
    try:
        list(rerender(run, "best", 2, "cpu", lambda: False))
    finally:
        run.lock.release()
    changed = {name for name, data in contents(run).items() if before.get(name) != data} - {"lock"}
    assert changed == {"previews/epoch-0002-reconstruction.wav", "previews/epoch-0002-sample-1.wav"}
    for name in changed:
        assert (run.path / name).read_bytes() == (best.path / name).read_bytes()


def test_a_cancel_keeps_the_previews_that_are_complete(run: RunDirectory) -> None:
    before = contents(run)
    done: list[str] = []
    rendering = rerender(run, "best", None, "cpu", lambda: len(done) >= 2)
    done += [next(rendering).path, next(rendering).path]
    with pytest.raises(Cancelled):
        next(rendering)
    changed = {name for name, data in contents(run).items() if before.get(name) != data}
    assert changed == set(done)
    assert not list(run.previews.glob(".*"))


def spectrogram_of(value: float) -> bytes:
    file = io.BytesIO()
    np.save(file, np.full((128, 24), value, np.float32))
    return file.getvalue()


@pytest.mark.parametrize(
    "content",
    [None, b"", b"\x93NUMPY damaged", b"x" * (2 << 20), spectrogram_of(math.nan), spectrogram_of(math.inf)],
    ids=["gone", "empty", "damaged", "long", "nan", "infinite"],
)
def test_a_preview_without_its_spectrogram_stays_and_is_named(
    run: RunDirectory, content: bytes | None
) -> None:
    mel = run.previews / "epoch-0001-sample-1.npy"
    mel.unlink()
    if content is not None:
        mel.write_bytes(content)
    before = (run.previews / "epoch-0001-sample-1.wav").read_bytes()
    done = list(rerender(run, "best", 1, "cpu", lambda: False))
    assert {each.path: bool(each.problem) for each in done} == {
        "previews/epoch-0001-reconstruction.wav": False,
        "previews/epoch-0001-sample-1.wav": True,
    }
    assert (run.previews / "epoch-0001-sample-1.wav").read_bytes() == before


def test_an_epoch_without_previews_is_refused_with_those_that_have_some(
    run: RunDirectory, make_run: MakeRun
) -> None:
    with pytest.raises(RunError, match="no previews of epoch 7; there are those of 0, 1, 2"):
        list(rerender(run, "best", 7, "cpu", lambda: False))
    with pytest.raises(RunError, match="has no previews yet"):
        list(rerender(make_run("new"), "best", None, "cpu", lambda: False))


def test_a_log_from_elsewhere_leads_nowhere_outside(run: RunDirectory, tmp_path: Path) -> None:
    outside = tmp_path / "outside.wav"
    shutil.copy(run.previews / "epoch-0001-sample-1.wav", outside)
    shutil.copy(run.previews / "epoch-0001-sample-1.npy", tmp_path / "outside.npy")
    before = outside.read_bytes()
    log = run.events.read_text().replace("previews/epoch-0001-sample-1.wav", "../../outside.wav")
    run.events.write_text(log)
    list(rerender(run, "best", 1, "cpu", lambda: False))
    assert outside.read_bytes() == before
