"""Runs from elsewhere: what is wrong with one is said, harms nothing outside and hides no other."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.errors import RunError
from core.events import RunState, StateChanged, StepFinished, to_json
from core.runs import EventFollower, EventLog, list_runs, summarise
from core.runs.event_log import BLOCK_BYTES, LONGEST_LINE_BYTES, keep_events
from tests.conftest import MakeRun

PARTS = (
    "run.json", "events.jsonl", "run.log", "lock", "clip.wav", "checkpoints", "previews", "requests"
)  # fmt: skip


def replace(path: Path, make: Callable[[Path], object]) -> None:
    if path.is_dir():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)
    make(path)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("target", ["file", "folder", "nothing"])
def test_a_link_in_a_run_is_named_and_leads_nowhere(
    make_run: MakeRun, tmp_path: Path, part: str, target: str
) -> None:
    outside = tmp_path / "outside"
    (outside / "folder").mkdir(parents=True)
    (outside / "file").write_text("precious")
    (outside / "folder" / "save").touch()
    run, other = make_run(), make_run("other")
    replace(run.path / part, lambda path: path.symlink_to(outside / target))
    before = {path: path.stat().st_mtime_ns for path in outside.rglob("*")}

    with pytest.raises(RunError, match=f"{part} is a link, and no link in a run is followed"):
        run.read_manifest()
    broken = next(each for each in list_runs(tmp_path / "runs") if each.name == run.name)
    assert f"{part} is a link" in broken.problem
    assert len(list_runs(other.path.parent)) == 2
    run.requests.clear()
    assert list(EventFollower(run.events).poll()) == []
    refusals = 0
    for act in (
        run.lock.acquire,
        run.open_log,
        lambda: EventLog(run.events),
        lambda: run.requests.ask("save"),
    ):
        try:
            act()
        except (OSError, RunError):
            refusals += 1
    assert refusals == (part in ("lock", "run.log", "events.jsonl", "requests"))
    assert {path: path.stat().st_mtime_ns for path in outside.rglob("*")} == before
    assert (outside / "file").read_text() == "precious"


@pytest.mark.parametrize("part", PARTS)
def test_a_pipe_in_a_run_is_named_and_nobody_waits_for_it(make_run: MakeRun, part: str) -> None:
    run = make_run()
    replace(run.path / part, os.mkfifo)
    summary = summarise(run)
    assert f"{part} is not a" in summary.problem
    assert list(EventFollower(run.events).poll()) == []
    assert not run.has_trained() or part != "events.jsonl"


def test_a_lock_with_a_second_name_is_not_emptied(make_run: MakeRun, tmp_path: Path) -> None:
    run, outside = make_run(), tmp_path / "outside"
    outside.write_text("precious")
    (run.path / "lock").hardlink_to(outside)
    with pytest.raises(OSError, match="lock has a second name elsewhere"):
        run.lock.acquire()
    assert outside.read_text() == "precious"


@pytest.mark.parametrize("part", ["run.json", "events.jsonl"])
def test_a_file_of_nothing_takes_no_memory(make_run: MakeRun, part: str) -> None:
    run = make_run()
    with (run.path / part).open("wb") as file:
        file.truncate(100_000_000_000)
    summary = summarise(run)
    assert (summary.step, summary.last_epoch, summary.manifest) == (0, None, None)
    assert f"{part} is longer than" in summary.problem
    follower = EventFollower(run.events)
    assert list(follower.poll()) == []
    assert ("longer than the log of any run" in follower.problem) is (part == "events.jsonl")
    assert not run.has_trained()


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


@pytest.mark.parametrize(
    "where", ["preset", "created", "folder", "files", "split", "software", "config", "spectrogram"]
)
@pytest.mark.parametrize(
    "value",
    [f"{nested(990)}", "9" * 400, "9" * 5000, "1e308", "1e999", "NaN", "-Infinity", '"a\\u0000b"',
     '"\\ud800"', "true", "null", "-1", "[]", "{}", '{"x":{"x":1}}', '"' + "x" * 100_000 + '"'],
    ids=lambda value: value[:12],
)  # fmt: skip
def test_a_description_with_an_odd_value_is_read_or_refused(
    make_run: MakeRun, where: str, value: str
) -> None:
    run = make_run()
    record = json.loads(run.run_file.read_text())
    record[where] = "@"
    run.run_file.write_text(json.dumps(record).replace('"@"', value))
    (summary,) = list_runs(run.path.parent)
    assert summary.manifest is None or (where in ("preset", "created", "folder", "files", "software"))
    assert "(Traceback" not in summary.problem
    assert len(summary.problem) < 2000


@pytest.mark.parametrize(
    ("field", "value"),
    [("size_bytes", True), ("size_bytes", -1), ("modified_ns", 10**400), ("path", "a\0b"), ("path", "\ud800"),
     ("path", 1), ("content_hash", None)],
)  # fmt: skip
def test_a_file_of_the_dataset_with_a_bad_value_is_refused(make_run: MakeRun, field: str, value: Any) -> None:
    run = make_run()
    record = json.loads(run.run_file.read_text())
    record["files"][0][field] = value
    run.run_file.write_text(json.dumps(record))
    with pytest.raises(RunError, match="it is not a run's description"):
        run.read_manifest()


def state(step: int) -> str:
    return to_json(StateChanged(RunState.CANCELLED, step, 1, 100, 10), 1.0)


def step(number: int) -> str:
    return to_json(StepFinished(1, number, 100, 1.0, 1e-3, 0.1, 0.01), 1.0)


@pytest.mark.parametrize(
    "line",
    ["x" * 10_000_000, nested(100_000), '{"event":"step","time":1e999}', "\x00" * 1_000_000,
     state(3).replace('"step":3', '"step":-3'), state(3).replace('"step":3', '"step":true'),
     state(3).replace('"step":3', '"step":1e308'), state(3).replace('"step":3', f'"step":{"9" * 400}')],
    ids=lambda line: line[:20],
)  # fmt: skip
def test_a_damaged_line_is_left_out_and_said(make_run: MakeRun, line: str) -> None:
    run = make_run()
    run.events.write_text(f"{step(1)}\n{line}\n{step(2)}\n{state(2)}\n")
    follower = EventFollower(run.events)
    events = []
    while not events or not follower.has_caught_up:
        events += [event for event, _ in follower.poll()]
    assert [event.step for event in events] == [1, 2, 2]  # type: ignore[union-attr]
    assert follower.problem == "1 line of events.jsonl cannot be read and is left out."
    assert summarise(run).step == 2


def test_a_log_is_cut_back_without_reading_all_of_it(make_run: MakeRun) -> None:
    run = make_run()
    lines = [step(number) for number in range(1, 9001)]  # of more than two blocks
    lines[8997] = "x" * (2 * BLOCK_BYTES + LONGEST_LINE_BYTES)
    run.events.write_text("".join(line + "\n" for line in lines) + '{"torn')
    keep_events(run.events, lambda event: getattr(event, "step", 0) <= 8996)
    assert run.events.read_text() == "".join(line + "\n" for line in lines[:8996])
    before = run.events.stat().st_ino
    keep_events(run.events, lambda event: True)
    assert run.events.stat().st_ino == before


@pytest.mark.parametrize(
    "log", ["", "\n", "x" * (3 * BLOCK_BYTES), "\x00" * (2 * BLOCK_BYTES) + "\n"], ids=len
)
def test_a_log_that_is_none_is_cut_to_nothing(make_run: MakeRun, log: str) -> None:
    run = make_run()
    run.events.write_text(log)
    keep_events(run.events, lambda event: True)
    assert run.events.read_text() == ""


def test_a_preview_is_played_from_the_previews_alone(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    (run.previews / "a.wav").write_bytes(b"RIFF")
    assert run.find_preview("previews/a.wav") == run.previews / "a.wav"
    (run.previews / "link.wav").symlink_to(tmp_path / "secret.wav")
    os.mkfifo(run.previews / "pipe.wav")
    with (run.previews / "huge.wav").open("wb") as file:
        file.truncate(100_000_000_000)
    outside = ("/etc/passwd", "../a.wav", "previews/../run.json", "previews/", "run.json")
    names = ("b.wav", "link.wav", "pipe.wav", "huge.wav", "a\0.wav")
    for path in (*outside, *(f"previews/{name}" for name in names)):
        with pytest.raises(RunError):
            run.find_preview(path)
