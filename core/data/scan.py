"""A verdict for every file of a dataset: headers first, then the samples, in parallel.  Imports no torch."""

import os
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import TypeVar

from core.audio.reader import Decoders
from core.data.cache import ReportCache, trim_cache
from core.data.examination import Examiner
from core.data.plan import find_duplicates, plan, with_chunks
from core.data.report import FileReport, ScanEvent, ScanProgress, Verdict
from core.data.sources import Sources
from core.errors import DatasetError
from core.text import printable

WORKERS = min(8, (os.cpu_count() or 1) + 2)
AHEAD = 4 * WORKERS  # files handed to the workers before the first of them is done

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
    DatasetError if nothing can be read there, DecodingError, Cancelled within a block of samples.
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

    What the cache knows is not decoded again.  Raises Cancelled, DecodingError.
    """
    cache = ReportCache(folder)
    waiting: list[FileReport] = []
    with Decoders(cancelled) as decoders, ThreadPoolExecutor(WORKERS, thread_name_prefix="scan") as pool:
        examiner = Examiner(folder, decoders, cache)
        try:
            for event in _each(pool, examiner.read_header, paths, "headers"):
                if isinstance(event, FileReport) and event.verdict is Verdict.WAITING:
                    waiting.append(event)
                yield event
            yield from _each(pool, examiner.read_samples, waiting, "samples")
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
