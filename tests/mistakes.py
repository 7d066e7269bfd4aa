"""Plants small mistakes in the code, one at a time, and lists those that no test finds.

`python -m tests.mistakes`, or with words to choose those whose file or line holds one of them.  The mistakes
are in `tests/data/mistakes.toml`.  Each is planted in a copy of the project; the tests named there run first,
then those of the fast tier.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).parent.parent
COPIED = (
    "core",
    "sda_tui",
    "tests",
    "benchmarks",
    "screenshots",
    "pyproject.toml",
    "docs",
    "README.md",
    "Makefile",
)
TIMEOUT_S = 900


@dataclass(frozen=True)
class Mistake:
    """`wrong` instead of `right`, which is in the file at `path` once; `tests` run first."""

    path: str
    right: str
    wrong: str
    tests: tuple[str, ...]


@dataclass(frozen=True)
class Outcome:
    """`found_by` is the first test that failed, or empty; `problem` says why nothing could be tried."""

    mistake: Mistake
    found_by: str
    problem: str = ""


def try_mistake(tree: Path, mistake: Mistake, workers: str, is_quick: bool) -> Outcome:
    """Plant a mistake in the copy of the project at `tree`, run the tests, and take it back."""
    path = tree / mistake.path
    right = path.read_text(encoding="utf-8") if path.exists() else ""
    if right.count(mistake.right) != 1:
        return Outcome(mistake, "", f"its line is there {right.count(mistake.right)} times, not once")
    path.write_text(right.replace(mistake.right, mistake.wrong), encoding="utf-8")
    try:
        for selection in ([*mistake.tests], [] if is_quick else ["-m", "not slow and not audio"]):
            if found := _failing_test(tree, selection, workers):
                return Outcome(mistake, found)
    finally:
        path.write_text(right, encoding="utf-8")
    return Outcome(mistake, "")


def _failing_test(tree: Path, selection: list[str], workers: str) -> str:
    if not selection:
        return ""
    command = [sys.executable, "-m", "pytest", "-x", "-n", workers, "-p", "no:cacheprovider", *selection]
    environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        ended = subprocess.run(
            command, cwd=tree, env=environment, capture_output=True, text=True, timeout=TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return "a test that does not end"
    if ended.returncode == 0:
        return ""
    failed = [line for line in ended.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return failed[0].split(" - ")[0] if failed else f"pytest ended with {ended.returncode}"


def read_mistakes() -> list[Mistake]:
    with (PROJECT / "tests/data/mistakes.toml").open("rb") as file:
        listed = tomllib.load(file)["mistake"]
    return [Mistake(**{**each, "tests": tuple(each["tests"])}) for each in listed]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*", help="only mistakes whose file or line holds one of these")
    parser.add_argument("--workers", default="2", help="processes that run tests (2)")
    parser.add_argument("--quick", action="store_true", help="leave out the fast tier")
    parsed = parser.parse_args()
    chosen = [
        each
        for each in read_mistakes()
        if not parsed.words or any(word in each.path or word in each.wrong for word in parsed.words)
    ]
    outcomes = []
    with tempfile.TemporaryDirectory(prefix="sda-mistakes-") as folder:
        for name in COPIED:
            source, target = PROJECT / name, Path(folder) / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, target)
        for number, mistake in enumerate(chosen, 1):
            started_s = time.monotonic()
            outcome = try_mistake(Path(folder), mistake, parsed.workers, parsed.quick)
            outcomes.append(outcome)
            verdict = outcome.problem or outcome.found_by or "NOT FOUND"
            print(
                f"{number:3} {time.monotonic() - started_s:4.0f} s  {mistake.path}: {mistake.wrong.strip()}"
            )
            print(f"             {verdict}", flush=True)
    tried = [each for each in outcomes if not each.problem]
    left = [each for each in tried if not each.found_by]
    print(f"\n{len(tried)} mistakes planted, {len(left)} not found by any test")
    return 1 if left or len(tried) < len(outcomes) else 0


if __name__ == "__main__":
    sys.exit(main())
