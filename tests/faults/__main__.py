"""The command: which parts to run, how much of each, and the table at the end."""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch

import tests.faults
from tests.faults.tally import HEAD, Tally


def audio(arguments: argparse.Namespace, folder: Path) -> Tally:
    from tests.faults.audio import audio_part

    return audio_part(folder, arguments.seed, arguments.audio, arguments.jobs, arguments.keep)


def runs(arguments: argparse.Namespace, folder: Path) -> Tally:
    from tests.faults.runs import runs_part

    return runs_part(folder, arguments.seed, arguments.runs, arguments.attached, arguments.jobs)


def environment(arguments: argparse.Namespace, folder: Path) -> Tally:
    from tests.faults.environment import environment_part

    return environment_part(folder, arguments.seed, arguments.cases, arguments.jobs)


def kills(arguments: argparse.Namespace, folder: Path) -> Tally:
    from tests.faults.kills import kills_part

    return kills_part(folder, arguments.seed, arguments.kills)


# In this order: whatever is forked before torch is imported is smaller and starts sooner.
PARTS: dict[str, Callable[[argparse.Namespace, Path], Tally]] = {
    "audio": audio,
    "environment": environment,
    "runs": runs,
    "kills": kills,
}


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.faults",
        description=tests.faults.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; all if left out")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes at a time")
    parser.add_argument("--audio", type=int, default=5000, help="damaged sounds")
    parser.add_argument("--runs", type=int, default=1000, help="hostile run directories")
    parser.add_argument("--attached", type=int, default=100, help="of these shown by the app in a terminal")
    parser.add_argument("--cases", type=int, default=1000, help="poor machines; all there are at most")
    parser.add_argument("--kills", type=int, default=100, help="random moments")
    parser.add_argument("--keep", type=Path, help="a folder for the inputs that something went wrong with")
    arguments = parser.parse_args()
    if unknown := set(arguments.parts) - PARTS.keys():
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    if arguments.keep:
        arguments.keep.mkdir(parents=True, exist_ok=True)
    tallies = {}
    for name in [each for each in PARTS if not arguments.parts or each in arguments.parts]:
        with tempfile.TemporaryDirectory(prefix=f"faults-{name}-") as folder:
            tallies[name] = PARTS[name](arguments, Path(folder))
    print(HEAD)
    for name, tally in tallies.items():
        print(tally.row(name))
    return int(any(tally.faults for tally in tallies.values()))


if __name__ == "__main__":
    sys.exit(main())
