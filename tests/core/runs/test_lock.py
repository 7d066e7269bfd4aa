"""One process per run."""

import json
import os
import socket
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from core.errors import RunError
from core.runs import RunLock
from core.runs.lock import LockHolder

HOLD = """
import sys, time
from pathlib import Path
from core.runs import RunLock
lock = RunLock(Path(sys.argv[1]))
lock.acquire()
print("held", flush=True)
time.sleep(60)
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "drums").mkdir()
    return tmp_path / "drums" / "lock"


def test_a_second_process_is_refused_until_the_first_is_dead(path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        lock = RunLock(path)
        holder = lock.holder()
        assert holder is not None
        assert holder.pid == other.pid
        with pytest.raises(RunError, match=f"drums is being trained by process {other.pid} on"):
            lock.acquire()
        other.kill()
        other.wait()
        assert lock.holder() is None
        lock.acquire()
        holder = lock.holder()
        assert holder is not None
        assert holder.pid == os.getpid()
        lock.release()
        assert lock.holder() is None


def test_a_holder_is_alive_while_that_very_process_is() -> None:
    """What decides where the file system has no locks."""
    this = LockHolder.this_process()
    assert this.is_alive()
    assert not replace(this, started_s=this.started_s - 1000).is_alive()
    assert replace(this, started_s=0.0, host="elsewhere").is_alive()  # nobody here can know
    killed = subprocess.Popen(["true"])
    killed.wait()
    assert not replace(this, pid=killed.pid).is_alive()


def test_a_lock_that_was_released_names_nobody(path: Path) -> None:
    lock = RunLock(path)
    lock.acquire()
    assert path.read_text()
    lock.release()
    assert path.read_text() == ""


def test_a_later_process_with_the_same_id_is_not_the_holder(path: Path) -> None:
    """As after a reboot: the id is alive again, but started at another time."""
    started_s = psutil.Process().create_time()
    path.write_text(
        json.dumps({"pid": os.getpid(), "started_s": started_s - 1000, "host": socket.gethostname()})
    )
    assert RunLock(path).holder() is None
    lock = RunLock(path)
    lock.acquire()
    lock.release()


def test_an_unheld_lock_of_another_host_is_stale(path: Path) -> None:
    """As of a container that was killed: its name is gone, and the kernel dropped the lock."""
    path.write_text(json.dumps({"pid": os.getpid(), "started_s": 1.0, "host": "gone"}))
    lock = RunLock(path)
    assert lock.holder() is None
    lock.acquire()
    lock.release()


@pytest.mark.slow
def test_looking_at_the_lock_does_not_block_its_holder(path: Path) -> None:
    lock = RunLock(path)
    for _ in range(50):
        lock.acquire()
        assert RunLock(path).holder() is not None
        lock.release()
        assert RunLock(path).holder() is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}', '{"pid": 0, "started_s": 0, "host": ""}'])
def test_an_invalid_lock_file_has_no_holder(path: Path, content: str) -> None:
    path.write_text(content)
    RunLock(path).acquire()
