"""What stays true of a run and needs attention."""

from collections.abc import Mapping

from core.events import RunState, WarningKind
from core.runs import RunHistory
from sda_tui.widgets.line import Line

HINTS = {WarningKind.NEW_SOUNDS: "“Start from” in the settings of a new run trains on all."}


class RunBanner(Line):
    """Why the run ended badly, and every active warning; red only after a failure."""

    def show_run(self, state: RunState, history: RunHistory, extra: Mapping[WarningKind, str]) -> None:
        """`extra` holds warnings that the log may lack: those that the engine reported to this process."""
        lines = [f"! {message}" for message in active_warnings(history, extra)]
        if state is RunState.FAILED:
            lines.insert(0, f"✗ {history.message}")
        elif state is RunState.FINISHED and history.message:
            lines.insert(0, f"✓ {history.message}")
        elif state is RunState.INTERRUPTED:
            lines.insert(0, "! Its process is gone; Runs (r on the first screen) continues it.")
        self.show("\n".join(lines))
        self.set_class(state is RunState.FAILED, "-error")


def active_warnings(history: RunHistory, extra: Mapping[WarningKind, str]) -> list[str]:
    """Messages of the warnings that hold now, advice last, since there may be no room for all."""
    messages = {kind: warning.message for kind, warning in history.warnings.items()} | dict(extra)
    advice = [kind for kind in WarningKind if kind.is_advice and kind in messages]
    order = [kind for kind in messages if not kind.is_advice] + advice
    return [" ".join(filter(None, (messages[kind], HINTS.get(kind)))) for kind in order if messages[kind]]
