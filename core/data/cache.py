"""What is known of sound files from before, so that a second start on a folder decodes nothing again.

Two parts below `cache_folder()`: the reports of each folder's files by their identity on disk, and decoded
excerpts by their content.  All of it may be deleted at any time; what cannot be written is done without.
Imports no torch.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import shutil
import struct
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

FORMAT = 1  # of the cache; another one when verdicts, decoding or resampling change
LIMIT_BYTES = 8 * 10**9
RESERVE_BYTES = 2 * 10**9  # of the disk, for checkpoints
SETTLED_NS = 2_000_000_000  # a file that changed so recently may change again at the same time of its clock
HEADER = struct.Struct("<4sIdQ")  # magic, checksum, scale, samples
MAGIC = b"sdac"


def cache_root() -> Path:
    """Below `$SDA_CACHE`, or where this system keeps caches."""
    given = os.environ.get("SDA_CACHE")
    return (expand(Path(given)) if given else platformdirs.user_cache_path("sda-tui")) / "decoded"


def cache_folder() -> Path:
    """The part of the cache that these versions of the decoders made."""
    return cache_root() / f"{FORMAT}-{soundfile.__libsndfile_version__}-{soxr.__version__}"


class KnownFiles:
    """The reports of one folder's files, as they were when their samples were last read.

    A file counts as the same while its inode, size and both its times are: a change of its content, its
    name or its permissions sets the second time, which no program can set back.
    """

    def __init__(self, folder: Path) -> None:
        name = hashlib.blake2b(os.fsencode(folder.absolute()), digest_size=16).hexdigest()
        self._file = cache_folder() / "folders" / f"{name}.json"
        self._folder = folder
        self._before = self._read()
        self._now: dict[str, tuple[str, FileReport]] = {}

    def find(self, path: str) -> FileReport | None:
        """The report of this file of the folder, if it is still the same."""
        kept = self._before.get(path)
        if kept is None or kept[0] != self.identity(path):
            return None
        self._now[path] = kept
        return kept[1]

    def identity(self, path: str) -> str:
        """What stays the same as long as the file does; empty if that cannot be told."""
        try:
            status = (self._folder / path).stat()
        except OSError:
            return ""
        if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) < SETTLED_NS:
            return ""
        return f"{status.st_ino} {status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"

    def keep(self, identity: str, report: FileReport) -> None:
        """Remember the report of a file that had this identity before and has it after it was read."""
        if identity and report.content_hash and identity == self.identity(report.path):
            self._now[report.path] = identity, report

    def write(self) -> None:
        """Keep what is known of the files that were looked for."""
        if self._now == self._before:
            return
        entries = {path: [identity, dataclasses.asdict(each)] for path, (identity, each) in self._now.items()}
        with contextlib.suppress(OSError):
            self._file.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._file, json.dumps(entries).encode(), is_durable=False)

    def _read(self) -> dict[str, tuple[str, FileReport]]:
        try:
            entries = json.loads(self._file.read_bytes())
            os.utime(self._file)
            return {path: (identity, _report(values)) for path, (identity, values) in entries.items()}
        except (OSError, TypeError, ValueError, AttributeError):
            return {}


def _report(values: dict[str, object]) -> FileReport:
    """Read a report back.  Raises TypeError or ValueError."""
    report = FileReport(**values)  # type: ignore[arg-type]
    return dataclasses.replace(report, verdict=Verdict(report.verdict), peaks=tuple(report.peaks))


class DecodedSounds:
    """Decoded excerpts: int16 samples, mono, and the scale that makes them ±1 full scale."""

    def __init__(self) -> None:
        self._folder = cache_folder() / "samples"
        self._room_bytes = LIMIT_BYTES // 2  # of one dataset: one that filled it would evict itself

    def read(
        self, content_hash: str, sample_rate: int, excerpt: Excerpt
    ) -> tuple[npt.NDArray[np.int16], float] | None:
        """What was kept of this stretch of a sound, if it is undamaged."""
        path = self._path(content_hash, sample_rate, excerpt)
        try:
            data = path.read_bytes()
            os.utime(path)  # the least recently used go first
            magic, checksum, scale, count = HEADER.unpack_from(data)
        except (OSError, struct.error):
            return None
        body = memoryview(data)[HEADER.size :]
        if magic != MAGIC or len(body) != 2 * count or zlib.crc32(body) != checksum:
            return None
        return np.frombuffer(body, np.int16), scale

    def keep(
        self,
        content_hash: str,
        sample_rate: int,
        excerpt: Excerpt,
        samples: npt.NDArray[np.int16],
        scale: float,
    ) -> None:
        path = self._path(content_hash, sample_rate, excerpt)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            has_room = shutil.disk_usage(path.parent).free > RESERVE_BYTES + samples.nbytes
            self._room_bytes -= samples.nbytes
            if has_room and self._room_bytes > 0:
                header = HEADER.pack(MAGIC, zlib.crc32(samples.data), scale, len(samples))
                write_atomically(path, header + samples.tobytes(), is_durable=False)
        except OSError:
            self._room_bytes = 0

    def _path(self, content_hash: str, sample_rate: int, excerpt: Excerpt) -> Path:
        stretch = f"{round(excerpt.start_s * sample_rate)}-{round(excerpt.stop_s * sample_rate)}"
        return self._folder / content_hash[:2] / f"{content_hash}-{sample_rate}-{stretch}"


def cache_size() -> int:
    """Bytes that the cache takes, that of other versions of the decoders included."""
    return sum(size for _, size, _ in _entries())


def trim_cache(limit_bytes: int = LIMIT_BYTES) -> None:
    """Delete what was not used for longest, until the cache is within its limit; 0 clears it."""
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
    for path in (*root.glob("*/folders/*"), *root.glob("*/samples/*/*")):  # nobody else's, wherever it is
        with contextlib.suppress(OSError):  # another process may trim it too
            status = path.stat()
            yield status.st_mtime, status.st_size, path
