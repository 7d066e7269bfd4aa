"""The list of planted mistakes keeps up with the code: one whose line is gone is never tried."""

import pytest

from tests.mistakes import PROJECT, Mistake, read_mistakes


@pytest.mark.parametrize("mistake", read_mistakes(), ids=lambda each: each.path)
def test_each_mistake_can_be_planted(mistake: Mistake) -> None:
    assert (PROJECT / mistake.path).read_text(encoding="utf-8").count(mistake.right) == 1
    assert mistake.wrong != mistake.right
    assert all((PROJECT / each).exists() for each in mistake.tests)
