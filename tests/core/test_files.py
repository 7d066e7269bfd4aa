"""Files of a run: nothing but regular files, no links, bounded."""

import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from core.atomic import write_atomically
from core.files import list_names, open_regular, read_bounded, remove


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    path = tmp_path / "outside"
    path.write_text("precious")
    return path


@pytest.fixture
def run(tmp_path: Path) -> Path:
    path = tmp_path / "run"
    path.mkdir()
    return path


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


MAKE: dict[str, Callable[[Path, Path], object]] = {
    "link": lambda path, outside: path.symlink_to(outside),
    "dangling link": lambda path, outside: path.symlink_to(outside.with_name("nothing")),
    "link to a folder": lambda path, outside: path.symlink_to(outside.parent),
    "link to a device": lambda path, outside: path.symlink_to("/dev/zero"),
    "pipe": lambda path, outside: os.mkfifo(path),
    "socket": lambda path, outside: make_socket(path),
    "folder": lambda path, outside: path.mkdir(),
}


@pytest.mark.parametrize("kind", MAKE)
@pytest.mark.parametrize(
    "flags", [os.O_RDONLY, os.O_WRONLY | os.O_CREAT | os.O_APPEND, os.O_RDWR | os.O_CREAT]
)
def test_only_a_regular_file_is_opened(run: Path, outside: Path, kind: str, flags: int) -> None:
    MAKE[kind](run / "part", outside)
    with pytest.raises(OSError, match=r"part is (a link|not a regular file)"):
        open_regular(run / "part", flags, is_run=True)
    assert outside.read_text() == "precious"
    assert not outside.with_name("nothing").exists()


def test_a_file_with_a_second_name_is_read_but_not_written(run: Path, outside: Path) -> None:
    (run / "lock").hardlink_to(outside)
    assert read_bounded(run / "lock", 100, is_run=True) == b"precious"
    with pytest.raises(OSError, match="lock has a second name elsewhere"):
        open_regular(run / "lock", os.O_RDWR | os.O_CREAT, is_run=True)


def test_a_run_may_be_reached_through_a_link_but_not_its_folders(run: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(run)
    write_atomically(link / "run.json", b"{}", is_run=True)
    assert read_bounded(link / "run.json", 10, is_run=True) == b"{}"
    (run / "previews").symlink_to(tmp_path)
    for act in (
        lambda path: write_atomically(path, b"x"),
        lambda path: read_bounded(path, 10),
        remove,
        lambda path: open_regular(path, os.O_WRONLY | os.O_CREAT),
    ):
        with pytest.raises(OSError, match="previews is a link"):
            act(run / "previews" / "a.wav")
    assert list_names(run / "previews") == []
    assert not (tmp_path / "a.wav").exists()


def test_an_atomic_write_replaces_a_link_and_not_what_it_leads_to(run: Path, outside: Path) -> None:
    (run / "run.json").symlink_to(outside)
    (run / f".run.json.{os.getpid()}.tmp").symlink_to(outside)
    write_atomically(run / "run.json", b"new", is_run=True)
    assert outside.read_text() == "precious"
    assert (run / "run.json").read_text() == "new"
    assert sorted(path.name for path in run.iterdir()) == ["run.json"]


def test_an_atomic_write_that_fails_leaves_nothing_behind(run: Path) -> None:
    def parts() -> object:
        yield b"a"
        raise OSError("full")

    (run / "a").write_text("before")
    with pytest.raises(OSError, match="full"):
        write_atomically(run / "a", parts(), is_run=True)  # type: ignore[arg-type]
    assert [(path.name, path.read_text()) for path in run.iterdir()] == [("a", "before")]


def test_a_file_longer_than_it_may_be_is_not_read(run: Path) -> None:
    with (run / "run.json").open("wb") as file:
        file.truncate(100_000_000_000)  # of nothing: it takes no space
    with pytest.raises(OSError, match=r"run\.json is longer than 32 MB, which no such file of a run is"):
        read_bounded(run / "run.json", 32_000_000, is_run=True)


def test_a_link_that_takes_the_place_of_a_file_meanwhile_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the look at what is there and the opening of it."""
    outside, file = tmp_path / "outside", tmp_path / "run.log"
    outside.write_text("precious")
    file.touch()
    real = os.stat

    def stat(path: str | Path, **options: Any) -> os.stat_result:
        status = real(path, **options)
        if path == file.name and not file.is_symlink():
            file.unlink()
            file.symlink_to(outside)
        return status

    monkeypatch.setattr("os.stat", stat)
    with pytest.raises(OSError, match=r"link|levels"):
        os.close(open_regular(file, os.O_WRONLY | os.O_TRUNC))
    assert outside.read_text() == "precious"
