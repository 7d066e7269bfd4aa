"""Where runs and decoded sounds are kept."""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path

from core.engine import cache_status
from core.paths import ROOT_VARIABLE, expand
from core.runs import list_runs
from sda_tui import format as fmt
from sda_tui.checkup.finding import Finding, Verdict
from sda_tui.look import show_path

ELSEWHERE = f"Choose another place with --runs or ${ROOT_VARIABLE}."
LEAST_FREE_BYTES = 2 * 10**9  # a run of the default model takes some hundred megabytes


def find_disk(root: Path) -> list[Finding]:
    root = expand(root).absolute()
    folder = next(path for path in (root, *root.parents) if os.path.exists(path))  # noqa: PTH110  (that of Path may raise)
    return [_find_root(root, folder), _find_space(folder), _find_cache()]


def _find_root(root: Path, folder: Path) -> Finding:
    shown = show_path(root)
    try:
        with tempfile.TemporaryFile(dir=folder) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                advice = "Two processes may train the same run there, and damage it; see that they do not."
                found = f"{shown}, on a file system without locks"
                return Finding("runs", found, Verdict.NOTE, advice)
        if root != folder:
            return Finding("runs", f"{shown}, which the first run makes")
        runs = list_runs(root)
    except OSError as error:
        return Finding("runs", f"{shown} cannot be written ({error.strerror})", Verdict.PROBLEM, ELSEWHERE)
    size = fmt.size(sum(each.size_bytes for each in runs))
    return Finding("runs", f"{fmt.count(len(runs), 'run')} in {shown}, {size}")


def _find_space(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    about = f"{fmt.size(free)} free for runs"
    if os.statvfs(folder).f_favail == 0 and os.statvfs(folder).f_files:
        return Finding("disk", "no file can be made: its inodes are used up", Verdict.PROBLEM, ELSEWHERE)
    if free < LEAST_FREE_BYTES:
        verdict = Verdict.PROBLEM if free < LEAST_FREE_BYTES / 10 else Verdict.NOTE
        return Finding("disk", about, verdict, f"A run takes up to 1 GB. Free some, or: {ELSEWHERE}")
    return Finding("disk", about)


def _find_cache() -> Finding:
    cache = cache_status()
    about = f"{fmt.size(cache.size_bytes)} of decoded sounds in {show_path(cache.path)}"
    return Finding("cache", f"{about}, at most {fmt.size(cache.limit_bytes)}")
