"""Commands that the program suggests are complete: pasted into a shell in another folder, they work."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import core
import sda_tui
from sda_tui.advice import command
from sda_tui.cli import command_names
from tests.conftest import TINY, write_tones

SOURCES = [path for package in (core, sda_tui) for path in Path(package.__path__[0]).rglob("*.py")]
ODD = 'it\'s $HOME; "my" `runs`'

Paste = Callable[[str], "subprocess.CompletedProcess[str]"]


@pytest.fixture
def paste(tmp_path: Path) -> Paste:
    """Runs a line in bash, in an empty folder, with `sda-tui` on the path."""
    elsewhere, programs = tmp_path / "elsewhere", tmp_path / "bin"
    elsewhere.mkdir()
    programs.mkdir()
    program = programs / "sda-tui"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m sda_tui "$@"\n')
    program.chmod(0o755)
    repository = str(Path(__file__).parent.parent.parent)
    environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "PYTHONPATH": repository}

    def run(line: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["/bin/bash", "-c", line],
            cwd=elsewhere,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )

    return run


def suggested(done: "subprocess.CompletedProcess[str]") -> list[str]:
    """The commands between backquotes in what a command printed; a path may have some too."""
    found = re.findall(r"`(sda-tui .*?)`(?=[ .;,]|$)", done.stdout + done.stderr, re.MULTILINE)
    assert found, f"no command was suggested:\n{done.stdout}{done.stderr}"
    return found


def check_works(done: "subprocess.CompletedProcess[str]") -> None:
    """The command was understood, and found the run or the folder that it is about."""
    assert done.returncode != 2, done.stderr
    for reason in ("There is no run", "does not exist", "No such file", "unexpected EOF"):
        assert reason not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.timeout(600)  # starts the program some twenty times
def test_every_suggestion_of_a_command_can_be_pasted(tmp_path: Path, paste: Paste) -> None:
    (tmp_path / ODD).mkdir()
    sounds, root = write_tones(tmp_path / ODD / "drums & bass"), tmp_path / ODD / "all runs"
    silent = tmp_path / ODD / "no sounds"
    silent.mkdir()
    (silent / "notes.txt").write_text("no sound")

    def say(*words: str | Path) -> str:
        return command(*words).strip("`")

    settings = [word for key, value in TINY.items() for word in ("--set", f"{key}={value}")]
    train = say("train", sounds, "--runs", root, "--name", "first", *settings)
    for line in (
        say("runs", "--runs", root),  # none yet
        say("attach", "--runs", root),  # none is live
        say("resume", "nowhere", "--runs", root),
        say("scan", silent),
        say("cache"),
        train,
        train,  # the name is taken
        say("resume", root / "first"),  # it has finished
    ):
        for suggestion in suggested(paste(line)):
            check_works(paste(suggestion))


@pytest.mark.parametrize("name", [ODD, "tab\tand\x1b[31m red", "a\nline", "Latin-1 \udce9", "späß", "\\'"])
def test_a_path_survives_the_shell(name: str, tmp_path: Path, paste: Paste) -> None:
    line = command("scan", tmp_path / name).strip("`")
    assert line.isprintable()
    words = paste(f"set -- {line}; for word; do printf '%s\\0' \"$word\" | base64 -w0; echo; done").stdout
    decoded = paste(f"echo {words.split()[-1]} | base64 -d | od -An -tx1 -v").stdout
    assert bytes.fromhex(decoded) == os.fsencode(tmp_path / name) + b"\0"


@pytest.mark.parametrize(
    "path", SOURCES, ids=lambda path: str(path.relative_to(Path(core.__path__[0]).parent))
)
def test_no_command_is_written_out_beside_the_advice(path: Path) -> None:
    """A literal command lacks the path or its quotes; `sda_tui.advice.command` makes complete ones."""
    if path.name in ("advice.py", "arguments.py"):
        return
    pattern = re.compile(rf"sda-tui ({'|'.join(command_names())}|--)")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    literals = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings
    ]
    assert not [literal for literal in literals if pattern.search(literal)]
