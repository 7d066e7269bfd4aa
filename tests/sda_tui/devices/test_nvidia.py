"""Which GPU is measured, and what becomes of a driver that fails or hangs.  No GPU here: NVML is made up."""

import os
import threading
import time
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pynvml
import pytest

from sda_tui.devices import DeviceMonitor, Quantity, Watched
from sda_tui.devices.monitor import PATIENCE_S, RETRY_INTERVAL_S, GpuState
from sda_tui.devices.nvidia import GpuUnknownError, find_gpu

UUIDS = ["GPU-aa11", "GPU-ab22", "GPU-cc33"]
PID = os.getpid()


class FakeNvml:
    """Three GPUs, and the errors of the real module."""

    NVML_TEMPERATURE_GPU = 0
    NVMLError = pynvml.NVMLError
    NVMLError_NotSupported = pynvml.NVMLError_NotSupported
    NVMLError_NotFound = pynvml.NVMLError_NotFound
    NVMLError_InvalidArgument = pynvml.NVMLError_InvalidArgument
    NVMLError_LibraryNotFound = pynvml.NVMLError_LibraryNotFound
    NVMLError_DriverNotLoaded = pynvml.NVMLError_DriverNotLoaded
    NVMLError_NoPermission = pynvml.NVMLError_NoPermission

    def __init__(self) -> None:
        self.failure: Exception | None = None
        self.failure_of_init: Exception | None = None
        self.has_power = True
        self.hang = threading.Event()
        self.hang.set()
        self.asked = threading.Event()
        self.lookups = 0

    def nvmlInit(self) -> None:
        if self.failure_of_init:
            raise self.failure_of_init

    def nvmlShutdown(self) -> None: ...

    def nvmlDeviceGetCount(self) -> int:
        return len(UUIDS)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        self.lookups += 1
        return index

    def nvmlDeviceGetHandleByUUID(self, uuid: str) -> int:
        if uuid not in UUIDS:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_FOUND)
        self.lookups += 1
        return UUIDS.index(uuid)

    def nvmlDeviceGetUUID(self, handle: int) -> str:
        return UUIDS[handle]

    def nvmlDeviceGetName(self, handle: int) -> str:
        return "NVIDIA \x1b[31mTest"

    def nvmlDeviceGetUtilizationRates(self, handle: int) -> Any:
        self.asked.set()
        self.hang.wait()
        if self.failure:
            raise self.failure
        return SimpleNamespace(gpu=10 + handle)

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:
        return SimpleNamespace(used=2 << 30, total=8 << 30)

    def nvmlDeviceGetTemperature(self, handle: int, sensor: int) -> int:
        return 61

    def nvmlDeviceGetPowerUsage(self, handle: int) -> int:
        if not self.has_power:
            raise pynvml.NVMLError(pynvml.NVML_ERROR_NOT_SUPPORTED)
        return 250_500

    def nvmlDeviceGetEnforcedPowerLimit(self, handle: int) -> int:
        return 400_000


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.mark.parametrize(
    ("device", "environment", "expected"),
    [
        ("cuda:0", {}, 0),
        ("cuda:2", {}, 2),
        ("", {}, 0),
        ("cuda:0", {"CUDA_VISIBLE_DEVICES": "2"}, 2),
        ("cuda:1", {"CUDA_VISIBLE_DEVICES": "2, 0"}, 0),
        ("cuda:1", {"CUDA_VISIBLE_DEVICES": "1,GPU-CC"}, 2),
        ("cuda:0", {"CUDA_VISIBLE_DEVICES": "GPU-ab22"}, 1),
        ("cuda:1", {"CUDA_VISIBLE_DEVICES": "0,-1,2"}, None),
        ("cuda:1", {"CUDA_VISIBLE_DEVICES": "0,9,2"}, None),
        ("cuda:0", {"CUDA_VISIBLE_DEVICES": ""}, None),
        ("cuda:0", {"CUDA_VISIBLE_DEVICES": "GPU-a"}, None),
        ("cuda:0", {"CUDA_VISIBLE_DEVICES": "MIG-aa11"}, None),
        ("cuda:3", {}, None),
        ("cuda:0", None, None),
        ("cuda:x", {}, None),
    ],
)
def test_torch_numbers_lead_to_the_right_gpu(
    device: str, environment: Mapping[str, str] | None, expected: int | None
) -> None:
    if expected is None:
        with pytest.raises(GpuUnknownError, match=r"[A-Z].+\."):
            find_gpu(device, UUIDS, environment, is_ordered=True)
    else:
        assert find_gpu(device, UUIDS, environment, is_ordered=True) == expected


def test_numbers_of_unlike_gpus_say_nothing_unless_they_follow_the_bus() -> None:
    with pytest.raises(GpuUnknownError, match="CUDA_DEVICE_ORDER=PCI_BUS_ID tells"):
        find_gpu("cuda:1", UUIDS, {}, is_ordered=False)
    assert find_gpu("cuda:1", UUIDS, {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}, is_ordered=False) == 1
    assert find_gpu("cuda:0", UUIDS, {"CUDA_VISIBLE_DEVICES": "GPU-cc33"}, is_ordered=False) == 2


def test_a_gpu_is_known_by_the_uuid_that_the_run_logs() -> None:
    nvml = FakeNvml()
    state = GpuState(lambda: nvml)
    watched = Watched(PID, "cuda:0", "GPU-cc33")
    figures = state.sample(watched, lambda _: None)
    assert figures == {
        Quantity.GPU_USE: 12.0,
        Quantity.GPU_MEMORY: float(2 << 30),
        Quantity.GPU_TEMPERATURE: 61.0,
        Quantity.GPU_POWER: 250.5,
    }
    assert state.limits == {
        Quantity.GPU_MEMORY: float(8 << 30),
        Quantity.GPU_POWER: 400.0,
        Quantity.GPU_USE: 100.0,
    }
    assert state.name == "NVIDIA �[31mTest"
    state.sample(watched, lambda _: None)
    assert nvml.lookups == 1, "the handle is kept"
    assert state.sample(Watched(PID, "cuda:0", "GPU-none"), lambda _: {})[Quantity.GPU_USE] == 10.0


def test_a_quantity_that_the_gpu_lacks_is_left_out() -> None:
    nvml = FakeNvml()
    nvml.has_power = False
    assert Quantity.GPU_POWER not in GpuState(lambda: nvml).sample(Watched(PID, "cuda:0"), lambda _: {})


def test_a_driver_that_fails_is_asked_again_later() -> None:
    nvml, clock = FakeNvml(), Clock()
    state = GpuState(lambda: nvml, clock)
    watched = Watched(PID, "cuda:1")
    assert state.sample(watched, lambda _: {})
    nvml.failure = pynvml.NVMLError(pynvml.NVML_ERROR_GPU_IS_LOST)
    clock.now_s += 1
    assert state.sample(watched, lambda _: {}) == {}
    clock.now_s += 4
    assert state.problem == "The GPU driver does not answer (GPU is lost), for 0:05."
    nvml.failure, nvml.lookups = None, 0
    assert state.sample(watched, lambda _: {}) == {}, "not yet"
    clock.now_s += RETRY_INTERVAL_S
    assert state.sample(watched, lambda _: {})
    assert nvml.lookups > 0, "the driver may have been restarted, with other handles"
    assert state.problem == ""


def test_without_a_driver_it_is_not_asked_again() -> None:
    nvml = FakeNvml()
    nvml.failure_of_init = pynvml.NVMLError(pynvml.NVML_ERROR_LIBRARY_NOT_FOUND)
    state = GpuState(lambda: nvml)
    watched = Watched(PID, "cuda:0")
    for _ in range(2):
        assert state.sample(watched, lambda _: {}) == {}
        assert state.problem == "There is no NVIDIA driver on this machine."
        nvml.failure_of_init = None


def test_a_hanging_driver_holds_up_neither_the_host_nor_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    nvml, clock = FakeNvml(), Clock()
    nvml.hang.clear()
    monitor, others = DeviceMonitor(lambda: nvml, 0.01, clock), threading.enumerate()
    monitor.watch(Watched(PID, "cuda:0"))
    monitor.start()
    try:
        deadline_s = time.monotonic() + 20
        while Quantity.HOST_CPU not in monitor.reading.series or not nvml.asked.is_set():
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        assert monitor.reading.gpu_problem == ""
        clock.now_s += PATIENCE_S + 2
        assert monitor.reading.gpu_problem == "The GPU driver does not answer, for 0:07."
        assert Quantity.GPU_USE not in monitor.reading.series
        monitor.close()
        threads = {each.name: each for each in threading.enumerate() if each not in others}
        assert all(thread.daemon for thread in threads.values()), "the process ends in time"
        if host := threads.get("device monitor"):
            host.join(20)
            assert not host.is_alive()
        assert "GPU monitor" in threads, "it hangs"
    finally:
        nvml.hang.set()
