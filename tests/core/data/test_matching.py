"""A run's sounds are found by content, wherever they are now and whatever they are called."""

import os
import shutil
import unicodedata
from collections.abc import Callable
from pathlib import Path

import pytest
import soundfile

from core.config import TrainingConfig
from core.data.matching import SoundMatch, match_sounds
from core.data.sources import Sources
from core.errors import Cancelled
from core.runs import DatasetFile, RunManifest
from tests.conftest import scan_folder
from tests.sounds import write_tone


def described(folder: Path) -> tuple[DatasetFile, ...]:
    return RunManifest.from_scan(scan_folder(folder), "balanced", TrainingConfig()).files


def match(folder: Path, files: tuple[DatasetFile, ...], *sources: str) -> SoundMatch:
    return match_sounds(Sources(folder, sources), files, lambda: False, lambda _: None)


def touch_all(folder: Path) -> None:
    for path in folder.iterdir():
        path.touch()


def as_flac(folder: Path) -> None:
    samples, sample_rate = soundfile.read(folder / "tone-3.wav", dtype="int16")
    soundfile.write(folder / "tone-3.flac", samples, sample_rate, subtype="PCM_16")
    (folder / "tone-3.wav").unlink()


def into_a_folder(folder: Path) -> None:
    (folder / "kicks").mkdir()
    (folder / "tone-3.wav").rename(folder / "kicks" / "deep.wav")


def swap(folder: Path) -> None:
    (folder / "tone-0.wav").rename(folder / "x")
    (folder / "tone-1.wav").rename(folder / "tone-0.wav")
    (folder / "x").rename(folder / "tone-1.wav")


@pytest.mark.parametrize(
    ("change", "moved"),
    [
        (lambda folder: None, {}),
        (touch_all, {}),
        (lambda folder: (folder / "tone-3.wav").rename(folder / "kick.wav"), {"tone-3.wav": "kick.wav"}),
        (into_a_folder, {"tone-3.wav": "kicks/deep.wav"}),
        (as_flac, {"tone-3.wav": "tone-3.flac"}),
        (swap, {"tone-0.wav": "tone-1.wav", "tone-1.wav": "tone-0.wav"}),
    ],
    ids=["nothing", "touched", "renamed", "into a folder", "another format", "swapped"],
)
def test_every_sound_is_found_by_its_content(
    sounds: Path, change: Callable[[Path], object], moved: dict[str, str]
) -> None:
    files = described(sounds)
    change(sounds)
    expected = {file.path: moved.get(file.path, file.path) for file in files}
    assert match(sounds, files) == SoundMatch(expected)


def test_a_name_in_another_unicode_form_is_found(sounds: Path) -> None:
    composed, decomposed = (unicodedata.normalize(form, "kühl.wav") for form in ("NFC", "NFD"))
    assert composed != decomposed
    (sounds / "tone-3.wav").rename(sounds / composed)
    files = described(sounds)
    (sounds / composed).rename(sounds / decomposed)
    assert match(sounds, files).locations[composed] == decomposed


def test_a_changed_sound_is_missing_and_the_new_one_is_new(sounds: Path) -> None:
    files = described(sounds)
    write_tone(sounds / "tone-3.wav", 999.0)
    found = match(sounds, files)
    assert (found.missing, found.new, len(found.locations)) == (("tone-3.wav",), ("tone-3.wav",), 7)


def test_a_sound_that_took_the_place_of_a_deleted_one_is_itself(sounds: Path) -> None:
    files = described(sounds)
    (sounds / "tone-1.wav").replace(sounds / "tone-0.wav")
    found = match(sounds, files)
    assert found.missing == ("tone-0.wav",)
    assert found.locations["tone-1.wav"] == "tone-0.wav"


def test_only_usable_sounds_that_the_run_lacks_are_new(sounds: Path) -> None:
    files = described(sounds)
    write_tone(sounds / "new.wav", 999.0)
    shutil.copy(sounds / "new.wav", sounds / "new again.wav")
    shutil.copy(sounds / "tone-3.wav", sounds / "copy of a known one.wav")
    (sounds / "notes.txt").write_text("x")
    assert match(sounds, files).new == ("new.wav",)


def test_a_single_file_that_was_renamed_is_found_beside_its_place(sounds: Path) -> None:
    files = tuple(file for file in described(sounds) if file.path == "tone-3.wav")
    (sounds / "tone-3.wav").rename(sounds / "take.wav")
    found = match(sounds, files, "tone-3.wav")
    assert found == SoundMatch({"tone-3.wav": "take.wav"})  # what lies beside it is not new


def test_sounds_in_another_folder_are_found_whatever_its_layout(sounds: Path, tmp_path: Path) -> None:
    files = described(sounds)
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(sounds, elsewhere / "deep", copy_function=shutil.copy)
    assert match(elsewhere, files).locations == {file.path: f"deep/{file.path}" for file in files}


def test_only_what_changed_is_opened(sounds: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    files = described(sounds)
    os.utime(sounds / "tone-5.wav", (1, 1))
    real: Callable = soundfile.SoundFile.__init__

    def record(self: object, path: object, *rest: object, **options: object) -> None:
        opened.append(Path(os.fsdecode(path)).name)  # type: ignore[arg-type]
        real(self, path, *rest, **options)

    monkeypatch.setattr(soundfile.SoundFile, "__init__", record)
    match(sounds, files)
    assert set(opened) <= {"tone-5.wav"}


def test_matching_is_cancelled(sounds: Path) -> None:
    files = described(sounds)
    touch_all(sounds)
    with pytest.raises(Cancelled):
        match_sounds(Sources(sounds), files, lambda: True, lambda _: None)
