"""Exports from the app: what is asked of the command, what is written, what is refused, and stopping."""

import shutil
import threading
from pathlib import Path

import pytest
from textual.widgets import Input

from core.config import ExportRequest
from core.errors import Cancelled, ExportError
from core.runs import RunDirectory
from sda_tui.cli import _parse
from sda_tui.exporting import ExportJob, _explain, command_words, requests_of
from sda_tui.screens.export import ExportScreen, export_checks
from sda_tui.widgets.checklist import Checklist
from tests.sda_tui.driving import running, text, toasts, until


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


def test_figures_are_written_and_what_is_there_stays(uninterrupted: RunDirectory, tmp_path: Path) -> None:
    out = tmp_path / "version.1"  # a folder, whatever its name looks like
    requests = requests_of(ExportRequest(uninterrupted.path, metrics="csv", out=out), ("csv", "json"))
    job = ExportJob(requests)
    written: list[Path] = []
    job.write(written.append) if job.plan() else None
    assert written == [out / "run-metrics.json", out / "run-metrics.csv"]
    with pytest.raises(ExportError, match=r"exists, and is not overwritten\. Choose another folder"):
        ExportJob(requests).plan()
    (tmp_path / "file").touch()
    with pytest.raises(ExportError, match="cannot be a folder"):
        ExportJob([ExportRequest(uninterrupted.path, metrics="csv", out=tmp_path / "file")]).plan()


def test_the_process_says_why_it_failed() -> None:
    assert _explain(1, "UserWarning: x\nsda-tui: There is no checkpoint.\n") == "There is no checkpoint."
    assert "too little memory" in _explain(-9, "")
    assert _explain(1, "Traceback\nKeyError: 1\n") == "The export failed (KeyError: 1)."


@pytest.mark.slow
def test_a_stopped_export_ends_its_process_and_leaves_nothing(trained: RunDirectory, tmp_path: Path) -> None:
    job = ExportJob([ExportRequest(trained.path, kinds=("onnx",), out=tmp_path / "out")])
    job.plan()
    timer = threading.Timer(1.0, job.stop)
    timer.start()
    with pytest.raises(Cancelled):
        job.write(lambda _: None)
    assert job._process is not None
    assert job._process.poll() is not None
    assert list((tmp_path / "out").iterdir()) == []
    with pytest.raises(Cancelled):  # and nothing is started any more
        job.write(lambda _: None)


def test_what_cannot_be_written_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "onnxscript" else name)
    problems = {check.id: check.problem for check in export_checks(True) if check is not None}
    assert problems["onnx"] == "Needs packages that are not installed: pip install onnxscript"
    assert problems["bundle"] == ""
    without = {check.id: check for check in export_checks(False) if check is not None}
    assert "no checkpoint" in without["bundle"].problem
    assert not without["bundle"].is_marked
    assert without["csv"].problem == ""


async def test_a_model_is_exported_by_keys_and_by_mouse(
    tmp_path: Path, trained: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunDirectory(Path(shutil.copytree(trained.path, tmp_path / "runs" / "hits")))
    monkeypatch.chdir(tmp_path)
    out = tmp_path / "exports"
    async with running(tmp_path, size=(60, 18)) as (app, pilot):
        screen = ExportScreen(app.session, run, app.listening)
        await app.push_screen(screen)
        await pilot.press("space", "n")  # nothing is marked now
        await until(pilot, lambda: "Mark what is to be written" in text(app, "#export-note"), "refusal")
        await pilot.press("space", "end", "space", "n")  # the bundle, and overwriting
        await until(pilot, lambda: "✓ 1 file written" in text(app, "#export-note"), "bundle")
        assert screen.written == [out / "hits.safetensors"]
        assert str(out / "hits.safetensors") in text(app, "#export-files")
        assert app.clipboard.startswith("scp ")
        assert app.clipboard.endswith("/exports/hits.safetensors .")
        assert await pilot.click("#export-show")
        assert app.clipboard == str(out)
        assert str(out) in toasts(app)
        assert await pilot.click("#export-start")  # choose again
        await pilot.pause()
        assert await pilot.click("#export-checks", offset=(5, 0))  # the bundle, not any more
        screen.query_one("#export-folder", Input).value = str(run.run_file)
        screen.query_one(Checklist).highlighted = 6
        await pilot.press("space")
        assert await pilot.click("#export-start")
        await until(pilot, lambda: "cannot be a folder" in text(app, "#export-note"), "refusal")
        assert not screen.is_writing
        await pilot.press("escape")
        assert app.screen is not screen
