"""Learning rate and KL weight over a run."""

import pytest

from core.config import TrainingConfig
from core.optim.schedules import kl_weight, learning_rate


def test_learning_rate_warms_up_and_falls_to_a_hundredth() -> None:
    config = TrainingConfig(learning_rate=1.0, learning_rate_warmup_fraction=0.1)
    rates = [learning_rate(config, step, 100) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == rates[10] == pytest.approx(1.0)
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[55] == pytest.approx((1 + 0.01) / 2)
    assert rates[100] == pytest.approx(0.01)


def test_kl_weight_rises_linearly_to_its_final_value() -> None:
    config = TrainingConfig(kl_weight=2.0, kl_warmup_fraction=0.5)
    assert [kl_weight(config, step, 100) for step in (0, 25, 50, 99)] == pytest.approx([0.0, 1.0, 2.0, 2.0])


def test_no_warmup_at_all_is_possible() -> None:
    config = TrainingConfig(kl_warmup_fraction=0.0, learning_rate_warmup_fraction=0.0)
    assert kl_weight(config, 0, 1) == 1.0
    assert learning_rate(config, 0, 1) == config.learning_rate
