"""A run continues here, from where it stopped or for longer."""

from functools import partial

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import ModalScreen
from textual.widgets import Button, Input, Label

from core.config import SETTINGS
from core.errors import DatasetError, SdaError, SoundsNotFoundError
from core.runs import RunDirectory
from core.text import printable
from sda_tui.background import read_beside
from sda_tui.continuing import Continuation, continue_run, explain_here
from sda_tui.keymap import KEYMAP
from sda_tui.look import describe_sources
from sda_tui.pasted import read_paths
from sda_tui.session import Session
from sda_tui.until_left import LeftOnce, UntilLeft
from sda_tui.widgets.folder_picker import PathInput
from sda_tui.widgets.line import Line


class ResumeScreen(LeftOnce, UntilLeft, ModalScreen[RunDirectory | None]):
    """Returns the run once it is being trained; None if it was left as it is."""

    SCOPE = "resume"
    AUTO_FOCUS = ""
    BINDINGS = KEYMAP[SCOPE].bindings()

    def __init__(self, session: Session, run: RunDirectory) -> None:
        super().__init__()
        self._session = session
        self._directory = run
        self._found: Continuation | None = None
        self._is_starting = False
        self._is_left = False

    def compose(self) -> ComposeResult:
        with Vertical(id="ending"):
            yield Label(Text(f"Continue {printable(self._directory.name)}"), id="ending-title")
            yield Line("Reading the run…", id="resume-state")
            with Horizontal(classes="choice-line", id="resume-epochs-line"):
                yield Label("Epochs in all")
                yield Input(id="resume-epochs", compact=True)
            yield Line(id="resume-estimate")
            with Horizontal(classes="choice-line", id="resume-folder-line"):
                yield Label("Its sounds are in")
                yield PathInput(id="resume-folder", compact=True)
            yield Line(id="resume-note")
            with Horizontal(id="ending-answers"):
                yield Button("Continue n", id="resume-start", variant="primary", disabled=True)
                yield Button(Text.assemble("Stay", (" esc", "dim")), id="resume-back")

    def on_mount(self) -> None:
        self.query_one("#resume-epochs-line").display = False
        self.query_one("#resume-folder-line").display = False
        read_beside(self, partial(Continuation.of, self._directory), self._show, self._show_problem)

    @property
    def is_ready(self) -> bool:
        """Whether the run was looked at."""
        return self._found is not None

    def _show(self, found: Continuation) -> None:
        self._found = found
        self.query_one("#resume-state", Line).show(found.describe())
        why_not = found.why_not(self._session)
        if why_not:
            self._show_problem(why_not)
            return
        manifest = found.summary.manifest
        assert manifest is not None
        if found.is_longer:
            name = printable(self._directory.name)
            self.query_one("#ending-title", Label).update(Text(f"Train {name} longer"))
        self.query_one("#resume-epochs-line").display = True
        self.query_one("#resume-epochs", Input).value = str(found.suggested_epochs)
        if not found.has_folder:
            sources = describe_sources(manifest.source_paths)
            self._ask_for_folder()
            self._show_note(f"! The folder of its sounds is gone: {sources}. Write where they are now.")
        start = self.query_one("#resume-start", Button)
        start.label = Text.assemble(found.label(), (" n", "dim"))
        start.disabled = False
        (self.query_one("#resume-folder") if not found.has_folder else start).focus()

    def _ask_for_folder(self) -> None:
        self.query_one("#resume-folder-line").display = True

    def _show_problem(self, problem: str) -> None:
        self._show_note(f"✗ {problem}", is_error=True)
        if not self._is_starting:
            self.query_one("#resume-back").focus()

    def _show_note(self, note: str, is_error: bool = False) -> None:
        line = self.query_one("#resume-note", Line)
        line.show(note)
        line.set_class(is_error, "-error")

    @on(Input.Changed, "#resume-epochs")
    def _show_estimate(self, event: Input.Changed) -> None:
        if self._found is not None:
            self.query_one("#resume-estimate", Line).show(self._found.estimate(event.value))

    @on(Button.Pressed, "#resume-start")
    @on(Input.Submitted)
    def action_start(self) -> None:
        """Continue the run, as the fields say."""
        if self._found is None or self.query_one("#resume-start", Button).disabled:
            return
        summary = self._found.summary
        assert summary.manifest is not None
        try:
            epochs = SETTINGS["epochs"].parse(self.query_one("#resume-epochs", Input).value)
        except SdaError as error:
            self._refuse(error)
            return
        paths = read_paths(self.query_one("#resume-folder", Input).value)
        if not self._found.has_folder and not paths:
            self._refuse("Write where its sounds are now.")
            self.query_one("#resume-folder").focus()
            return
        changes = {} if epochs == summary.manifest.config.epochs else {"epochs": epochs}
        self._let_answer(False)
        self._show_note("◌ Looking for its sounds…")
        folder = paths[0] if paths else None
        continue_run(
            self,
            self._session,
            summary,
            changes,
            folder,
            self._finish,
            self._refuse,
            is_wanted=lambda: not self._is_left,
        )

    def _finish(self, run: RunDirectory) -> None:
        self.dismiss(run)

    def _refuse(self, error: SdaError | str) -> None:
        self._let_answer(True)
        self._show_note(f"✗ {explain_here(error)}", is_error=True)
        if isinstance(error, SoundsNotFoundError):
            self._ask_for_folder()
        is_asked = bool(self.query_one("#resume-folder-line").display)
        is_elsewhere = self.query_one("#resume-epochs").has_focus
        if isinstance(error, DatasetError) and is_asked and not is_elsewhere:
            self.query_one("#resume-folder").focus()  # to be corrected

    def _let_answer(self, may: bool) -> None:
        self._is_starting = not may
        self.query_one("#resume-start", Button).disabled = not may

    @on(Button.Pressed, "#resume-back")
    def action_back(self) -> None:
        """Leave the run as it is, also while its sounds are looked for: a disk may not answer."""
        self._is_left = True
        self.dismiss(None)
