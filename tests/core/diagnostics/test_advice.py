"""What warnings of the model advise can be done."""

import re

import pytest
import torch

from core.config import SETTINGS
from core.diagnostics.evaluation import blur_warning
from core.diagnostics.latent_usage import collapse_warning, spare_warning
from core.diagnostics.memorisation import memorisation_warning
from core.diagnostics.overfitting import OverfittingDetector
from core.diagnostics.sameness import sameness_warning


def overfitting_warning() -> str:
    detector = OverfittingDetector(4)
    detector.is_overfitting = True
    return detector.warning()


MESSAGES = [
    collapse_warning(torch.zeros(8)),
    spare_warning(torch.tensor([0.0, 0.0, 2.0])),
    memorisation_warning(0.0),
    sameness_warning(0.0),
    blur_warning(0.0),
    overfitting_warning(),
]


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.split()[0])
def test_a_setting_that_is_named_can_be_changed_where_the_message_says_so(message: str) -> None:
    assert message
    for clause in re.split(r"[.;:] |, or ", message):
        for name in re.findall(r"\w+", clause):
            if name in SETTINGS:
                assert ("new run" in clause) == bool(SETTINGS[name].fixed), clause


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.split()[0])
def test_a_judgement_holds_no_figure_that_moves_with_the_epochs(message: str) -> None:
    assert set(re.findall(r"[\d.]*\d", message)) <= {"3", "2", "0"}  # of settings and of the best epoch
