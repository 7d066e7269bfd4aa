"""What makes sounds from the trained run."""

import pytest

from core.runs import RunDirectory
from core.synthesis.making import Maker


@pytest.fixture
def maker(trained: RunDirectory) -> Maker:
    return Maker(trained.path, device="cpu")
