"""Figures of one NVIDIA GPU, by NVML."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.text import printable
from sda_tui.devices.reading import Quantity
from sda_tui.devices.watched import Watched

VISIBLE, ORDER, BUS_ORDER = "CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "PCI_BUS_ID"
MILLI = 1e-3

Figures = Mapping[Quantity, float]


class GpuUnknownError(Exception):
    """There is no GPU to be measured, or it is not known which; the message is a sentence for the user."""


class NvidiaGpu:
    """Reads the figures of a GPU whose handle is kept: to look for it takes longer than to ask it.

    `nvml` is the module pynvml.  Each call may block for as long as the driver does, and raises NVMLError.
    """

    def __init__(self, nvml: Any, handle: Any) -> None:
        self._nvml = nvml
        self._handle = handle
        self.name = printable(str(nvml.nvmlDeviceGetName(handle)))
        self.limits = self._read({Quantity.GPU_MEMORY: self._total_bytes, Quantity.GPU_POWER: self._limit_w})
        self.limits[Quantity.GPU_USE] = 100.0

    def read(self) -> Figures:
        """What it measures now; a quantity that this GPU does not report is left out."""
        return self._read(
            {
                Quantity.GPU_USE: lambda: self._nvml.nvmlDeviceGetUtilizationRates(self._handle).gpu,
                Quantity.GPU_MEMORY: lambda: self._nvml.nvmlDeviceGetMemoryInfo(self._handle).used,
                Quantity.GPU_TEMPERATURE: self._temperature,
                Quantity.GPU_POWER: lambda: MILLI * self._nvml.nvmlDeviceGetPowerUsage(self._handle),
            }
        )

    def _read(self, calls: Mapping[Quantity, Callable[[], float]]) -> dict[Quantity, float]:
        found = {}
        for quantity, call in calls.items():
            with contextlib.suppress(self._nvml.NVMLError_NotSupported):
                found[quantity] = float(call())
        return found

    def _temperature(self) -> float:
        return float(self._nvml.nvmlDeviceGetTemperature(self._handle, self._nvml.NVML_TEMPERATURE_GPU))

    def _total_bytes(self) -> float:
        return float(self._nvml.nvmlDeviceGetMemoryInfo(self._handle).total)

    def _limit_w(self) -> float:
        return MILLI * float(self._nvml.nvmlDeviceGetEnforcedPowerLimit(self._handle))


def open_gpu(nvml: Any, watched: Watched, environment: Mapping[str, str] | None) -> NvidiaGpu:
    """The GPU that a process trains on, which was started in this environment, None if that is not known.

    Raises GpuUnknownError, NVMLError.
    """
    nvml.nvmlInit()
    if watched.gpu_uuid:
        with contextlib.suppress(nvml.NVMLError_NotFound, nvml.NVMLError_InvalidArgument):
            return NvidiaGpu(nvml, nvml.nvmlDeviceGetHandleByUUID(watched.gpu_uuid))
    handles = [nvml.nvmlDeviceGetHandleByIndex(index) for index in range(nvml.nvmlDeviceGetCount())]
    uuids = [str(nvml.nvmlDeviceGetUUID(handle)) for handle in handles]
    is_ordered = len({nvml.nvmlDeviceGetName(handle) for handle in handles}) <= 1
    at = find_gpu(watched.device, uuids, environment, is_ordered)
    return NvidiaGpu(nvml, handles[at])


def find_gpu(
    device: str, uuids: Sequence[str], environment: Mapping[str, str] | None, is_ordered: bool
) -> int:
    """The place among `uuids`, those of all GPUs in NVML's order, of the one that torch calls `device`.

    torch's `cuda:1` is the second of CUDA_VISIBLE_DEVICES: numbers, or UUIDs that may be cut short; CUDA ends
    the list at the first that it does not know.  `is_ordered`: the GPUs are all alike, so that CUDA numbers
    them as NVML does, which else it does only if CUDA_DEVICE_ORDER says so.  Raises GpuUnknownError.
    """
    number = device.partition(":")[2] or "0"
    if not number.isdecimal():
        raise GpuUnknownError(f"Which GPU {printable(device)} is, is not known.")
    if environment is None and len(uuids) > 1:
        raise GpuUnknownError("Which of the GPUs trains is not known; its process does not say.")
    environment = environment or {}
    is_ordered = is_ordered or environment.get(ORDER) == BUS_ORDER
    visible = environment.get(VISIBLE)
    words = list(map(str, range(len(uuids)))) if visible is None else visible.split(",")
    places: list[int] = []
    for word in map(str.strip, words):
        if word.isdecimal() and int(word) < len(uuids):
            if not is_ordered:
                raise GpuUnknownError(
                    f"Which of the GPUs trains is not known, as they differ; {ORDER}={BUS_ORDER} tells."
                )
            places.append(int(word))
        elif word.startswith("GPU-") and len(found := _starting_with(word, uuids)) == 1:
            places += found
        else:
            break
    if int(number) >= len(places):
        raise GpuUnknownError(f"No GPU that NVML lists is {printable(device or 'cuda:0')}.")
    return places[int(number)]


def _starting_with(word: str, uuids: Sequence[str]) -> list[int]:
    return [at for at, uuid in enumerate(uuids) if uuid.lower().startswith(word.lower())]


def explain_nvml(nvml: Any, error: Exception) -> str:
    """Why there are no figures of a GPU; empty if its driver should answer."""
    if isinstance(error, nvml.NVMLError_LibraryNotFound | nvml.NVMLError_DriverNotLoaded):
        return "There is no NVIDIA driver on this machine."
    if isinstance(error, nvml.NVMLError_NoPermission):
        return "The NVIDIA driver gives this user no figures."
    return ""
