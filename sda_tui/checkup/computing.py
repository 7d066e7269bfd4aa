"""What trains: PyTorch, its devices, their memory, the CPU."""

import importlib
import os
from typing import Any

import psutil

from core.config import EngineStatus
from core.engine import engine_status
from core.text import one_line, printable
from sda_tui import format as fmt
from sda_tui.checkup.finding import Finding, Verdict, within

DRIVER_LIMIT_S = 10.0
LEAST_GPU_BYTES, LEAST_BYTES = 2 * 10**9, 3 * 10**9
NEWER_DRIVER = "Update the driver, or install PyTorch's build for an older CUDA: README, “GPU, CPU, Mac”."


def find_devices() -> list[Finding]:
    status = engine_status()
    if status.problem:
        advice = "README, “GPU, CPU, Mac”, has how to install PyTorch."
        return [Finding("PyTorch", status.problem, Verdict.PROBLEM, advice), _find_cpu(0), _find_memory()]
    torch = Finding("PyTorch", f"{status.version}, built for {status.build}")
    return [torch, _find_driver(status), *_find_gpus(status), _find_cpu(status.threads), _find_memory()]


def _find_driver(status: EngineStatus) -> Finding:
    """NVIDIA's driver, and whether PyTorch sees the GPUs that it drives."""
    sees_gpu = any(each.device.name.startswith("cuda") for each in status.devices)
    try:
        version, names = within(DRIVER_LIMIT_S, _ask_driver)
    except TimeoutError:
        advice = "Training on the GPU would hang; restart the machine."
        return Finding("GPU driver", "does not answer", Verdict.PROBLEM, advice)
    except ImportError:
        found = "not known, as the Python package nvidia-ml-py is missing"
        return Finding("GPU driver", found, Verdict.NOTE, "Install sda-tui again: README has how.")
    except Exception as error:  # NVML's own errors are made as it is imported
        return _explain_no_driver(status, sees_gpu, one_line(str(error)))
    gpus = ", ".join(names) or "no GPU"
    if names and not sees_gpu:
        said = " ".join(status.warnings)
        found = f"{version} with {gpus}, which PyTorch does not see" + (f": {said}" if said else "")
        hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
        advice = (
            NEWER_DRIVER if hidden is None else f"CUDA_VISIBLE_DEVICES is '{printable(hidden)}': unset it."
        )
        return Finding("GPU driver", found, Verdict.PROBLEM, advice)
    return Finding("GPU driver", f"NVIDIA {version} with {gpus}")


def _explain_no_driver(status: EngineStatus, sees_gpu: bool, error: str) -> Finding:
    if sees_gpu or any(each.device.name == "mps" for each in status.devices):
        return Finding("GPU driver", "not NVIDIA's")
    advice = "Training works on the CPU; on a GPU it is many times as fast. README, “GPU, CPU, Mac”."
    return Finding("GPU driver", f"no NVIDIA GPU ({error})", Verdict.NOTE, advice)


def _ask_driver() -> tuple[str, list[str]]:
    """The version of the driver, and the names of the GPUs.  Raises NVML's errors, ImportError; may hang."""
    nvml: Any = importlib.import_module("pynvml")
    nvml.nvmlInit()
    handles = map(nvml.nvmlDeviceGetHandleByIndex, range(nvml.nvmlDeviceGetCount()))
    return printable(str(nvml.nvmlSystemGetDriverVersion())), [
        printable(str(nvml.nvmlDeviceGetName(handle))) for handle in handles
    ]


def _find_gpus(status: EngineStatus) -> list[Finding]:
    found = []
    for each in status.devices:
        if each.device.name == "cpu":
            continue
        free, total = fmt.size(each.free_bytes), fmt.size(each.device.memory_bytes)
        about = f"{printable(each.device.title)}, {free} of {total} free"
        if each.free_bytes < LEAST_GPU_BYTES:
            advice = "Another program holds the rest; end it, or choose another device with --device."
            found.append(Finding(each.device.name, about, Verdict.NOTE, advice))
        else:
            found.append(Finding(each.device.name, about))
    return found


def _find_cpu(threads: int) -> Finding:
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    cores = psutil.cpu_count(logical=False) or allowed
    used = f", PyTorch uses {fmt.count(threads, 'thread')}" if threads else ""
    about = f"{fmt.count(cores, 'core')}, {fmt.count(allowed, 'thread')} for this process{used}"
    load = psutil.getloadavg()[0]
    if load > 1.5 * allowed:
        advice = "Training on the CPU shares it with other programs, and takes so much longer."
        return Finding("CPU", f"{about}, a load of {load:.1f}", Verdict.NOTE, advice)
    return Finding("CPU", about)


def _find_memory() -> Finding:
    memory = psutil.virtual_memory()
    about = f"{fmt.size(memory.available)} of {fmt.size(memory.total)} free"
    if memory.available < LEAST_BYTES:
        return Finding("memory", about, Verdict.NOTE, "PyTorch alone takes about 1 GB; close other programs.")
    return Finding("memory", about)
