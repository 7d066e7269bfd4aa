"""Odd values of settings: each is accepted or refused with a sentence, and nothing else happens."""

import itertools
import random
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from core.config import SETTINGS, TrainingConfig, parse_assignment
from core.data.report import ScanReport
from core.data.scan import scan
from core.errors import SdaError
from core.runs import RunManifest, estimate_run
from core.text import printable
from sda_tui.cli import main
from tests.faults.bases import write_sounds
from tests.faults.child import run_forked
from tests.faults.tally import Tally, narrow, share_out

BATCH = 100
REFUSED = 2
LIMIT_S = 120.0
VALUES = (
    *(
        "",
        " ",
        "0",
        "-0",
        "-1",
        "1",
        "2",
        "+1",
        "1.0",
        "0.5",
        "1e-9",
        "1e-400",
        "1e3",
        "1e308",
        "1e400",
        "nan",
        "-inf",
    ),
    *(
        "inf",
        "9" * 400,
        "-" + "9" * 5000,
        "0x10",
        "1_000",
        "١٢",
        "½",
        "1,5",
        "1/2",
        "None",
        "null",
        "auto",
        "AUTO",
    ),
    *(
        "yes",
        "no",
        "true",
        "[]",
        "{}",
        "a=b",
        "==",
        "\x1b[31m",
        "\x00",
        "\udcff",
        "\u202e1",
        "[bold]",
        "%s",
        "~",
    ),
    *(
        "~nobody-here",
        "/dev/zero",
        "/",
        ".",
        "x" * 100_000,
        "1 2",
        "1\n2",
        "convolutional",
        "refined",
        "usual",
        "mse",
    ),
)
NAMES = ("", "=", "epoch", "EPOCHS", "__class__", "\x1b[31m", "\udcff", "[x]", "a" * 10_000, "epochs ")


def settings_part(folder: Path, seed: int, count: int, jobs: int) -> Tally:
    """Every setting with every value, then pairs drawn by the seed, `count` in all at most."""
    write_sounds(folder / "sounds")
    grid = [(f"{name}={value}",) for name, value in itertools.product((*SETTINGS, *NAMES), VALUES)]
    draws = random.Random(f"settings {seed}")
    draws.shuffle(grid)
    pairs = [(*draws.choice(grid), *draws.choice(grid)) for _ in range(count - len(grid))]
    tried = [*grid, *pairs][:count]
    shares = [tried[first : first + BATCH] for first in range(0, len(tried), BATCH)]
    return share_out(partial(_try_batch, folder / "sounds"), shares, jobs)


def _try_batch(sounds: Path, batch: Sequence[Sequence[str]]) -> Tally:
    tally = narrow(batch, partial(_judge, sounds))
    tally.tried = len(batch)
    return tally


def _judge(sounds: Path, batch: Sequence[Sequence[str]]) -> Tally:
    outcome = run_forked(
        partial(_set_all, sounds, batch), LIMIT_S, {"SDA_CACHE": str(sounds.parent / "cache")}
    )
    culprit = (
        " ".join(repr(each[:60]) for each in batch[0]) if len(batch) == 1 else f"one of {len(batch)} settings"
    )
    faults = outcome.faults(culprit) or outcome.raw_controls(culprit)
    return Tally(longest_s=outcome.duration_s, peak_bytes=outcome.peak_bytes, faults=faults)


def _set_all(sounds: Path, batch: Sequence[Sequence[str]]) -> int:
    """Give each to `train`, which then finds no folder, and estimate a run of those that it accepts."""
    *_, report = scan(sounds, TrainingConfig().chunk_duration_s)
    assert isinstance(report, ScanReport)
    worst = 0
    for assignments in batch:
        words = [f"--set={each}" for each in assignments]
        status = main(["train", str(sounds / "missing"), "--device", "cpu", *words])
        worst = max(worst, status)
        if status == REFUSED:
            continue
        try:
            values = dict(parse_assignment(each) for each in assignments)
            estimate_run(RunManifest.from_scan(report, "balanced", TrainingConfig().with_settings(values)))
        except SdaError as error:
            sys.stderr.write(f"{printable(str(error))}\n")
    return worst
