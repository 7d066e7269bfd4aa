"""What is remembered from one start to the next."""

from pathlib import Path

import pytest

from sda_tui.configuration.location import user_folder
from sda_tui.remembered import FILE_NAME, recall, remember


def remembered_file() -> Path:
    folder = user_folder()
    assert folder is not None
    return folder / FILE_NAME


def test_values_are_recalled_by_name_and_by_the_type_of_the_default() -> None:
    assert recall("theme", "dark") == "dark"
    remember("theme", "light")
    remember("panels", ["loss", "KL"])
    remember("smoothing", 3)
    assert recall("theme", "dark") == "light"
    assert recall("panels", ()) == ("loss", "KL")
    assert recall("panels", [""]) == ["loss", "KL"]
    assert recall("smoothing", 60) == 3
    assert recall("smoothing", "none") == "none"
    assert recall("smoothing", False) is False
    assert remembered_file().stat().st_mode & 0o777 == 0o600
    assert list(remembered_file().parent.iterdir()) == [remembered_file()]


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b"\xff\xfe", b"[" * 50_000, b'{"theme": null}'])
def test_a_damaged_file_is_forgotten_and_replaced(damage: bytes) -> None:
    path = remembered_file()
    path.parent.mkdir(parents=True)
    path.write_bytes(damage)
    assert recall("theme", "dark") == "dark"
    remember("theme", "light")
    assert recall("theme", "dark") == "light"


def test_what_cannot_be_written_is_not_remembered() -> None:
    remember("theme", object())
    remember("long", "x" * 100_000)
    assert recall("theme", "dark") == "dark"
    remembered_file().parent.parent.mkdir(parents=True, exist_ok=True)
    remembered_file().parent.write_text("a file where the folder should be")
    remember("theme", "light")
    assert recall("theme", "dark") == "dark"
