"""Where a folder can be opened, and where its path is copied instead."""

import subprocess
from pathlib import Path

import pytest

from sda_tui.reveal import find_opener, reveal


@pytest.mark.parametrize(
    ("platform", "environment", "opener"),
    [
        ("linux", {"DISPLAY": ":0"}, "/bin/xdg-open"),
        ("linux", {"WAYLAND_DISPLAY": "wayland-0"}, "/bin/xdg-open"),
        ("linux", {}, None),
        ("linux", {"DISPLAY": "localhost:10.0", "SSH_CONNECTION": "1 2 3 4"}, None),
        ("linux", {"BROWSER": "/vscode/browser.sh"}, None),
        ("darwin", {}, "/bin/open"),
        ("darwin", {"SSH_TTY": "/dev/ttys000"}, None),
    ],
)
def test_a_folder_is_opened_only_where_the_user_sees_it(
    platform: str, environment: dict[str, str], opener: str | None
) -> None:
    assert find_opener(environment, platform, lambda name: f"/bin/{name}") == opener


def test_without_an_opener_the_path_is_to_be_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert reveal(Path("runs"), {}) == str(tmp_path / "runs")
    assert find_opener({"DISPLAY": ":0"}, "linux", lambda _: None) is None


def test_the_folder_of_a_file_is_opened_without_browser(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[list[str], dict[str, str]]] = []
    monkeypatch.setattr(subprocess, "Popen", lambda words, env, **_: started.append((words, env)))
    monkeypatch.setattr("sda_tui.reveal.find_opener", lambda _: "/bin/open-it")
    file = tmp_path / "model.ts"
    file.touch()
    assert reveal(file, {"DISPLAY": ":0", "BROWSER": "lynx"}) is None
    assert started == [(["/bin/open-it", str(tmp_path)], {"DISPLAY": ":0"})]
