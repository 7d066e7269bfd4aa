"""Paths as people type them, and as terminals and file managers paste them."""

from pathlib import Path

import pytest

from sda_tui.pasted import join_lines, read_paths


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that we are in, and home too, with some names in it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("My Sounds", "Bob's", "a\\b", "drums", "Töne", "50%"):
        (tmp_path / name).mkdir()
    return tmp_path


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("", []),
        ("  \n", []),
        ("''", []),
        ("drums", ["drums"]),
        ("  drums/ \r\n", ["drums"]),
        ("My Sounds", ["My Sounds"]),
        (r"My\ Sounds ", ["My Sounds"]),
        ("'My Sounds'", ["My Sounds"]),
        ('"My Sounds"', ["My Sounds"]),
        ("Bob's", ["Bob's"]),
        (r"Bob\'s", ["Bob's"]),
        (r"'Bob'\''s'", ["Bob's"]),
        ("a\\b", ["a\\b"]),
        ("~/My Sounds", ["~/My Sounds"]),
        (r"~/My\ Sounds", ["~/My Sounds"]),
        ("drums Töne", ["drums", "Töne"]),
        (r"drums My\ Sounds 'Töne'", ["drums", "My Sounds", "Töne"]),
        ("drums gone", ["drums", "gone"]),
        ("My Suonds", ["My Suonds"]),
        (r"My\ Suonds", ["My Suonds"]),
        ("it's gone", ["it's gone"]),
        ("~nosuchuser/x", ["~nosuchuser/x"]),
        ("file:///tmp/My%20Sounds", ["/tmp/My Sounds"]),
        ("file://localhost/tmp/T%C3%B6ne\r\n", ["/tmp/Töne"]),
        ("file:///tmp/50%25", ["/tmp/50%"]),
        ("file:///tmp/Bob's%20what?#1", ["/tmp/Bob's what?#1"]),
        ("file:///tmp/%FF", ["/tmp/\udcff"]),
        ("file:///a file:///b%20c", ["/a", "/b c"]),
        ("'file:///tmp/My Sounds' drums", ["/tmp/My Sounds", "drums"]),
        ("50%", ["50%"]),
        ("a\0b", ["a\0b"]),
    ],
)
def test_a_line_names_these_paths(typed: str, expected: list[str]) -> None:
    assert read_paths(typed) == [Path(path) for path in expected]


@pytest.mark.parametrize(
    ("pasted", "expected"),
    [
        ("drums\n", ["drums"]),
        ("My Sounds\nBob's\ndrums\n", ["My Sounds", "Bob's", "drums"]),
        ("My\\ Sounds\r\n'drums'\r\n\r\n", ["My Sounds", "drums"]),
        ("file:///a%20b\r\nfile:///c\r\n", ["/a b", "/c"]),
    ],
)
def test_pasted_lines_name_a_path_each(pasted: str, expected: list[str]) -> None:
    assert read_paths(join_lines(pasted)) == [Path(path) for path in expected]


def test_paths_dragged_one_after_the_other_stay_apart() -> None:
    assert join_lines("/a/x.wav ") + join_lines("'/b/y z.wav' ") == "/a/x.wav '/b/y z.wav' "
