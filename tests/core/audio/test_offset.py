"""A constant offset of a recording."""

import numpy as np
import pytest

from core.audio.offset import find_offset
from tests.sounds import tone

RATE = 48_000


@pytest.mark.parametrize("offset", [0.5, -0.01, 0.0003])
def test_an_offset_is_found_whatever_the_blocks(offset: float) -> None:
    samples = (0.01 * tone(440.0, 1.0) + offset).astype(np.float32)
    for blocks in ([samples], np.array_split(samples, 7)):
        assert find_offset(blocks, RATE) == pytest.approx(offset, rel=0.01)


def test_a_sound_without_an_offset_and_one_too_short_to_have_one_have_none() -> None:
    assert find_offset([tone(440.0, 1.0).astype(np.float32)], RATE) == 0.0
    assert find_offset([np.full(2000, 0.5, np.float32)], RATE) == 0.0
    assert find_offset([], RATE) == 0.0
