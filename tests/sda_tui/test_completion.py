"""What a shell offers after Tab: asked in a real bash."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sda_tui.arguments import build_parser
from sda_tui.completion import shell_script, with_command

ROOT = Path(__file__).parents[2]
BASH = shutil.which("bash")
# What bash does at Tab: calls the function that was registered, with the words split at its word breaks.
ASK = r"""
ask() {
    COMP_LINE="sda-tui $1"; COMP_POINT=${#COMP_LINE}; COMP_TYPE=9
    COMP_WORDS=($COMP_LINE); [[ "$COMP_LINE" == *" " ]] && COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=()
    _python_argcomplete sda-tui 2>/dev/null
    echo "${COMPREPLY[@]}"
}
"""
Ask = Callable[..., list[set[str]]]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Asks bash for each of these lines, in a folder with runs and sounds."""
    if BASH is None:
        pytest.skip("there is no bash here")
    for name in ("drums-001", "drums-002", "voices-001"):
        (tmp_path / "runs" / name).mkdir(parents=True)
        (tmp_path / "runs" / name / "run.json").touch()
    (tmp_path / "runs" / "no-run").mkdir()
    (tmp_path / "sounds").mkdir()
    (tmp_path / "kick.wav").touch()
    program = tmp_path / "bin" / "sda-tui"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m sda_tui "$@"\n')
    program.chmod(0o755)
    environment = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}

    def ask(*lines: str) -> list[set[str]]:
        script = shell_script("bash") + ASK + "\n".join(f"ask '{line}'" for line in lines)
        done = subprocess.run(
            [BASH, "--norc", "-c", script],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=100,
            check=True,
        )
        return [set(line.split()) for line in done.stdout.splitlines()]

    return ask


@pytest.mark.slow
def test_bash_completes_commands_options_and_values(ask: Ask) -> None:
    commands, resume, runs, presets, settings, values, options, folders = ask(
        "",
        "res",
        "attach d",
        "train sounds --preset ",
        "train sounds --set early",
        "train sounds --set model=",
        "runs --j",
        "scan s",
    )
    assert commands >= build_parser()[1] | {"sounds/", "kick.wav"}
    assert "open" not in commands
    assert resume == {"resume"}
    assert runs == {"drums-001", "drums-002"}
    assert presets == {"conservative", "balanced", "aggressive"}
    assert settings == {"early_stopping="}
    assert values == {"pca_unet", "convolutional"}, "bash takes the sign for the end of a word"
    assert options == {"--json"}
    assert folders == {"sounds/"}


@pytest.mark.slow
def test_bash_completes_what_depends_on_the_line_before(ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "other" / "far-001").mkdir(parents=True)
    (tmp_path / "other" / "far-001" / "run.json").touch()
    elsewhere, file, app, made = ask(
        "export --runs other ", "generate kic", "sounds --de", "generate drums-001 --format wav"
    )
    assert elsewhere == {"far-001"}
    assert file == {"kick.wav"}, "no run has such a name, but RUN may be a file"
    assert app == {"--demo"}, "without a command it is the app's"
    assert made == {"wav16", "wav24"}


def test_a_line_without_a_command_is_the_apps() -> None:
    line = "sda-tui drums --d"
    assert with_command(line, len(line), {"scan"}) == ("sda-tui open drums --d", len(line) + 5)
    for other in ("sda-tui", "sda-tui dru", "sda-tui scan ", "sda-tui --help "):
        assert with_command(other, len(other), {"scan"}) == (other, len(other))


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_that_it_understands(shell: str) -> None:
    script = shell_script(shell)
    assert f"sda-tui completion {shell}" in script.splitlines()[0]
    program = shutil.which(shell)
    if program is not None:
        assert subprocess.run([program, "-n"], input=script, text=True, check=False).returncode == 0
