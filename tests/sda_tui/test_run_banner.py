"""Which messages the banner shows, in which order, and how it marks those that it has no room for."""

import pytest

from core.events import RunState, StateChanged, Warned, WarningKind
from core.runs import RunHistory
from sda_tui.widgets.compact_view import compact_lines
from sda_tui.widgets.metric_table import Metric
from sda_tui.widgets.run_banner import active_warnings, banner, messages_of

LONG = "A warning that is long. " * 20


def test_every_warning_that_holds_is_shown_with_what_to_do_and_advice_last() -> None:
    history = RunHistory()
    for kind, message in (
        (WarningKind.BLUR, "Blurred."),
        (WarningKind.DISK, "The disk was full."),
        (WarningKind.NEW_SOUNDS, "2 files are new."),
        (WarningKind.DISK, ""),  # taken back
    ):
        history.apply(Warned(kind, message, 1), 0.0)
    assert active_warnings(history, {WarningKind.CHECKPOINT: "A checkpoint is damaged."}) == [
        "A checkpoint is damaged.",
        "2 files are new. “Start from” in the settings of a new run trains on all.",
        "Blurred.",
    ]


def test_why_a_run_ended_comes_first() -> None:
    history = RunHistory()
    history.apply(Warned(WarningKind.BLUR, "Blurred.", 1), 0.0)
    history.apply(StateChanged("failed", 1, 1, 9, 9, "The device was lost."), 0.0)
    assert messages_of(RunState.FAILED, history, {}) == ["✗ The device was lost.", "! Blurred."]
    assert "newest checkpoint" in messages_of(RunState.INTERRUPTED, history, {})[0]


@pytest.mark.parametrize(
    ("messages", "most", "expected"),
    [
        (["! a", "! b"], 3, ["! a", "! b"]),
        (["! a", "! b", "! c"], 1, ["! a  +2 more, w shows all"]),
        (["! a", "! b", "! c", "! d"], 3, ["! a", "! b", "! c  +1 more, w shows all"]),
        ([f"! {LONG}"], 1, [f"{'! ' + LONG:.43}…  w shows all"]),
    ],
)
def test_what_the_banner_has_no_room_for_is_counted(
    messages: list[str], most: int, expected: list[str]
) -> None:
    lines = banner(messages, 57, most).plain.splitlines()
    assert lines == expected
    assert all(len(line) <= 57 for line in lines)


@pytest.mark.parametrize("width", [1, 5, 20, 59])
def test_a_tiny_terminal_gets_lines_that_fit_the_gravest_first(width: int) -> None:
    figures = [Metric("Step", "1234/8000"), Metric("ETA", "3:21"), Metric("Valid.", "0.5123")]
    lines = compact_lines(width, ["▶ training", "epoch 3/40"], figures, "Still improving.", [f"! {LONG}"])
    assert all(len(line) <= width for line in lines)
    if width == 59:
        assert lines[0] == "▶ training  epoch 3/40"
        assert lines[1] == "Step 1234/8000  ETA 3:21  Valid. 0.5123"
        assert lines[2].startswith("! A warning")
        assert lines[2].endswith("…")
