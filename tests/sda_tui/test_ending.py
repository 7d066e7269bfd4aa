"""What is said of a run that has ended, and which steps are offered."""

import dataclasses

import pytest

from core.events import RunState, SettingsChanged
from core.runs import RunHistory
from sda_tui.ending import (
    Ending,
    Found,
    NextStep,
    describe_gain,
    end_lines,
    judge_end,
    keys_of,
    next_steps,
    step_rows,
)
from sda_tui.keymap.ending import ending_commands
from tests.sda_tui.driving import an_epoch

NOW_S = 1_750_000_000.0
KEYS = keys_of("dashboard") | {
    command.id.partition(".")[2]: NextStep(command.keys, command.label, command.action)
    for command in ending_commands("dashboard")
}
FOUND = Found(ended_s=NOW_S - 3 * 3600)


def ending(state: RunState, **changes: object) -> Ending:
    last = dataclasses.replace(an_epoch(40, 27, 0.3), best_validation_loss=0.0213, untrained_error=1.21)
    quality = 1 - (0.74 / 1.21) ** 2
    values: dict[str, object] = {
        "state": state,
        "step": 160,
        "total_steps": 160,
        "total_epochs": 40,
        "message": "",
        "elapsed_s": 8109.0,
        "last": last,
        "best_quality": quality,
        "is_overfitting": False,
        "settings": None,
        "loading": None,
        "found": FOUND,
    }
    return Ending(**{**values, **changes})  # type: ignore[arg-type]


def lines(each: Ending) -> list[str]:
    shown = end_lines(each, NOW_S, KEYS)
    assert len(shown) <= 6
    assert all(len(line) <= 58 for line in shown)
    return shown


