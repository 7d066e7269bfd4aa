"""Runs whose sounds were moved, renamed, touched, deleted or joined by others."""

import os
from pathlib import Path

import pytest

from core.engine import find_sounds
from core.errors import DatasetError, SoundsNotFoundError
from core.events import RunEvent, RunState, Warned
from core.runs import RunDirectory, summarise
from tests.conftest import MakeRun, write_tones
from tests.sounds import write_tone
from tests.training import assert_same_outcome, end, history, of, train, train_to


def warnings(events: list[RunEvent], kind: str) -> list[str]:
    return [each.message for each in of(Warned, events) if each.kind == kind and each.message]


def test_moved_renamed_and_touched_sounds_change_nothing(
    make_run: MakeRun, sounds: Path, tmp_path: Path, uninterrupted: RunDirectory
) -> None:
    run = make_run()
    train_to(run, 3)
    (sounds / "deep").mkdir()
    for index in range(8):
        (sounds / f"tone-{index}.wav").rename(sounds / "deep" / f"{7 - index} renamed.wav")
        os.utime(sounds / "deep" / f"{7 - index} renamed.wav", (1, 1))
    sounds.rename(tmp_path / "elsewhere")
    found = find_sounds(run, run.read_manifest(), lambda: False, folder=tmp_path / "elsewhere")
    assert (found.count, found.missing, found.new) == (8, "", "")
    run.change(found.manifest)
    events = train(run)
    assert end(events).state == "finished"
    assert not warnings(events, "dataset")
    assert_same_outcome(run, uninterrupted)


def test_a_changed_sound_is_left_out_by_name(make_run: MakeRun, sounds: Path) -> None:
    run = make_run(epochs=1)
    train_to(run, 3)
    changed = run.read_manifest().split.train[0].path
    write_tone(sounds / changed, 999.0)
    events = train(run)
    assert end(events).state == "finished"
    assert warnings(events, "dataset") == [
        f"{changed} is gone or changed since the run began; training continues without."
    ]
    assert f"{changed} is left out: it is gone or has changed" in run.log.read_text()
    assert warnings(events, "new_sounds") == ["1 file is new; this run continues without it."]


def test_new_sounds_are_reported_when_a_run_continues(make_run: MakeRun, sounds: Path) -> None:
    run = make_run(epochs=1)
    write_tone(sounds / "between scan and start.wav", 901.0)
    assert not warnings(train_to(run, 3), "new_sounds")
    write_tone(sounds / "new.wav", 902.0)
    assert warnings(train(run), "new_sounds") == ["2 files are new; this run continues without them."]


@pytest.mark.parametrize("is_finished", [True, False])
def test_a_run_whose_folder_is_gone_stays_as_it_is(
    make_run: MakeRun, sounds: Path, is_finished: bool
) -> None:
    run = make_run(epochs=1)
    if is_finished:
        train(run)
    else:
        train_to(run, 3)
    run.write_manifest(summarise(run).continued({"epochs": 2}))
    before = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    state = summarise(run).state
    sounds.rename(sounds.with_name("moved"))
    with pytest.raises(SoundsNotFoundError, match=r"The folder .*sounds is gone"):
        train(run)
    sounds.mkdir()  # as where a disk is mounted usually
    with pytest.raises(SoundsNotFoundError, match=r"None of the 8 sounds of run is in .*sounds"):
        train(run)
    held_out = run.read_manifest().split.validation_paths[0]
    write_tones(sounds.with_name("others"))
    (sounds.with_name("others") / held_out).rename(sounds / held_out)
    with pytest.raises(SoundsNotFoundError, match="None of its training sounds is in"):
        train(run)
    after = {path: path.read_bytes() for path in run.path.rglob("*") if path.is_file()}
    assert {path: data for path, data in after.items() if path.name not in ("lock", "run.log")} == {
        path: data for path, data in before.items() if path.name not in ("lock", "run.log")
    }
    assert summarise(run).state is state is (RunState.FINISHED if is_finished else RunState.CANCELLED)


def test_sounds_are_looked_for_before_a_run_takes_another_folder(
    make_run: MakeRun, sounds: Path, tmp_path: Path
) -> None:
    run = make_run()
    manifest = run.read_manifest()
    other = tmp_path / "other"
    other.mkdir()
    write_tone(other / "unknown.wav", 999.0)
    with pytest.raises(SoundsNotFoundError, match=r"None of the 8 sounds of run is in .*other"):
        find_sounds(run, manifest, lambda: False, folder=other)
    with pytest.raises(DatasetError, match="There is no file or folder"):
        find_sounds(run, manifest, lambda: False, folder=tmp_path / "nowhere")
    for path in list(sounds.iterdir())[:6]:
        path.rename(other / f"x{path.name}")
    found = find_sounds(run, manifest, lambda: False, folder=other)
    assert (found.count, found.manifest.folder) == (6, str(other))
    assert "gone or changed since the run began" in found.missing
    assert found.new == "1 file is new; this run continues without it."


def test_missing_sounds_that_return_are_used_again(make_run: MakeRun, sounds: Path) -> None:
    run = make_run()
    train_to(run, 3)
    (sounds / "tone-0.wav").rename(sounds.parent / "away.wav")
    train_to(run, 5)
    assert "dataset" in history(run).warnings
    (sounds.parent / "away.wav").rename(sounds / "back.wav")
    train_to(run, 7)
    assert "dataset" not in history(run).warnings
