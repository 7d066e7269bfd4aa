"""Threads that compute: the number of cores that torch uses on each, and their priority."""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch

LEAST_PRIORITY = 19  # as "nice" counts
MOST_THREADS = 1024  # more than any machine has; a foreign checkpoint may hold any number


def use_threads(device: torch.device, count: Any) -> None:
    """Compute on a CPU with this number of threads, as the rounding of sums depends on it."""
    if device.type == "cpu" and type(count) is int and 0 < count <= MOST_THREADS:
        torch.set_num_threads(count)


def one_core_threads(count: int, name: str) -> ThreadPoolExecutor:
    """An executor with this many threads, on each of which torch computes with one core."""
    others = torch.get_num_threads()
    are_set = threading.Barrier(count + 1)

    def begin() -> None:
        torch.get_num_threads()  # else torch would reset the number at the thread's first operation
        torch.set_num_threads(1)
        are_set.wait()

    executor = ThreadPoolExecutor(count, name, begin)
    for _ in range(count):
        executor.submit(int)  # an executor starts a thread for each task while none is idle
    are_set.wait()
    torch.set_num_threads(others)  # the default of later threads, which the calls above changed
    return executor


def lower_priority() -> None:
    """Give this thread the lowest priority; only Linux has priorities of threads."""
    if sys.platform == "linux":
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LEAST_PRIORITY)
