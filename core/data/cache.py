"""Cache of scan reports and decoded sounds, so that a second start on a folder decodes nothing again.

Two parts below `cache_folder()`: the reports of each folder's files by their identity on disk, and decoded
excerpts by their content.  All of it may be deleted at any time; a cache that cannot be written is ignored.
Imports no torch.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import platform
import re
import shutil
import struct
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import platformdirs
import soundfile
import soxr

from core.atomic import write_atomically
from core.data.report import Excerpt, FileReport, Verdict
from core.paths import expand

FORMAT = 6  # of the cache; another one when verdicts, decoding or resampling change
LIMIT_BYTES = 8 * 10**9
RESERVE_BYTES = 2 * 10**9  # of the disk, for checkpoints
SETTLED_NS = 2_000_000_000  # a file that changed so recently may change again at the same time of its clock
CHECKSUM = struct.Struct("<I")  # of all that follows it
SCALE = struct.Struct("<d")
OURS = re.compile(  # there may be files of the user's in the same folder
    r"\d+-[\w.-]+/(folders|samples/[0-9a-f]{2})/\.?[0-9a-f]{32}(\.json|(-\d+){3})(\.\d+\.tmp)?"
)


def cache_root() -> Path:
    """Below `$SDA_CACHE`, or where this system keeps caches."""
    given = os.environ.get("SDA_CACHE")
    return (expand(Path(given)) if given else platformdirs.user_cache_path("sda-tui")) / "decoded"


def cache_folder() -> Path:
    """The part of the cache that belongs to these versions of the decoders."""
    decoders = f"{soundfile.__libsndfile_version__}-{soxr.__version__}-{platform.machine()}"
    return cache_root() / f"{FORMAT}-{decoders}"


class ReportCache:
    """The cached reports of one folder's files, as of when their samples were last read.

    A file counts as the same while its size, inode and both its times are: a change of its content, its
    name or its permissions sets the second time, which programs cannot set back.  Where a file system has
    no such time of its own, nothing is cached.
    """

    def __init__(self, folder: Path) -> None:
        name = hashlib.blake2b(os.fsencode(folder.absolute()), digest_size=16).hexdigest()
        self._file = cache_folder() / "folders" / f"{name}.json"
        self._folder = folder
        self._before = self._read()
        self._now: dict[str, tuple[str, FileReport]] = {}

    def get(self, path: str) -> FileReport | None:
        """The report of this file of the folder, if it is unchanged; it stays in the cache."""
        kept = self._before.get(path)
        if kept is None or kept[0] != self.identity(path):
            return None
        self._now[path] = kept
        return kept[1]

    def identity(self, path: str) -> str:
        """A string that changes when the file changes; empty if a change could not be recognised."""
        try:
            status = (self._folder / path).stat()
        except OSError:
            return ""
        modified_ns, changed_ns = status.st_mtime_ns, status.st_ctime_ns
        is_settled = time.time_ns() - max(modified_ns, changed_ns) >= SETTLED_NS
        has_one_time = modified_ns == changed_ns and changed_ns % 1_000_000_000 == 0
        if not is_settled or has_one_time:
            return ""
        return f"{status.st_size} {modified_ns} {changed_ns} {status.st_ino}"

    def put(self, identity: str, report: FileReport) -> None:
        """Cache the report of a file that had this identity before it was read, if it has it still."""
        is_of_this_file = identity.startswith(f"{report.size_bytes} {report.modified_ns} ")
        if is_of_this_file and report.content_hash and identity == self.identity(report.path):
            self._now[report.path] = identity, report

    def write(self) -> None:
        """Write the reports of the files that were looked up, and of others that are there unchanged."""
        others = {
            path: kept
            for path, kept in self._before.items()
            if path not in self._now and kept[0] == self.identity(path)
        }
        reports = others | self._now
        if reports == self._before:
            return
        with contextlib.suppress(OSError):
            write_with_checksum(self._file, json.dumps(reports, default=vars).encode())

    def _read(self) -> dict[str, tuple[str, FileReport]]:
        try:
            entries = json.loads(bytes(_read(self._file)))
            return {path: (identity, _report(values)) for path, (identity, values) in entries.items()}
        except (OSError, TypeError, ValueError, AttributeError):
            return {}


def _report(values: dict[str, object]) -> FileReport:
    """Read a report back.  Raises TypeError or ValueError."""
    report = FileReport(**values)  # type: ignore[arg-type]
    return dataclasses.replace(report, verdict=Verdict(report.verdict), peaks=tuple(report.peaks))


class SampleCache:
    """Decoded excerpts: int16 samples, mono, and the scale that makes them ±1 full scale."""

    def __init__(self) -> None:
        self._folder = cache_folder() / "samples"
        self._lock = threading.Lock()
        self._room_bytes = LIMIT_BYTES // 2  # of one dataset: one that filled it would evict itself

    def get(
        self, content_hash: str, sample_rate: int, excerpt: Excerpt
    ) -> tuple[npt.NDArray[np.int16], float] | None:
        """The cached samples of this stretch of a sound and their scale, if undamaged."""
        try:
            data = _read(self._path(content_hash, sample_rate, excerpt))
            (scale,) = SCALE.unpack_from(data)
        except (OSError, ValueError, struct.error):
            return None
        samples = np.frombuffer(data[SCALE.size :], np.int16)
        self._has_room_for(samples.nbytes)
        return samples, scale

    def put(
        self,
        content_hash: str,
        sample_rate: int,
        excerpt: Excerpt,
        samples: npt.NDArray[np.int16],
        scale: float,
    ) -> None:
        """Cache the samples of an excerpt, if they are complete: after a failure to read on they are not."""
        expected = round(excerpt.stop_s * sample_rate) - round(excerpt.start_s * sample_rate)
        if abs(len(samples) - expected) > 1:  # resampling rounds
            return
        path = self._path(content_hash, sample_rate, excerpt)
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            is_disk_free = shutil.disk_usage(path.parent).free > RESERVE_BYTES + samples.nbytes
            if is_disk_free and self._has_room_for(samples.nbytes):
                write_with_checksum(path, SCALE.pack(scale), samples.data)

    def _has_room_for(self, size_bytes: int) -> bool:
        """Whether this dataset may take so much more of the cache, and reserve it then."""
        with self._lock:
            has_room = size_bytes < self._room_bytes
            if has_room:
                self._room_bytes -= size_bytes
            return has_room

    def _path(self, content_hash: str, sample_rate: int, excerpt: Excerpt) -> Path:
        first, last = round(excerpt.start_s * sample_rate), round(excerpt.stop_s * sample_rate)
        return self._folder / content_hash[:2] / f"{content_hash}-{sample_rate}-{first}-{last}"


def write_with_checksum(path: Path, *body: bytes | memoryview) -> None:
    """Write a file of the cache, behind its checksum.  Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    checksum = 0
    for part in body:
        checksum = zlib.crc32(part, checksum)
    write_atomically(path, b"".join((CHECKSUM.pack(checksum), *body)), is_durable=False)


def _read(path: Path) -> memoryview:
    """Read what `write_with_checksum` wrote.  Raises OSError, and ValueError if it is damaged."""
    data = path.read_bytes()
    body = memoryview(data)[CHECKSUM.size :]
    if data[: CHECKSUM.size] != CHECKSUM.pack(zlib.crc32(body)):
        raise ValueError(f"{path} is damaged")
    with contextlib.suppress(OSError):
        os.utime(path)  # the least recently used go first
    return body


def cache_size() -> int:
    """Bytes that the cache takes, those of other decoder versions included."""
    return sum(size for _, size, _ in _entries())


def trim_cache(limit_bytes: int = LIMIT_BYTES) -> None:
    """Delete the least recently used files until the cache is within its limit; 0 clears it."""
    entries = sorted(_entries())
    total = sum(size for _, size, _ in entries)
    for _, size, path in entries:
        if total <= limit_bytes:
            return
        with contextlib.suppress(OSError):
            path.unlink()
            total -= size


def _entries() -> Iterator[tuple[float, int, Path]]:
    """When each file of the cache was last used, its size and path."""
    root = cache_root()
    for folder, _, names in os.walk(root):  # which skips folders that it may not enter
        for path in (Path(folder, name) for name in names):
            if OURS.fullmatch(path.relative_to(root).as_posix()):
                with contextlib.suppress(OSError):  # another process may trim it too
                    status = path.stat()
                    yield status.st_mtime, status.st_size, path
