import torch

from core.device import one_core_threads


def test_one_core_threads_keep_to_one_core_while_others_have_as_many_as_before() -> None:
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


def count_after_work() -> int:
    (torch.rand(500, 500) @ torch.rand(500, 500)).sum()
    return torch.get_num_threads()
