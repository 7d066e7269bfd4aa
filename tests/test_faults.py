"""A short version of what `make test-faults` tries at length."""

import subprocess
import sys
from pathlib import Path

import pytest

COUNTS = {
    "audio": "--audio 60",
    "environment": "--environment 5",
    "settings": "--settings 100",
    "runs": "--runs 5 --attached 1",
    "checkpoints": "--checkpoints 50 --crafted 1",
    "signals": "--signals 1",
    "kills": "--kills 0",
}


@pytest.mark.parametrize("part", COUNTS)
def test_faults_on_purpose_do_no_harm(part: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults", part, "--jobs", "1", *COUNTS[part].split()],
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"| {part} |" in done.stdout
