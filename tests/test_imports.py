"""What is imported when: the app must paint before torch loads, and `--help` answer at once."""

import subprocess
import sys

import pytest

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


def test_packages_keep_to_their_contracts() -> None:
    code = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports())"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
