"""Where one training sound of a run is now."""

import os
from pathlib import Path

import pytest

from core.engine import find_sound
from core.errors import DatasetError
from core.runs import RunDirectory
from tests.conftest import MakeRun
from tests.sounds import write_tone


def find(run: RunDirectory, path: str) -> Path:
    return find_sound(run, path, lambda: False)


def test_a_sound_is_found_where_it_was_and_where_it_was_moved_to(make_run: MakeRun, sounds: Path) -> None:
    run = make_run()
    assert find(run, "tone-3.wav") == sounds / "tone-3.wav"
    os.utime(sounds / "tone-3.wav", (1, 1))
    assert find(run, "tone-3.wav") == sounds / "tone-3.wav"
    (sounds / "deeper").mkdir()
    (sounds / "tone-3.wav").rename(sounds / "deeper" / "other.wav")
    assert find(run, "tone-3.wav") == sounds / "deeper" / "other.wav"


def test_a_sound_that_is_gone_or_another_one_now_is_refused(make_run: MakeRun, sounds: Path) -> None:
    run = make_run()
    write_tone(sounds / "tone-3.wav", 1234.0, 0.7)
    (sounds / "tone-4.wav").unlink()
    for name in ("tone-3.wav", "tone-4.wav"):
        with pytest.raises(DatasetError, match=rf"{name} is gone from .*sounds, or has changed; put it back"):
            find(run, name)
    with pytest.raises(DatasetError, match=r"passwd is none of the sounds of run"):
        find(run, "../../etc/passwd")
    for file in sounds.iterdir():
        file.unlink()
    sounds.rmdir()
    with pytest.raises(DatasetError, match=r"tone-1\.wav is gone"):
        find(run, "tone-1.wav")
