"""Files that systems and programs leave beside sounds."""

from pathlib import Path

import pytest

from core.data.litter import litter_owner
from tests.conftest import scan_folder
from tests.sounds import write_tone


def test_files_of_macos_are_counted_in_one_line_and_get_no_verdict(tmp_path: Path) -> None:
    write_tone(tmp_path / "kick.wav")
    (tmp_path / "__MACOSX").mkdir()
    for name in ("._kick.wav", ".DS_Store", ".snare.wav.icloud", "kick.wav.asd", "__MACOSX/._kick.wav"):
        (tmp_path / name).write_bytes(b"\0\5\x16\7" + bytes(100))
    report = scan_folder(tmp_path)
    assert [file.path for file in report.files] == ["kick.wav"]
    assert report.notes == ("4 files of macOS left out, and 1 of audio programs.",)


def test_a_single_file_of_windows_is_counted(tmp_path: Path) -> None:
    write_tone(tmp_path / "kick.wav")
    (tmp_path / "Thumbs.db").touch()
    assert scan_folder(tmp_path).notes == ("1 file of Windows left out.",)


@pytest.mark.parametrize("name", ["kick.wav", "_kick.wav", ".hidden.wav", "asd.wav", "icloud.mp3", "peak"])
def test_sounds_are_no_litter(name: str) -> None:
    assert litter_owner(name) == ""
