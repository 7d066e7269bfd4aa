"""Runs that wait for their turn."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.errors import QueueError
from core.runs import QueueEntry, RunQueue

HOLD = """
import sys
from pathlib import Path
from core.runs import RunQueue
queue = RunQueue(Path(sys.argv[1]))
queue.acquire()
print("held", flush=True)
sys.stdin.read()
"""


def test_runs_wait_in_the_order_in_which_they_came(tmp_path: Path) -> None:
    queue = RunQueue(tmp_path / "runs")
    assert queue.entries() == []
    assert not (tmp_path / "runs").exists()
    assert [queue.add("a"), queue.add("b", "cuda:1"), queue.add("c")] == [1, 2, 3]
    assert queue.add("b") == 2  # it waits already, for the device that it was queued for
    assert queue.entries() == [QueueEntry("a"), QueueEntry("b", "cuda:1"), QueueEntry("c")]
    queue.rename("c", "new")
    assert (queue.remove("a"), queue.remove("a")) == (True, False)
    assert [each.name for each in RunQueue(tmp_path / "runs").waiting()] == ["b", "new"]


def test_a_run_that_failed_keeps_the_reason_and_waits_no_more(tmp_path: Path) -> None:
    queue = RunQueue(tmp_path)
    queue.add("a")
    queue.add("b")
    queue.fail("a", "Its sounds\nare gone.")
    assert queue.waiting() == [QueueEntry("b")]
    assert queue.entries()[0].problem == "Its sounds are gone."
    assert queue.add("a") == 2  # once more, last
    assert queue.waiting() == [QueueEntry("b"), QueueEntry("a")]


def test_nothing_is_lost_when_many_add_at_once(tmp_path: Path) -> None:
    names = [f"run-{number}" for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: RunQueue(tmp_path).add(name), names))
    assert sorted(each.name for each in RunQueue(tmp_path).waiting()) == sorted(names)


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", '{"runs": 3}', '{"runs": [{"run": "../outside"}]}', '{"runs": [{"run": 1}]}', "[" * 9999],
)
def test_a_damaged_queue_is_named_and_set_aside(tmp_path: Path, content: str) -> None:
    queue = RunQueue(tmp_path)
    (tmp_path / "queue.json").write_text(content)
    with pytest.raises(QueueError, match=r"queue\.json is damaged"):
        queue.entries()
    assert queue.add("a") == 1
    assert [each.name for each in queue.waiting()] == ["a"]
    assert (tmp_path / "queue-damaged.json").read_text() == content


def test_a_queue_that_is_a_link_is_neither_read_nor_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere.json").write_text('{"runs": []}')
    (tmp_path / "queue.json").symlink_to("elsewhere.json")
    with pytest.raises(QueueError, match="is a link"):
        RunQueue(tmp_path).add("a")
    assert (tmp_path / "elsewhere.json").read_text() == '{"runs": []}'


def test_one_process_at_a_time_works_through_a_queue(tmp_path: Path) -> None:
    other = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[3],
    )
    assert other.stdout is not None
    assert other.stdout.readline() == b"held\n"
    queue = RunQueue(tmp_path)
    holder = queue.worker()
    assert holder is not None
    assert holder.pid == other.pid
    with pytest.raises(QueueError, match=f"Process {other.pid} on .* works through this queue already"):
        queue.acquire()
    other.kill()
    other.wait()
    assert queue.worker() is None
    queue.acquire()
    queue.release()
