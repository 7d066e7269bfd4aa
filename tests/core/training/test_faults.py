"""Killed processes; `make test-faults` kills a hundred times."""

import subprocess
import sys
from pathlib import Path


def test_killed_runs_end_as_if_nothing_had_happened() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults", "--kills", "1"],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("the same model") == 6
