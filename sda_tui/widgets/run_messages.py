"""All that a run has to say: what needs attention now, and what happened."""

from collections.abc import Iterable, Sequence

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import VerticalScroll

from core.events import CheckpointSaved, RunState, SettingsChanged, StateChanged, Warned
from core.runs import Incident
from core.text import printable
from sda_tui import format as fmt
from sda_tui.look import describe_state
from sda_tui.widgets.line import Line

NOTHING = "Nothing needs attention. Warnings stand here in full, and what happened below."


class RunMessages(VerticalScroll):
    """Every active warning in full, then states, checkpoints, changes and warnings, the newest first."""

    def compose(self) -> ComposeResult:
        yield Line(id="active-messages")
        yield Line(id="incidents")

    def show(self, messages: Sequence[str], incidents: Sequence[Incident]) -> None:
        self.query_one("#active-messages", Line).show("\n".join(messages) or NOTHING)
        self.query_one("#incidents", Line).show(_describe_all(reversed(incidents)))


def _describe_all(incidents: Iterable[Incident]) -> Text:
    text = Text()
    for incident in incidents:
        text.append(f"{fmt.clock(incident.time_s)}  ", style="dim").append(f"{describe_incident(incident)}\n")
    text.rstrip()
    return text


def describe_incident(incident: Incident) -> str:
    """One line: "step 1234: saved because you asked for it"."""
    match incident.event:
        case StateChanged() as change:
            message = f": {change.message}" if change.message else ""
            return f"step {change.step}: {describe_state(RunState(change.state))}{message}"
        case CheckpointSaved() as saved:
            return f"step {saved.step}: saved ({saved.reason}), {printable(saved.path)}"
        case SettingsChanged() as change:
            return f"step {change.step}: settings now {change.now} (before: {change.before})"
        case Warned(message="") as warning:
            return f"step {warning.step}: resolved ({warning.kind.value.replace('_', ' ')})"
        case Warned() as warning:
            return f"step {warning.step}: ! {warning.message}"
