"""Training sounds kept with a model."""

import pytest
import torch

from core.synthesis.sounds import TrainingSounds

CPU = torch.device("cpu")


def log_mels(count: int) -> torch.Tensor:
    """Of very different level, and one of silence."""
    scales = torch.linspace(0, 24, count).view(-1, 1, 1, 1)
    return scales * torch.rand(count, 1, 128, 24, generator=torch.Generator().manual_seed(0))


def test_a_value_is_kept_to_half_a_step_of_its_sound() -> None:
    sounds = log_mels(5)
    kept = TrainingSounds.quantised(sounds)
    index = torch.tensor([4, 0, 2])
    again = kept.log_mel(index)
    assert again.shape == (3, 1, 128, 24)
    step = sounds[index].amax((1, 2, 3), keepdim=True) / 255
    assert ((again - sounds[index]).abs() <= step / 2 + 1e-6).all()


def test_a_second_takes_twelve_kilobytes() -> None:
    kept = TrainingSounds.quantised(torch.rand(3, 1, 128, 94)).state_dict()
    assert sum(each.numel() * each.element_size() for each in kept.values()) == 3 * (128 * 94 + 4)


def test_sounds_are_read_back() -> None:
    kept = TrainingSounds.quantised(log_mels(4))
    again = TrainingSounds.from_state(kept.state_dict(), CPU)
    everyone = torch.arange(4)
    assert torch.equal(again.log_mel(everyone), kept.log_mel(everyone))


@pytest.mark.parametrize(
    "change",
    [
        {"levels": torch.zeros(4, 128, 24)},
        {"levels": torch.zeros(4, 128, dtype=torch.uint8)},
        {"largest": torch.zeros(3)},
    ],
)
def test_parts_that_do_not_fit_are_refused(change: dict[str, torch.Tensor]) -> None:
    state = TrainingSounds.quantised(log_mels(4)).state_dict()
    with pytest.raises(ValueError, match="training sounds do not fit"):
        TrainingSounds.from_state({**state, **change}, CPU)
