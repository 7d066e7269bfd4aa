"""What a VAE's training reports of the model: whole runs that collapse, and runs that are well."""

from collections import defaultdict

import pytest

from core.events import EpochFinished, MemoryUsed, StepFinished, Warned, WarningKind
from tests.conftest import MakeRun
from tests.training import end, logged, newest_state, of, train, train_to

JUDGEMENTS = {kind for kind in WarningKind if kind.is_advice}


def judgements(events: list) -> dict[WarningKind, list[str]]:
    """Every message of each kind that judges the model, in order."""
    found = defaultdict(list)
    for each in of(Warned, events):
        if each.kind in JUDGEMENTS:
            found[each.kind].append(each.message)
    return dict(found)


def test_a_run_whose_latent_collapses_says_so_once(make_run: MakeRun) -> None:
    settings = {"kl_weight": 1000.0, "free_bits": 0.0, "kl_warmup_fraction": 0.0, "learning_rate": 0.01}
    run = make_run(model="convolutional", epochs=12, **settings)
    found = judgements(train(run))
    (message,) = found[WarningKind.COLLAPSE]
    assert "Posterior collapse" in message
    assert WarningKind.LATENT not in found


def test_a_healthy_run_is_not_warned_of(make_run: MakeRun) -> None:
    found = judgements(train(make_run(epochs=6)))
    assert not {WarningKind.COLLAPSE, WarningKind.LATENT, WarningKind.SAMENESS} & found.keys()


def test_held_out_sounds_are_measured_in_the_unit_of_the_training_loss(make_run: MakeRun) -> None:
    run = make_run(epochs=1, loss="mse")
    (epoch,) = of(EpochFinished, train(run))
    scale = float(newest_state(run)["ema_model"]["scale"])
    assert scale != pytest.approx(1, abs=0.1)
    expected = (epoch.validation_error / scale) ** 2
    assert epoch.metrics["validation_reconstruction_loss"] == pytest.approx(expected, rel=1e-4)


def test_memory_is_reported_with_the_first_step_of_each_process(make_run: MakeRun) -> None:
    run = make_run(epochs=1)
    events = train_to(run, 3)
    assert end(events).state == "cancelled"
    (first,) = of(MemoryUsed, events)
    assert first.step == 1
    assert 1 << 20 < first.used_bytes <= first.peak_bytes < first.total_bytes
    assert events.index(first) <= events.index(of(StepFinished, events)[0]) + 1
    train(run)
    done = events[-1].step
    assert [each.step for each in of(MemoryUsed, logged(run))] == [1, done + 1]
