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


def environment(arguments: argparse.Namespace, folder: Path) -> Tally:
    from tests.faults.environment import environment_part

    return environment_part(folder, arguments.seed, arguments.environment, arguments.jobs)


def settings(arguments: argparse.Namespace, folder: Path) -> Tally:
    from tests.faults.settings import settings_part

    return settings_part(folder, arguments.seed, arguments.settings, arguments.jobs)


def runs(arguments: argparse.Namespace, folder: Path) -> Tally:
    from tests.faults.runs import runs_part

    return runs_part(folder, arguments.seed, arguments.runs, arguments.attached, arguments.jobs)


def checkpoints(arguments: argparse.Namespace, folder: Path) -> Tally:
    from tests.faults.checkpoints import checkpoints_part

    return checkpoints_part(folder, arguments.seed, arguments.checkpoints, arguments.crafted, arguments.jobs)


def signals(arguments: argparse.Namespace, folder: Path) -> Tally:
    from tests.faults.signals import signals_part

    return signals_part(folder, arguments.seed, arguments.signals, arguments.jobs)


def kills(arguments: argparse.Namespace, folder: Path) -> Tally:
    from tests.faults.kills import kills_part

    return kills_part(folder, arguments.seed, arguments.kills)


# In this order: what is forked before torch is imported is smaller and starts sooner.
PARTS: dict[str, Callable[[argparse.Namespace, Path], Tally]] = {
    "audio": audio,
    "environment": environment,
    "settings": settings,
    "runs": runs,
    "checkpoints": checkpoints,
    "signals": signals,
    "kills": kills,
}
COUNTS = {
    "audio": (5000, "damaged sounds"),
    "environment": (1000, "poor machines; all there are at most"),
    "settings": (3000, "odd values"),
    "runs": (1000, "hostile run directories"),
    "attached": (60, "of these shown by the app in a terminal"),
    "checkpoints": (2600, "damaged checkpoints"),
    "crafted": (128, "crafted checkpoints with a right checksum"),
    "signals": (40, "pairs of signals"),
    "kills": (100, "random moments"),
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
    parser.add_argument("--keep", type=Path, help="a folder for the sounds that something went wrong with")
    for name, (count, help_text) in COUNTS.items():
        parser.add_argument(f"--{name}", type=int, default=count, help=f"{help_text} ({count})")
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
