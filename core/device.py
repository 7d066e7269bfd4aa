"""Devices that a model can be computed on: choosing one, copies to it, and its memory."""

import resource
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import psutil
import torch
from torch import Tensor

from core.config import DeviceStatus, EngineStatus, find_device
from core.events import DeviceInfo
from core.text import one_line

BFLOAT16_INSTRUCTIONS = "avx512_bf16", "amx_bf16"  # of x86; without them it is slower than float32
OUT_OF_MEMORY = (
    "can't allocate memory",
    "not enough memory",
    "bad_alloc",
    "Cannot allocate memory",
    "out of memory",  # of CUDA itself, before torch's allocator is asked
    "ALLOC_FAILED",  # of cuBLAS and cuFFT
)
LARGEST_UNPINNED_BYTES = 64 << 10  # the driver stages up to this much; a larger copy is a host sync


@dataclass(frozen=True)
class MemoryUse:
    """Memory of a device: in use now, the peak since the start, and in total."""

    used_bytes: int
    peak_bytes: int
    total_bytes: int


def list_devices() -> list[DeviceInfo]:
    """The devices here, best first: CUDA, MPS, CPU."""
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    devices = [torch.device("cuda", index) for index in range(count)]
    if torch.backends.mps.is_available():
        devices.append(torch.device("mps"))
    return [describe_device(device) for device in (*devices, torch.device("cpu"))]


def describe_device(device: torch.device) -> DeviceInfo:
    """Name, title and memory of a device."""
    if device.type == "cuda":
        about = torch.cuda.get_device_properties(device)
        return DeviceInfo(str(device), about.name, about.total_memory)
    total = int(psutil.virtual_memory().total)
    if device.type == "mps":
        return DeviceInfo("mps", "Apple GPU", total)
    threads = torch.get_num_threads()
    return DeviceInfo("cpu", f"CPU, {threads} thread{'' if threads == 1 else 's'}", total)


def engine_status() -> EngineStatus:
    """What torch is and sees here.  Raises RuntimeError if a driver does not work."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        devices = tuple(DeviceStatus(each, _free_bytes(each.name)) for each in list_devices())
    cuda, hip = torch.version.cuda, torch.version.hip
    return EngineStatus(
        version=str(torch.__version__),
        build=f"CUDA {cuda}" if cuda else f"ROCm {hip}" if hip else "the CPU",
        threads=torch.get_num_threads(),
        devices=devices,
        warnings=tuple(dict.fromkeys(one_line(str(each.message)) for each in caught)),
    )


def _free_bytes(name: str) -> int:
    """Bytes of memory that are free on the device of this name."""
    device = torch.device(name)
    return int(torch.cuda.mem_get_info(device)[0]) if device.type == "cuda" else free_memory()


def choose_device(name: str | None) -> torch.device:
    """The device of this name, or the best one for None.  Raises ConfigError that lists the devices."""
    return torch.device(find_device(name, list_devices()).name)


def gpu_uuid(device: torch.device) -> str:
    """The UUID of an NVIDIA GPU, as NVML knows it; empty for other devices.

    Numbers do not identify one: torch's follow CUDA_VISIBLE_DEVICES and CUDA_DEVICE_ORDER, NVML's the bus.
    """
    if device.type != "cuda" or torch.version.cuda is None:
        return ""
    uuid = str(getattr(torch.cuda.get_device_properties(device), "uuid", ""))
    return uuid if not uuid or uuid.startswith(("GPU-", "MIG-")) else f"GPU-{uuid}"


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Copy a tensor to the device, from a CPU without a host sync."""
    if device.type != "cuda" or tensor.is_cuda:
        return tensor.to(device)
    if tensor.nbytes > LARGEST_UNPINNED_BYTES:
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def synchroniser(device: torch.device) -> Callable[[], object]:
    """A function that waits, on any thread, until the work queued on the device up to this call is done.

    That includes non-blocking copies to the CPU.
    """
    if device.type != "cuda":
        return lambda: None
    event = torch.cuda.Event()
    event.record(torch.cuda.current_stream(device))
    return event.synchronize


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device has instructions for bfloat16, which networks are computed in then.

    Weights stay float32.
    """
    if device.type == "cpu":
        return any(torch.cpu.get_capabilities().get(name, False) for name in BFLOAT16_INSTRUCTIONS)
    if device.type != "cuda":
        return False
    with torch.cuda.device(device):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))


def memory_use(device: torch.device) -> MemoryUse:
    """Memory that this process holds on the device; on a CPU, of the whole process."""
    if device.type == "cuda":
        return MemoryUse(
            torch.cuda.memory_allocated(device),
            torch.cuda.max_memory_allocated(device),
            torch.cuda.get_device_properties(device).total_memory,
        )
    total = int(psutil.virtual_memory().total)
    if device.type == "mps":
        used = torch.mps.driver_allocated_memory()
        return MemoryUse(used, used, total)
    unit = 1 if sys.platform == "darwin" else 1024  # what getrusage counts in
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    used = int(psutil.Process().memory_info().rss)
    return MemoryUse(used, max(used, peak), total)  # the kernel's peak may lag behind by a few pages


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that the device, or the computer, has too little memory.

    torch has a class for the former alone; the latter is known by the messages of its allocator and of C++.
    """
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(each in str(error) for each in OUT_OF_MEMORY)


def has_room_for(device: torch.device, size_bytes: int) -> bool:
    """Whether data of this size may stay on the device beside the model: less than 40 % of what is free."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        return size_bytes < 0.4 * free
    return device.type == "cpu"


def free_memory() -> int:
    """Bytes of memory that are free on this machine."""
    return int(psutil.virtual_memory().available)


def fits_memory(size_bytes: int) -> bool:
    """Whether data of this size takes at most half of the memory that is free."""
    return size_bytes < free_memory() / 2


def be_deterministic(enabled: bool) -> None:
    """Let torch use only kernels that give the same bits each time, or any."""
    if (
        enabled != torch.are_deterministic_algorithms_enabled()
    ):  # the call takes seconds: it imports a compiler
        torch.use_deterministic_algorithms(enabled)
    torch.backends.cudnn.benchmark = not enabled
    torch.backends.cudnn.allow_tf32 = True  # convolutions: ten bits of mantissa are enough for a network
    torch.backends.cuda.matmul.allow_tf32 = False  # but not for mel filters and principal components
