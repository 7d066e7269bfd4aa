"""Damaged checkpoints are recognised, crafted ones run nothing, and the one before is taken."""

import io
import os
import pickle
import random
import shutil
import signal
import sys
import zipfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch

from core.checkpoints.archive import read_checkpoint, seal, serialise
from core.errors import CheckpointError
from core.runs import RunDirectory
from sda_tui.cli import main
from tests.faults.bases import make_bases
from tests.faults.child import run_forked
from tests.faults.mutations import damage
from tests.faults.tally import Fault, FaultKind, Tally, narrow, share_out

BATCH = 250
LIMIT_S = 300.0
STOP_S = 200.0  # for the last step of a run, on a machine that is busy with others
GROWTH_BYTES = 700_000_000
NEWEST = ("step-000000999.pt", "step-000000005.pt")  # beyond all steps of the run, and its newest
ODD_VALUES: tuple[Any, ...] = (
    *(
        None,
        True,
        -1,
        0,
        1,
        10**18,
        -(10**18),
        0.5,
        1e308,
        float("nan"),
        float("inf"),
        "",
        "\x1b[31mPWNED",
        "[/x]",
    ),
    *([], {}, [[]], {"a": 1}, {1: 2}, (), torch.zeros(0), torch.zeros(3), torch.full((2, 2), float("nan"))),
    *(
        torch.zeros(1, dtype=torch.int64),
        torch.zeros(1, dtype=torch.complex64),
        torch.zeros(10_000_000),
        10**400,
    ),
)


class Payload:
    """Would make a file when it is unpickled."""

    def __init__(self, call: Callable[..., object], *arguments: object) -> None:
        self._call, self._arguments = call, arguments

    def __reduce__(self) -> tuple[object, ...]:
        return self._call, self._arguments


def checkpoints_part(folder: Path, seed: int, flips: int, crafted: int, jobs: int) -> Tally:
    _, stopped, _ = make_bases(folder)
    whole = max((stopped / "checkpoints").glob("step-*.pt")).read_bytes()
    numbers = range(flips)
    shares = [numbers[first : first + BATCH] for first in range(0, flips, BATCH)]
    tally = share_out(partial(_try_flips, folder, whole, seed), shares, jobs)
    tally.add(share_out(partial(_try_crafted, folder, stopped, whole, seed), range(crafted), jobs))
    names = sorted(archives(folder / "ran"))
    random.Random(f"archives {seed}").shuffle(names)
    names = names[:crafted]
    tally.add(share_out(partial(_try_archive, folder, stopped), names, jobs))
    if (folder / "ran").exists():
        tally.faults.append(Fault(FaultKind.OUTSIDE, "a crafted archive", "was executed", 1))
    return tally


def _try_flips(folder: Path, whole: bytes, seed: int, numbers: Sequence[int]) -> Tally:
    tally = narrow(numbers, partial(_judge_flips, folder, whole, seed))
    tally.tried = len(numbers)
    return tally


def _judge_flips(folder: Path, whole: bytes, seed: int, numbers: Sequence[int]) -> Tally:
    def read_all() -> int:
        status = 0
        path = folder / f"flipped-{numbers[0]}-{os.getpid()}.pt"
        for number in numbers:
            how, data = damage(whole, random.Random(f"checkpoints {seed} {number}"))
            path.write_bytes(data)
            try:
                read_checkpoint(path)
            except CheckpointError:
                continue
            if data != whole:
                sys.stderr.write(f"{number}, {how}: taken for whole\n")
                status = 3
        path.unlink()
        return status

    outcome = run_forked(read_all, LIMIT_S)
    faults = outcome.faults(f"damaged checkpoint {numbers[0]} of seed {seed}")
    return Tally(longest_s=outcome.duration_s, peak_bytes=outcome.peak_bytes, faults=faults)


def _try_crafted(folder: Path, stopped: Path, whole: bytes, seed: int, number: int) -> Tally:
    """The newest checkpoint is whole but for one value that no run of ours would have."""
    draws = random.Random(f"crafted {seed} {number}")
    path = folder / f"crafted-{number:06}.pt"

    def craft() -> int:
        path.write_bytes(whole)
        state = read_checkpoint(path)
        sys.stdout.write(_change(state, draws))
        path.write_bytes(serialise(state))
        return 0

    crafted = run_forked(craft, LIMIT_S)
    culprit = f"crafted checkpoint {number} of seed {seed}: {crafted.stdout.decode()}"
    assert crafted.status == 0, crafted.stderr
    return _resume(folder, stopped, path.read_bytes(), culprit)


def _change(state: dict[str, Any], draws: random.Random) -> str:
    """Replace, drop or add one value somewhere in the state; where, and how."""
    holder: Any = state
    where: list[str] = []
    while True:
        key = draws.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        where.append(str(key))
        inner = holder[key]
        if isinstance(inner, dict | list) and inner and draws.random() < 0.85:
            holder = inner
            continue
        break
    if draws.random() < 0.2:
        del holder[key]
        return f"{'.'.join(where)} gone"
    holder[key] = draws.choice(ODD_VALUES)
    return f"{'.'.join(where)} = {str(holder[key])[:40]!r}"


def _try_archive(folder: Path, stopped: Path, name: str) -> Tally:
    return _resume(folder, stopped, archives(folder / "ran")[name], f"archive: {name}")


def _resume(folder: Path, stopped: Path, data: bytes, culprit: str) -> Tally:
    """With this as its newest checkpoint the run is continued from it, or from the one before, to its end."""
    name = random.Random(culprit).choice(NEWEST)
    culprit = f"{culprit} as {name}"
    run = RunDirectory(folder / f"run-{abs(hash(culprit))}")
    shutil.copytree(stopped, run.path)
    (run.checkpoints / name).write_bytes(data)
    outcome = run_forked(
        partial(main, ["resume", str(run.path), "--device", "cpu"]),
        LIMIT_S,
        {"SDA_CACHE": str(folder / "cache")},
        signals=[(STOP_S, signal.SIGTERM)],
    )
    faults = outcome.faults(culprit, {0}) or outcome.raw_controls(culprit)
    growth = outcome.peak_bytes - outcome.first_bytes
    if growth > GROWTH_BYTES:
        faults.append(Fault(FaultKind.WRONG, culprit, f"took {growth / 1e6:,.0f} MB"))
    shutil.rmtree(run.path)
    return Tally(1, outcome.duration_s, outcome.peak_bytes, faults)


def archives(ran: Path) -> dict[str, bytes]:
    """Files with a right checksum that want to run something or to unfold without end; by name."""
    payloads = {
        "Path.touch": Payload(Path.touch, ran),
        "os.system": Payload(os.system, f"touch '{ran}'"),
        "exec": Payload(exec, f"open({str(ran)!r}, 'w')"),
        "eval": Payload(eval, f"open({str(ran)!r}, 'w')"),
        "open": Payload(open, str(ran), "w"),
    }
    made = {}
    for name, payload in payloads.items():
        made[f"{name} in a state"] = seal(_saved({"format_version": 4, "model": payload}))
        made[f"{name} as a key"] = seal(_saved({"format_version": 4, (1, payload): 1}))
        made[f"{name} alone"] = seal(_saved(payload))
        made[f"{name}, bare"] = pickle.dumps(payload)
    big = _saved({"format_version": 4, "model": torch.zeros(1 << 24)})
    made["compressed"] = seal(_repacked(big, lambda name, data: data, zipfile.ZIP_DEFLATED))
    counted = _saved({"format_version": 4, "model": torch.zeros(77_777)})
    claims = (77_777).to_bytes(4, "little"), (2_000_000_000).to_bytes(4, "little")
    made["huge storage"] = seal(_repacked(counted, lambda name, data: data.replace(*claims)))
    made["no data"] = seal(_repacked(counted, lambda name, data: b"" if "/data/" in name else data))
    made["no pickle"] = seal(_repacked(counted, lambda name, data: b"" if name.endswith(".pkl") else data))
    made["odd byte order"] = seal(
        _repacked(counted, lambda name, data: b"middle" if "order" in name else data)
    )
    deep: list[Any] = []
    for _ in range(400):
        deep = [deep]
    made["deep"] = seal(_saved({"format_version": 4, "model": deep}))
    made["nothing"] = seal(_saved({}))
    made["format only"] = seal(_saved({"format_version": 4}))
    return made


def _saved(value: object) -> io.BytesIO:
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer


def _repacked(
    buffer: io.BytesIO, change: Callable[[str, bytes], bytes], compression: int = zipfile.ZIP_STORED
) -> io.BytesIO:
    packed = io.BytesIO()
    with zipfile.ZipFile(buffer) as plain, zipfile.ZipFile(packed, "w", compression) as archive:
        for name in plain.namelist():
            archive.writestr(name, change(name, plain.read(name)))
    return packed
