"""Threads that compute: how many cores torch uses on each, and which of them yield to others."""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

LEAST_PRIORITY = 19  # as "nice" counts
MOST_THREADS = 1024  # more than any machine has; a foreign checkpoint may ask for anything


def use_threads(device: torch.device, count: Any) -> None:
    """Compute on a CPU with as many threads as before: sums are split among them, and rounded accordingly."""
    if device.type == "cpu" and isinstance(count, int) and 0 < count <= MOST_THREADS:
        torch.set_num_threads(count)


def one_core_threads(count: int, name: str) -> ThreadPoolExecutor:
    """An executor with this many threads, on each of which torch computes with one core."""
    others = torch.get_num_threads()
    are_set = threading.Barrier(count + 1)

    def begin() -> None:
        torch.get_num_threads()  # else the thread would take the number of the others at its first work
        torch.set_num_threads(1)
        are_set.wait()

    executor = ThreadPoolExecutor(count, name, begin)
    for _ in range(count):
        executor.submit(int)  # an executor starts a thread for each task while none is idle
    are_set.wait()
    torch.set_num_threads(others)  # what threads to come begin with: it was set for all of them
    return executor


def lower_priority() -> None:
    """Let this thread compute while others leave a core idle; only Linux knows priorities of threads."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LEAST_PRIORITY)
