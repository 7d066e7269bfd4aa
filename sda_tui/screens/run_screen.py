"""What can be done with a run, whatever is shown of it."""

import time
from collections.abc import Callable

from textual.events import Key
from textual.message import Message
from textual.screen import Screen

from core.errors import RunError
from core.events import RunState
from core.runs import Request, RunDirectory, RunHistory
from sda_tui.advice import explain
from sda_tui.followed_run import FollowedRun
from sda_tui.keymap import KEYMAP, key_of
from sda_tui.keymap.shown import USER_KEYS
from sda_tui.listening import Listening
from sda_tui.notification import RunEnd
from sda_tui.reveal import reveal
from sda_tui.screens.choice import Choice, ChoiceScreen
from sda_tui.screens.export import ExportScreen
from sda_tui.screens.go_back import GoBackScreen
from sda_tui.screens.resume import ResumeScreen
from sda_tui.session import Session
from sda_tui.until_left import LeftOnce, UntilLeft


class RunScreen(LeftOnce, UntilLeft, Screen[None]):
    """Follows a run, offers what makes sense in its state, and does it."""

    SCOPE = "dashboard"
    BINDINGS = KEYMAP[SCOPE].bindings()

    class MakingWanted(Message):
        """Sounds are to be made with the model of the run."""

        def __init__(self, run: RunDirectory) -> None:
            super().__init__()
            self.run = run

    class Ended(Message):
        """The run, which another process trained, has ended."""

        def __init__(self, end: RunEnd) -> None:
            super().__init__()
            self.end = end

    class WentBack(Message):
        """Another run, or this one from an earlier step on, is trained now and is to be shown."""

        def __init__(self, run: RunDirectory) -> None:
            super().__init__()
            self.run = run

    def __init__(
        self,
        session: Session,
        run: RunDirectory,
        listening: Listening,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__()
        self.run = run
        self.followed = FollowedRun(run, session.trains, session.is_waiting, clock)
        self._session = session
        self._listening = listening
        self._possible = (True, False, False)  # whether the log is read, the run active, a checkpoint there

    def on_unmount(self) -> None:
        self.followed.close()

    @property
    def history(self) -> RunHistory:
        return self.followed.history

    @property
    def state(self) -> RunState:
        return self.followed.state

    # -- what is possible -------------------------------------------------------------------------------

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Whether the footer offers it now.  What it does not offer says why when its key is pressed."""
        return not self._refusal(action)

    def _refusal(self, action: str) -> str:
        """Why this cannot be done now; empty if it can."""
        is_reading, is_active, has_checkpoint = self._possible
        match action:
            case "save" | "cancel" if is_reading:
                return "The log of this run is still being read; try again in a moment."
            case "save" | "cancel" if not is_active:
                return f"This run is not being trained. {key_of('dashboard.resume')} continues it here."
            case "resume" if is_reading or is_active:
                return "This run is being trained already."
            case "sounds" | "go_back" | "export" if not has_checkpoint:
                return "This run has no checkpoint yet; its model can be used when it has one."
        return ""

    def show_possible(self) -> None:
        """Have the footer offer what makes sense in this state."""
        has_checkpoint = self.history.checkpoint is not None or self.run.has_checkpoint()
        possible = (self.followed.is_reading, self.state.is_active, has_checkpoint)
        if possible != self._possible:
            self._possible = possible
            self.refresh_bindings()

    def on_key(self, event: Key) -> None:
        """A key whose command is not possible now says why."""
        for command in KEYMAP[self.SCOPE].commands:
            if event.key in USER_KEYS.of(command) and (refusal := self._refusal(command.action)):
                event.stop()
                self.notify(refusal, severity="warning")

    # -- requests ---------------------------------------------------------------------------------------

    def action_save(self) -> None:
        self._request("save")  # the toast follows the event in the log

    def action_cancel(self) -> None:
        question = ChoiceScreen(
            "Stop training?",
            f"It is saved at this very step; {key_of('dashboard.resume')} continues it from there.",
            (Choice("stay", "Keep training", "n"), Choice("stop", "Stop and save", "y")),
        )
        self.app.push_screen(question, lambda answer: self._request("cancel") if answer == "stop" else None)

    def _request(self, request: Request) -> None:
        try:
            self._session.request(self.run, request)
        except RunError as error:
            self.notify(explain(error), severity="warning")

    def action_sounds(self) -> None:
        """Make sounds with the model, which may be in training."""
        self._listening.stop()
        self.post_message(self.MakingWanted(self.run))

    def action_resume(self) -> None:
        """Continue the run here, or train a finished one for longer."""
        self.app.push_screen(ResumeScreen(self._session, self.run), self._show_resumed)

    def _show_resumed(self, run: RunDirectory | None) -> None:
        if run is not None:
            self.post_message(self.WentBack(run))

    def action_export(self) -> None:
        self._listening.stop()
        self.app.push_screen(ExportScreen(self._session, self.run, self._listening))

    def action_folder(self) -> None:
        """Open the folder of the run where there is a display; else copy its path."""
        if (path := reveal(self.run.path)) is not None:
            self.app.copy_to_clipboard(path)
            self.notify(path, title="Copied", timeout=20)

    def action_go_back(self) -> None:
        """Continue from an earlier checkpoint."""
        self.app.push_screen(GoBackScreen(self._session, self.run), self._show_branch)

    def _show_branch(self, run: RunDirectory | None) -> None:
        if run is not None:
            self._listening.stop()
            self.post_message(self.WentBack(run))

    def action_back(self) -> None:
        self._listening.stop()
        self.dismiss()
