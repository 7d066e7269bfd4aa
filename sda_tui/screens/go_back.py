"""A run goes back to one of its checkpoints, in a new run or in itself."""

from pathlib import Path

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Label, OptionList
from textual.widgets.option_list import Option

from core.errors import SdaError
from core.runs import CheckpointDescription, RunDirectory, list_checkpoints
from core.text import printable
from sda_tui import format as fmt
from sda_tui.advice import explain
from sda_tui.session import Session
from sda_tui.until_left import LeftOnce, UntilLeft

REASONS = {
    "start": "before the first step",
    "interval": "",
    "manual": "saved by hand",
    "best": "lowest loss",
    "cancelled": "when it was stopped",
    "failed": "when it failed",
    "finished": "at the end",
}
ABOUT = "A new run leaves this one as it is. Rewound, this one keeps what is newer in its folder."


class GoBackScreen(LeftOnce, UntilLeft, ModalScreen[RunDirectory | None]):
    """Lists the checkpoints of a run, and returns the run that continues from the chosen one.

    The first answer changes nothing of the run that there is; escape changes nothing at all, and waits for an
    answer that was given.
    """

    BINDINGS = [
        Binding("escape", "stay", show=False),
        Binding("n", "branch", show=False),
        Binding("w", "rewind", show=False),
        Binding("left", "app.focus_previous", show=False),
        Binding("right", "app.focus_next", show=False),
    ]

    def __init__(self, session: Session, run: RunDirectory) -> None:
        super().__init__()
        self._session = session
        self._directory = run
        self._checkpoints: list[CheckpointDescription] = []
        self._is_going_back = False

    def compose(self) -> ComposeResult:
        with Vertical(id="question"):
            yield Label(Text(self._question), id="question-title")
            yield Label("Reading its checkpoints…", id="go-back-status")
            yield OptionList(id="checkpoints", compact=True)
            yield Label(ABOUT, id="question-text")
            with Horizontal(id="answers"):
                yield Button(Text.assemble("In a new run", (" n", "dim")), id="branch", disabled=True)
                yield Button(Text.assemble("Rewind this run", (" w", "dim")), id="rewind", disabled=True)
                yield Button(Text.assemble("Stay", (" esc", "dim")), id="stay")

    def on_mount(self) -> None:
        self._read()

    @property
    def _question(self) -> str:
        return f"Go back in {printable(self._directory.name)}"

    @property
    def is_ready(self) -> bool:
        return bool(self._checkpoints)

    @work(thread=True, exit_on_error=False)
    def _read(self) -> None:
        try:
            checkpoints = list_checkpoints(self._directory)
        except OSError as error:
            self.app.call_from_thread(self._show_status, f"✗ Its log cannot be read ({error.strerror}).")
        else:
            self.app.call_from_thread(self._show, checkpoints)

    def _show(self, checkpoints: list[CheckpointDescription]) -> None:
        self._checkpoints = checkpoints
        if not checkpoints:
            self._show_status("This run has no checkpoint yet.")
            return
        self._show_status(f"{'':<8}{'step':>9}{'epoch':>8}{'validation':>12}")
        listed = self.query_one("#checkpoints", OptionList)
        listed.add_options([Option(Text(_describe(each))) for each in checkpoints])
        listed.highlighted = 0
        self._let_answer(True)
        listed.focus()

    def _show_status(self, text: str) -> None:
        self.query_one("#go-back-status", Label).update(Text(text))

    def _let_answer(self, may: bool) -> None:
        for button in ("#branch", "#rewind"):
            self.query_one(button, Button).disabled = not may

    @on(Button.Pressed, "#stay")
    def action_stay(self) -> None:
        if not self._is_going_back:
            self.dismiss(None)

    @on(OptionList.OptionSelected)
    @on(Button.Pressed, "#branch")
    def action_branch(self) -> None:
        self._begin(is_rewind=False)

    @on(Button.Pressed, "#rewind")
    def action_rewind(self) -> None:
        self._begin(is_rewind=True)

    def _begin(self, is_rewind: bool) -> None:
        index = self.query_one("#checkpoints", OptionList).highlighted
        if index is None or self.query_one("#branch", Button).disabled:
            return
        self._is_going_back = True
        self._let_answer(False)
        self.query_one("#question-title", Label).update("Reading the checkpoint…")
        self._go_back(self._checkpoints[index].path, is_rewind)

    @work(thread=True, exclusive=True, exit_on_error=False)
    def _go_back(self, checkpoint: Path, is_rewind: bool) -> None:
        try:
            run = self._session.go_back(self._directory, checkpoint, is_rewind)
        except SdaError as error:
            self.app.call_from_thread(self._refuse, error)
        else:
            self.app.call_from_thread(self._continue, run)

    def _continue(self, run: RunDirectory) -> None:
        try:
            self._session.resume(run)
        except SdaError as error:
            self._refuse(error)
        else:
            self.dismiss(run)

    def _refuse(self, error: SdaError) -> None:
        self._is_going_back = False
        self._let_answer(True)
        self.query_one("#question-title", Label).update(Text(self._question))
        self.notify(explain(error), title="Cannot go back", severity="error", timeout=10, markup=False)


def _describe(checkpoint: CheckpointDescription) -> str:
    """Name, step, epoch, validation loss where they are known, and why it was saved."""
    step, epoch, reason = checkpoint.step, checkpoint.epoch, checkpoint.reason
    name = "best" if checkpoint.is_best else "saved" if checkpoint.is_saved_by_hand else ""
    why = REASONS.get(reason, printable(reason))
    return (
        f"{name:<8}{'–' if step is None else step:>9}{'–' if epoch is None else epoch:>8}"
        f"{fmt.number(checkpoint.validation_loss):>12}  {why}"
    ).rstrip()
