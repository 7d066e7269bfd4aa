"""What imports what: the app must paint before torch loads, and reach the engine by one module only."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ENGINE = ("torch", "torchaudio", "sounddevice")


def imported(module: str, unwanted: tuple[str, ...]) -> list[str]:
    """Those of `unwanted` that importing a module brings along."""
    code = f"import sys, {module}; print(*(name for name in {unwanted!r} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return done.stdout.split()


@pytest.mark.parametrize(
    "module", ["core.config", "core.events", "core.runs", "core.data.scan", "core.engine", "sda_tui.app"]
)
def test_the_engine_is_not_imported_by(module: str) -> None:
    assert imported(module, ENGINE) == []


def test_the_first_paint_waits_for_nothing_heavy() -> None:
    heavy = (
        "numpy",
        "soundfile",
        "soxr",
        "plotext",
        "psutil",
        "core.config",
        "core.events",
        "sda_tui.screens",
    )
    assert imported("sda_tui.launch, sda_tui.app", heavy) == []


def test_the_command_line_imports_nothing_heavy() -> None:
    heavy = (*ENGINE, "textual", "rich", "numpy", "plotext", "importlib.metadata")
    assert imported("sda_tui.cli", heavy) == []


def lint_imports(root: Path) -> "subprocess.CompletedProcess[str]":
    """Check the tree at `root` against the contracts in its pyproject.toml."""
    code = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root), "COLUMNS": "200"},
        check=False,
        capture_output=True,
        text=True,
    )


def test_packages_keep_to_their_contracts() -> None:
    done = lint_imports(ROOT)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("module", ["core.training.control", "core.optim", "core.planted"])
def test_planted_import_of_the_engine_by_the_app_is_refused(tmp_path: Path, module: str) -> None:
    """Of an old module, and of a new one, which no list names."""
    for package in ("core", "sda_tui", "tests"):
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "core" / "planted.py").touch()
    session = tmp_path / "sda_tui" / "session.py"
    line = len(session.read_text().splitlines()) + 1
    refusal = f"sda_tui.session is not allowed to import {module} (l.{line})"
    assert refusal not in lint_imports(tmp_path).stdout
    with session.open("a") as file:
        file.write(f"import {module}\n")
    done = lint_imports(tmp_path)
    assert done.returncode == 1
    assert refusal in done.stdout
