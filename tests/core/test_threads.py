import os
import sys
import threading

import pytest
import torch

from core.threads import LEAST_PRIORITY, lower_priority, one_core_threads, use_threads


def test_one_core_threads_use_one_core_and_leave_other_threads_alone() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with one_core_threads(2, "test") as executor:
            counts = list(executor.map(lambda _: count_after_work(), range(8)))
        with one_core_threads(1, "later"):
            assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert counts == [1] * 8


@pytest.mark.parametrize("count", [True, "2", 0, -1, 10**9, 2.0, None])
def test_a_number_of_threads_that_none_can_be_is_left_alone(count: object) -> None:
    """It comes from a checkpoint, which may be from elsewhere."""
    before = torch.get_num_threads()
    use_threads(torch.device("cpu"), count)
    assert torch.get_num_threads() == before


def count_after_work() -> int:
    (torch.rand(500, 500) @ torch.rand(500, 500)).sum()
    return torch.get_num_threads()


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process has one priority")
def test_a_thread_lowers_its_own_priority_only() -> None:
    before = priority()
    with one_core_threads(1, "test") as executor:
        executor.submit(lower_priority)
        assert executor.submit(priority).result() == LEAST_PRIORITY
    assert priority() == before < LEAST_PRIORITY


def priority() -> int:
    return os.getpriority(os.PRIO_PROCESS, threading.get_native_id())
