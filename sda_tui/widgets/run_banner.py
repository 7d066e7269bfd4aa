"""What stays true of a run and needs attention."""

from collections.abc import Mapping, Sequence

from rich.text import Text

from core.events import RunState, WarningKind
from core.runs import RunHistory
from sda_tui import format as fmt
from sda_tui.keymap import key_of
from sda_tui.widgets.line import Line

HINTS = {WarningKind.NEW_SOUNDS: "“Start from” in the settings of a new run trains on all."}
SHOWN, SHOWN_WHERE_SHORT = 3, 1  # messages; the others are counted


class RunBanner(Line):
    """Why the run ended badly, and active warnings, a line each; red only after a failure.

    What does not fit is marked and counted, and the messages of the dashboard have all of it.
    """

    def show_run(self, state: RunState, messages: Sequence[str], is_short: bool) -> None:
        self.show(banner(messages, self.app.size.width - 2, SHOWN_WHERE_SHORT if is_short else SHOWN))
        self.set_class(state is RunState.FAILED, "-error")


def banner(messages: Sequence[str], width: int, most: int) -> Text:
    """The first messages, a line each; the last line says how to see what is cut off or missing."""
    shown = messages[:most]
    hidden = len(messages) - len(shown)
    lines = [fmt.shorten(message, width) for message in shown]
    if hidden or lines != list(shown):
        all_shown = f"{key_of('dashboard.warnings')} shows all"
        more = f"  +{hidden} more, {all_shown}" if hidden else f"  {all_shown}"
        lines[-1] = fmt.shorten(shown[-1], max(1, width - len(more))) + more
    return Text("\n".join(lines), no_wrap=True)


def messages_of(state: RunState, history: RunHistory, extra: Mapping[WarningKind, str]) -> list[str]:
    """Everything that needs attention, the gravest first, each with a mark.

    `extra` holds warnings that the log may lack: those that the engine reported to this process.
    """
    messages = [f"! {message}" for message in active_warnings(history, extra)]
    if state is RunState.FAILED:
        messages.insert(0, f"✗ {history.message}")
    elif state is RunState.FINISHED and history.message:
        messages.insert(0, f"✓ {history.message}")
    elif state is RunState.INTERRUPTED:
        resume = key_of("dashboard.resume")
        messages.insert(0, f"! Its process is gone; {resume} continues it from the newest checkpoint.")
    return messages


def active_warnings(history: RunHistory, extra: Mapping[WarningKind, str]) -> list[str]:
    """Messages of the warnings that hold now, advice last, since there may be no room for all."""
    messages = {kind: warning.message for kind, warning in history.warnings.items()} | dict(extra)
    advice = [kind for kind in WarningKind if kind.is_advice and kind in messages]
    order = [kind for kind in messages if not kind.is_advice] + advice
    return [" ".join(filter(None, (messages[kind], HINTS.get(kind)))) for kind in order if messages[kind]]
