"""Exports from the app: what is asked of the command, what is written, what is refused, and stopping."""

import threading
from pathlib import Path

import pytest

from core.config import ExportRequest
from core.engine import Runner
from core.errors import Cancelled, ExportError
from core.runs import RunDirectory
from sda_tui.cli import _parse
from sda_tui.exporting import ExportJob, _explain, command_words, requests_of
from sda_tui.screens.export import ExportScreen, export_checks
from tests.conftest import MakeRun
from tests.sda_tui.driving import a_step, an_epoch, running, text, toasts, until, write_run


def test_the_command_is_asked_for_what_was_chosen(tmp_path: Path) -> None:
    request = ExportRequest(
        tmp_path, "newest", ("bundle", "nn"), "csv", steps=True, out=Path("~"), names=True, sounds=False
    )
    parsed = _parse(command_words(request))
    assert (parsed.run, parsed.checkpoint, parsed.to) == (str(tmp_path), "newest", ["bundle,nn"])
    assert (parsed.metrics, parsed.steps, parsed.out) == ("csv", True, Path.home())
    assert (parsed.names, parsed.without_sounds, parsed.overwrite) == (True, True, False)


def test_both_formats_of_figures_are_two_requests(tmp_path: Path) -> None:
    request = ExportRequest(tmp_path, kinds=("card",))
    assert requests_of(request, ()) == [request]
    both = requests_of(request, ("csv", "json"))
    assert [(each.kinds, each.metrics) for each in both] == [((), "json"), (("card",), "csv")]


@pytest.fixture(autouse=True)
def ordinary_priority(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside other tests a process of a low priority would hardly come to its turn."""
    monkeypatch.setattr("sda_tui.exporting.PRIORITY", 0)


def make_logged(make_run: MakeRun) -> RunDirectory:
    """A run with an epoch in its log, and a checkpoint that is none."""
    run = make_run("hits")
    write_run(run, a_step(1, 0.5), an_epoch(1, 1, 0.1))
    (run.checkpoints / "best.pt").write_bytes(b"damaged")
    return run


def test_figures_are_written_and_what_is_there_stays(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_logged(make_run)
    out = tmp_path / "version.1"  # a folder, whatever its name looks like
    requests = requests_of(ExportRequest(run.path, metrics="csv", out=out), ("csv", "json"))
    job = ExportJob(requests)
    written: list[Path] = []
    job.write(written.append) if job.plan() else None
    assert written == [out / "hits-metrics.json", out / "hits-metrics.csv"]
    with pytest.raises(ExportError, match=r"exists, and is not overwritten\. Choose another folder"):
        ExportJob(requests).plan()
    (tmp_path / "file").touch()
    with pytest.raises(ExportError, match="cannot be a folder"):
        ExportJob([ExportRequest(run.path, metrics="csv", out=tmp_path / "file")]).plan()


def test_the_process_says_why_it_failed() -> None:
    assert _explain(1, "UserWarning: x\nsda-tui: There is no checkpoint.\n") == "There is no checkpoint."
    assert "too little memory" in _explain(-9, "")
    assert _explain(1, "Traceback\nKeyError: 1\n") == "The export failed (KeyError: 1)."


@pytest.mark.slow
def test_a_model_is_written_by_a_process_of_its_own(trained: RunDirectory, tmp_path: Path) -> None:
    """Beside the figures, and in the order of the plan."""
    request = ExportRequest(trained.path, kinds=("bundle", "card"), metrics="csv", out=tmp_path)
    job, written = ExportJob([request]), []
    planned = job.plan()
    job.write(written.append)
    assert [path.name for path in planned] == ["hits-metrics.csv", "hits.safetensors", "hits.md"]
    assert written == planned
    assert all(path.stat().st_size > 0 for path in written)


@pytest.mark.slow
def test_an_export_fails_with_one_sentence_and_can_be_stopped(make_run: MakeRun, tmp_path: Path) -> None:
    absent = ExportJob([ExportRequest(tmp_path / "absent", kinds=("bundle",), out=tmp_path / "out")])
    assert [path.name for path in absent.plan()] == ["absent.safetensors"]
    with pytest.raises(ExportError, match=r"^There is no run '[^\n]*absent'[^\n]*$"):
        absent.write(lambda _: None)
    run = make_logged(make_run)
    stopped = ExportJob([ExportRequest(run.path, kinds=("bundle",), out=tmp_path / "out")])
    threading.Timer(0.3, stopped.stop).start()
    with pytest.raises(Cancelled):
        stopped.write(lambda _: None)
    assert stopped._process is not None
    assert stopped._process.poll() is not None
    assert list((tmp_path / "out").iterdir()) == []
    with pytest.raises(Cancelled):  # and nothing is started any more
        stopped.write(lambda _: None)


def test_what_cannot_be_written_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "onnxscript" else name)
    problems = {check.id: check.problem for check in export_checks(True) if check is not None}
    assert problems["onnx"] == "Needs packages that are not installed: pip install onnxscript"
    assert problems["bundle"] == ""
    without = {check.id: check for check in export_checks(False) if check is not None}
    assert "no checkpoint" in without["bundle"].problem
    assert not without["bundle"].is_marked
    assert without["csv"].problem == ""


async def test_figures_are_exported_by_keys_and_by_mouse(
    tmp_path: Path, make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_logged(make_run)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Runner, "load", lambda _: None)  # figures need no engine
    out = tmp_path / "exports"
    async with running(tmp_path, size=(60, 18)) as (app, pilot):
        screen = ExportScreen(app.session, run, app.listening)
        await app.push_screen(screen)
        await pilot.press("space", "n")  # nothing is marked now
        await until(pilot, lambda: "Mark what is to be written" in text(app, "#export-note"), "refusal")
        await pilot.press(*["down"] * 5, "space", "n")
        await until(pilot, lambda: "✓ 1 file written" in text(app, "#export-note"), "figures")
        assert screen.written == [out / "hits-metrics.csv"]
        assert str(out / "hits-metrics.csv") in text(app, "#export-files")
        assert app.clipboard.startswith("scp ")
        assert app.clipboard.endswith("/exports/hits-metrics.csv .")
        assert await pilot.click("#export-show")
        assert app.clipboard == str(out)
        assert str(out) in toasts(app)
        assert await pilot.click("#export-start")  # choose again
        await pilot.pause()
        assert await pilot.click("#export-start")
        await until(pilot, lambda: "exists, and is not overwritten" in text(app, "#export-note"), "refusal")
        await pilot.press("end", "space", "n")
        await until(pilot, lambda: "✓ 1 file written" in text(app, "#export-note"), "overwritten")
        await pilot.press("escape")
        assert app.screen is not screen
