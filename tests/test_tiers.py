"""The tiers of tests: what puts a test into the slow one."""

from pathlib import Path

import pytest

from tests.conftest import SLOW_PLACES

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("place", SLOW_PLACES)
def test_every_slow_place_exists(place: str) -> None:
    assert (ROOT / place).exists()


def test_a_test_that_starts_the_program_is_slow(request: pytest.FixtureRequest) -> None:
    collected = {item.name: item for item in request.session.items}
    for item in collected.values():
        if isinstance(item, pytest.Function) and "sda_tui" in item.fixturenames:
            assert item.get_closest_marker("slow")
    assert collected[request.node.name].get_closest_marker("slow") is None
