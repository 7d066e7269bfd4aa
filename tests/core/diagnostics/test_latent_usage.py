"""Unused latent dimensions: named, with advice."""

import pytest
import torch

from core.diagnostics.latent_usage import latent_warning, ranges


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ([3], "3"),
        ([3, 4], "3–4"),
        ([3, 7, 8, 9, 12], "3, 7–9, 12"),
        ([1, 3, 5, 7, 9, 11, 13, 15, 16], "1, 3, 5, 7, 9, 11 and 3 more"),
    ],
)  # fmt: skip
def test_numbers_are_listed_in_short(numbers: list[int], text: str) -> None:
    assert ranges(numbers) == text


def test_unused_dimensions_are_named_with_advice() -> None:
    kl = torch.full((16,), 2.0)
    assert latent_warning(kl) == ""
    kl[2] = 0.09
    assert latent_warning(kl).startswith("Latent dimension 3 of 16 carries next to nothing")
    kl[6:12] = 0.0
    sentence = latent_warning(kl)
    assert sentence.startswith("Latent dimensions 3, 7–12 of 16 carry next to nothing")
    assert "latent_dim=9 would do" in sentence


def test_collapsed_latent_is_reported_as_such() -> None:
    assert "posterior collapse" in latent_warning(torch.full((16,), 0.01))


def test_numbers_that_are_none_name_nothing() -> None:
    assert latent_warning(torch.full((4,), float("nan"))) == ""
