"""Figures of this machine and of a process on it, by the real psutil."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from core.runs import RunHistory
from sda_tui.devices import QUANTITIES, DeviceMonitor, Quantity, Watched, watched
from sda_tui.devices.rings import Rings
from tests.conftest import MakeRun

BUSY = "import sys\nheld = bytearray(80_000_000)\nprint(flush=True)\nwhile True: pass"


@pytest.fixture
def monitor() -> Iterator[DeviceMonitor]:
    made = DeviceMonitor(interval_s=0.2)
    yield made
    made.close()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline_s
        time.sleep(0.02)


def test_a_busy_process_is_seen_and_its_end_too(monitor: DeviceMonitor) -> None:
    with subprocess.Popen([sys.executable, "-c", BUSY], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            process.stdout.readline()
            monitor.watch(Watched(process.pid, "cpu"))
            monitor.start()
            wait_until(lambda: len(monitor.reading.series.get(Quantity.PROCESS_CPU, [])) >= 3)
        finally:
            process.kill()
    reading = monitor.reading
    assert 0 < (reading.newest(Quantity.PROCESS_CPU) or 0) <= 100
    assert reading.series[Quantity.PROCESS_CPU][0][1] > 0, "the first is since when, nobody knows"
    assert (reading.newest(Quantity.PROCESS_MEMORY) or 0) > 80_000_000
    assert 0 < (reading.newest(Quantity.HOST_MEMORY) or 0) < psutil.virtual_memory().total
    assert reading.limits[Quantity.HOST_MEMORY] == psutil.virtual_memory().total
    assert reading.gpu_problem == "", "the run uses none"
    times_s = [time_s for time_s, _ in reading.series[Quantity.HOST_CPU]]
    assert times_s == sorted(times_s)
    count = len(reading.series[Quantity.HOST_CPU])
    wait_until(lambda: len(monitor.reading.series[Quantity.HOST_CPU]) > count + 1)
    monitor.watch(Watched(os.getpid(), "mps"))
    assert Quantity.PROCESS_MEMORY not in monitor.reading.series or (
        monitor.reading.newest(Quantity.PROCESS_MEMORY) != reading.newest(Quantity.PROCESS_MEMORY)
    )
    assert monitor.reading.gpu_problem == "Apple's GPU reports no figures."


def test_what_is_measured_follows_from_the_lock_of_the_run(make_run: MakeRun) -> None:
    run = make_run()
    history = RunHistory()
    history.device, history.gpu_uuid = "cuda:1", "GPU-aa"
    assert watched(run, history) == Watched(None, problem="No process trains this run now.")
    run.lock.acquire()
    try:
        assert watched(run, history) == Watched(os.getpid(), "cuda:1", "GPU-aa")
        holder = json.loads((run.path / "lock").read_text())
        (run.path / "lock").write_text(json.dumps({**holder, "host": "elsewhere"}))
        other = type(run)(run.path)  # as another process sees it
        assert watched(other, history).problem == (
            "This run is trained on elsewhere, whose figures are not known here."
        )
    finally:
        run.lock.release()


def test_old_points_give_way_to_new_ones() -> None:
    rings = Rings(3)
    for time_s in range(5):
        rings.append(time_s, {Quantity.HOST_CPU: 10.0 * time_s})
    copied = rings.copy()
    assert copied == {Quantity.HOST_CPU: [(2, 20.0), (3, 30.0), (4, 40.0)]}
    rings.clear([Quantity.HOST_CPU])
    assert copied[Quantity.HOST_CPU], "a reading does not change any more"
    assert rings.copy() == {}


def test_every_quantity_is_described() -> None:
    assert QUANTITIES.keys() == set(Quantity)
