"""Damaged sounds: a scan gives each one verdict, and what it calls usable decodes to finite samples."""

import json
import random
import shutil
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from core.audio.reader import Decoders, decode_mono
from core.data.report import Verdict
from core.errors import AudioFileError
from sda_tui.cli import main
from tests.faults.child import Outcome, run_forked
from tests.faults.mutations import mutate
from tests.faults.sounds import SeedSound, seed_sounds
from tests.faults.tally import Fault, FaultKind, Tally, narrow, share_out

BATCH = 100  # files of one scanned folder
SAMPLE_RATE = 48_000
LIMIT_S, LIMIT_PER_FILE_S = 30.0, 0.7
GROWTH_BYTES = 400_000_000  # that scanning or decoding may add to what the program takes when it starts
VERDICTS = {verdict.value for verdict in Verdict} - {Verdict.WAITING.value}


def audio_part(folder: Path, seed: int, count: int, jobs: int, kept: Path | None) -> Tally:
    seeds = seed_sounds(folder)
    numbers = range(count)
    shares = [numbers[first : first + BATCH] for first in range(0, count, BATCH)]
    return share_out(partial(_try_batch, folder, seeds, seed, kept), shares, jobs)


def _try_batch(
    folder: Path, seeds: Sequence[SeedSound], seed: int, kept: Path | None, numbers: Sequence[int]
) -> Tally:
    mutants = folder / f"mutants-{numbers[0]:06}"
    mutants.mkdir()
    paths = []
    for number in numbers:
        name, data = mutate(seeds, random.Random(f"audio {seed} {number}"))
        paths.append(mutants / f"{number:06}-{name}")
        paths[-1].write_bytes(data)
    tally = narrow(paths, partial(_judge, folder / f"tried-{numbers[0]:06}"))
    tally.tried = len(paths)
    for fault in tally.faults:
        if kept is not None and (mutants / fault.culprit).is_file():
            shutil.copy(mutants / fault.culprit, kept)
    shutil.rmtree(mutants)
    return tally


def _judge(place: Path, paths: Sequence[Path]) -> Tally:
    """Scan a folder of these files, then decode the usable ones as training does."""
    place.mkdir()
    sounds, cache = place / "sounds", place / "cache"
    sounds.mkdir()
    for path in paths:
        (sounds / path.name).hardlink_to(path)
    culprit = paths[0].name if len(paths) == 1 else f"{paths[0].name} … {paths[-1].name}"
    limit_s = LIMIT_S + LIMIT_PER_FILE_S * len(paths)
    environment = {"SDA_CACHE": str(cache)}
    scanned = run_forked(lambda: main(["scan", str(sounds), "--json"]), limit_s, environment)
    tally = _counted(scanned, culprit)
    usable: list[str] = []
    if not tally.faults:
        tally.faults += scanned.raw_controls(culprit)
        usable, faults = _read_report(scanned, paths, culprit)
        tally.faults += faults
    if usable:
        decoded = run_forked(partial(_decode, sounds, usable), limit_s, environment)
        tally.add(_counted(decoded, culprit))
    shutil.rmtree(place)
    return tally


def _counted(outcome: Outcome, culprit: str) -> Tally:
    faults = outcome.faults(culprit)
    growth = outcome.peak_bytes - outcome.first_bytes
    if growth > GROWTH_BYTES:
        faults.append(Fault(FaultKind.WRONG, culprit, f"took {growth / 1e6:,.0f} MB"))
    return Tally(longest_s=outcome.duration_s, peak_bytes=outcome.peak_bytes, faults=faults)


def _read_report(scanned: Outcome, paths: Sequence[Path], culprit: str) -> tuple[list[str], list[Fault]]:
    """The usable files, and what is wrong with the report."""
    try:
        files = json.loads(scanned.stdout)["files"]
    except (ValueError, KeyError) as error:
        return [], [Fault(FaultKind.WRONG, culprit, f"no JSON ({error}): {scanned.stdout[:80]!r}")]
    faults = []
    if sorted(file["path"] for file in files) != sorted(path.name for path in paths):
        faults.append(Fault(FaultKind.WRONG, culprit, f"{len(files)} verdicts for {len(paths)} files"))
    faults += [
        Fault(FaultKind.WRONG, file["path"], f"verdict {file['verdict']!r}, {file['detail']!r}")
        for file in files
        if file["verdict"] not in VERDICTS or not (file["detail"] or file["usable"])
    ]
    return [file["path"] for file in files if file["usable"]], faults


def _decode(sounds: Path, usable: Sequence[str]) -> int:
    """In a process of its own: 3 if a sound that the scan calls usable is not."""
    status = 0
    with Decoders() as decoders:
        for name in usable:
            try:
                with decoders.open(sounds / name) as sound:
                    samples = decode_mono(sound, SAMPLE_RATE)
            except AudioFileError as error:
                print(f"{name} was called usable: {error}", file=sys.stderr)
                status = 3
                continue
            is_sound = samples.ndim == 1 and samples.dtype == np.float32 and len(samples) > 0
            if not is_sound or not np.isfinite(samples).all():
                print(f"{name} decodes to {samples.dtype} {samples.shape}", file=sys.stderr)
                status = 3
    return status
