"""Which warnings the banner shows, in which order, and what it says to do."""

from core.events import Warned, WarningKind
from core.runs import RunHistory
from sda_tui.widgets.run_banner import active_warnings


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
