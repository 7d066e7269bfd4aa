"""A verdict for every file of a dataset: headers first, then the samples, in parallel.  Imports no torch."""

import dataclasses
import hashlib
import math
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from core.audio.files import LONGEST_READ_S, LOUDEST_PEAK, SoundReader, mix_to_mono
from core.data.cache import ReportCache, trim_cache
from core.data.plan import find_duplicates, plan, with_chunks
from core.data.report import FileReport, ScanEvent, ScanProgress, Verdict
from core.data.sources import Sources
from core.data.split import PEAK_INTERVAL_S, SILENCE_PEAK
from core.errors import AudioFileError, Cancelled, DatasetError, UnsupportedFormatError
from core.text import join_remarks, printable

WORKERS = min(8, (os.cpu_count() or 1) + 2)
AHEAD = 4 * WORKERS  # files handed to the workers before the first of them is done
MOSTLY = 0.5  # of a file's stretches below the silence threshold make it "mostly silent"
FULL_SCALE = 0.985  # limiters that clip stop a little below 1
CLIPPED_FRACTION = 1e-3  # of all samples repeat their neighbour near full scale
REPORTED_SHORTFALL = 0.02

Item = TypeVar("Item")


def scan(
    chosen: Path | Sequence[Path],
    chunk_duration_s: float,
    seed: int = 0,
    cancelled: Callable[[], bool] = lambda: False,
) -> Iterator[ScanEvent]:
    """Examine the chosen files and every file below the chosen folders, and yield results as they arrive.

    Yields a FileReport for each file when its header is read (verdict `waiting`, or final where the header
    decides) and again when its samples are, ScanProgress in between, and one ScanReport at the end.  Raises
    DatasetError if nothing can be read there, Cancelled within a block of samples.
    """
    sources = Sources.choose([chosen] if isinstance(chosen, Path) else chosen)
    paths: list[str] = []
    notes: list[str] = []
    for found in sources.walk(notes, cancelled):
        paths.append(found)
        if len(paths) % 100 == 0:
            yield ScanProgress("finding", len(paths), 0)
    if not paths:
        name = printable(str(sources.folder))
        raise DatasetError(f"{name} holds no files; choose a folder with sounds in it.")

    reports: dict[str, FileReport] = {}
    for event in examine(sources.folder, paths, cancelled):
        if isinstance(event, FileReport):
            event = with_chunks(event, chunk_duration_s)
            reports[event.path] = event
        yield event
    files = tuple(reports[path] for path in sorted(reports))
    for duplicate in find_duplicates(files):
        reports[duplicate.path] = duplicate
        yield duplicate
    files = tuple(reports[path] for path in sorted(reports))
    yield plan(str(sources.folder), sources.paths, files, chunk_duration_s, seed, tuple(notes))


def examine(
    folder: Path, paths: Sequence[str], cancelled: Callable[[], bool]
) -> Iterator[FileReport | ScanProgress]:
    """A report of each of these files of a folder by its header, then by its samples; no chunks yet.

    What the cache knows is not decoded again.  Raises Cancelled.
    """
    cache = ReportCache(folder)
    waiting: list[FileReport] = []
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="scan") as pool:
        try:
            for event in _each(pool, partial(_read_header, folder, cache, cancelled), paths, "headers"):
                if isinstance(event, FileReport) and event.verdict is Verdict.WAITING:
                    waiting.append(event)
                yield event
            yield from _each(pool, partial(_read_samples, folder, cache, cancelled), waiting, "samples")
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    cache.write()
    trim_cache()


def _each(
    pool: ThreadPoolExecutor, read: Callable[[Item], FileReport], items: Collection[Item], phase: str
) -> Iterator[FileReport | ScanProgress]:
    """The results of `read` for all items, as they arrive, each with the progress.

    Only some items are submitted ahead: a future for each of thousands of files costs more than it is worth,
    most of it in Python's garbage collector.
    """
    finished: SimpleQueue[Future[FileReport]] = SimpleQueue()
    ahead = iter(items)

    def submit(count: int) -> None:
        for item in islice(ahead, count):
            pool.submit(read, item).add_done_callback(finished.put)

    submit(AHEAD)
    for done in range(1, len(items) + 1):
        report = finished.get().result()
        submit(1)
        yield report
        yield ScanProgress(phase, done, len(items))


def _read_header(folder: Path, reports: ReportCache, cancelled: Callable[[], bool], path: str) -> FileReport:
    """The report of a file by its header, or the whole report if it is unchanged since its last scan."""
    if cancelled():
        raise Cancelled
    if (before := reports.get(path)) is not None:
        return before
    report = FileReport(path, Verdict.WAITING, "")
    try:
        with SoundReader(folder / path) as sound:
            status = (folder / path).stat()
            return dataclasses.replace(
                report,
                size_bytes=status.st_size,
                modified_ns=status.st_mtime_ns,
                duration_s=min(sound.header_duration_s, LONGEST_READ_S),
                sample_rate=sound.sample_rate,
                channels=sound.channels,
                format=sound.format,
                encoding=sound.encoding,
            )
    except UnsupportedFormatError as error:
        return dataclasses.replace(report, verdict=Verdict.UNSUPPORTED, detail=str(error))
    except AudioFileError as error:
        return dataclasses.replace(report, verdict=Verdict.UNREADABLE, detail=str(error))


def _read_samples(
    folder: Path, reports: ReportCache, cancelled: Callable[[], bool], report: FileReport
) -> FileReport:
    identity = reports.identity(report.path)
    try:
        with SoundReader(folder / report.path) as sound:
            report = _judge(report, sound, _measure(sound, cancelled))
        if sound.shortfall == 0:  # else it may be a failure to read on
            reports.put(identity, report)
        return report
    except AudioFileError as error:
        return dataclasses.replace(report, verdict=Verdict.UNREADABLE, detail=str(error))


@dataclass
class _Measurement:
    """Properties of the samples of one file; updated block by block."""

    peaks: list[float]
    channel_peak: float = 0.0
    clipped_samples: int = 0
    non_finite_samples: int = 0
    content_hash: str = ""


def _measure(sound: SoundReader, cancelled: Callable[[], bool]) -> _Measurement:
    found = _Measurement(peaks=[])
    digest = hashlib.blake2b(f"{sound.sample_rate} {sound.channels}".encode(), digest_size=16)
    interval = round(PEAK_INTERVAL_S * sound.sample_rate)
    for block in sound.blocks(cancelled, interval):
        digest.update(np.ascontiguousarray(block).data)
        magnitude = np.abs(block)
        peak = float(magnitude.max())
        if not math.isfinite(peak):
            found.non_finite_samples += int(np.count_nonzero(~np.isfinite(block)))
        if found.non_finite_samples:
            continue
        found.channel_peak = max(found.channel_peak, peak)
        if peak >= FULL_SCALE:
            found.clipped_samples += _clipped(block, magnitude)
        found.peaks.append(float(np.abs(mix_to_mono(block)).max()))
    found.content_hash = digest.hexdigest()
    return found


def _clipped(block: npt.NDArray[np.float32], magnitude: npt.NDArray[np.float32]) -> int:
    """Number of samples that repeat the one before at nearly full scale, as a cut-off peak does."""
    return int(np.count_nonzero((magnitude[1:] >= FULL_SCALE) & (block[1:] == block[:-1])))


def _judge(report: FileReport, sound: SoundReader, found: _Measurement) -> FileReport:
    report = dataclasses.replace(
        report,
        duration_s=sound.duration_s,
        peaks=tuple(round(peak, 6) for peak in found.peaks),
        content_hash=found.content_hash,
    )

    def verdict(verdict: Verdict, *details: str, usable: bool = True) -> FileReport:
        remark = join_remarks(*details)
        return dataclasses.replace(report, verdict=verdict, detail=remark, remark=remark, usable=usable)

    if sound.frames_read == 0:
        return verdict(Verdict.UNREADABLE, "it holds no samples; export it again", usable=False)
    if found.non_finite_samples:
        bad = f"{found.non_finite_samples} samples are infinite or not a number; render it again"
        return verdict(Verdict.UNREADABLE, bad, usable=False)
    if found.channel_peak > LOUDEST_PEAK:
        bad = f"samples of up to {found.channel_peak:.2g}, where 1 is full scale; render it again"
        return verdict(Verdict.UNREADABLE, bad, usable=False)
    limits = _limits(sound)
    loudest = max(found.peaks)
    if loudest < SILENCE_PEAK:
        cause = "nothing above -60 dB; left out"
        if found.channel_peak >= SILENCE_PEAK:
            cause = "its channels cancel out when mixed to mono; invert one of them; left out"
        return verdict(Verdict.MOSTLY_SILENT, cause, limits, usable=False)
    silent = sum(peak < SILENCE_PEAK for peak in found.peaks) / len(found.peaks)
    if silent > MOSTLY:
        return verdict(Verdict.MOSTLY_SILENT, f"{silent:.0%} is below -60 dB; the rest is used", limits)
    clipped = found.clipped_samples / (sound.frames_read * sound.channels)
    if clipped > CLIPPED_FRACTION:
        return verdict(
            Verdict.CLIPPED, f"{clipped:.2%} of samples cut off at full scale; used as it is", limits
        )
    return verdict(Verdict.USED, limits)


def _limits(sound: SoundReader) -> str:
    """A message if less of the file is used than the user may expect, else empty."""
    if sound.is_longer_than_read:
        hours = sound.header_duration_s / 3600
        return f"{hours:.1f} h long: only the first hour is used; cut it into shorter files to use more"
    if sound.shortfall > REPORTED_SHORTFALL:
        return f"cut short: {sound.shortfall:.0%} of it is missing; the rest is used; export it again"
    return ""
