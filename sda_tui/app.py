"""The Textual application: which screen comes when.

The top imports only what the first paint needs, which halves the time to it.
"""

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from enum import Enum, auto
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.segment import Segment
from textual.app import ComposeResult
from textual.color import Color
from textual.filter import LineFilter
from textual.message import Message
from textual.notifications import SeverityLevel

from sda_tui.configuration.reading import Read
from sda_tui.driver import TerminalDriver
from sda_tui.keymap import key_of
from sda_tui.navigation import Navigation
from sda_tui.safe_text import safe_segments
from sda_tui.terminal import copy_by_tmux
from sda_tui.widgets.title_bar import TitleBar

if TYPE_CHECKING:
    from core.events import StateChanged
    from core.runs import RunDirectory
    from sda_tui.listening import Listening
    from sda_tui.notification import RunEnd
    from sda_tui.playback import Problem
    from sda_tui.screens.run_screen import RunScreen
    from sda_tui.screens.sounds import SoundsScreen
    from sda_tui.session import RareEvent, Session

TERMINAL_CHECK_S = 2
HINT_S = 20
QUEUE_CHECK_S = 2
STDIN = 0
STYLES = (
    "base",
    "datasets",
    "settings",
    "dashboard",
    "previews",
    "runs",
    "compare",
    "sounds",
    "modals",
    "listening",
    "ending",
    "colours",
)
MODEL_SUFFIXES = {".pt", ".safetensors"}  # of checkpoints and bundles


class Leave(Enum):
    """What happens to a run that is training when the app is left."""

    STOP = auto()
    KEEP_TRAINING = auto()
    TERMINAL_GONE = auto()


class SafeLines(LineFilter):
    """Lets nothing that steers the terminal onto the screen."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        return safe_segments(segments)


SAFE_LINES = SafeLines()


class SdaApp(Navigation[Leave]):
    """Shows the screens of a session with its runs in `root`.

    `chosen` are the files and folders that it begins with, or the file of a model to make sounds with.  The
    result is how it was left; None if an error ended it.  `on_train` is called with each run as this process
    begins to train it.  `listen_port` is where the listener page is served, any if there is none.  `read` is
    what was read of the user's configuration.
    """

    TITLE = "sda-tui"
    CSS_PATH = [f"styles/{name}.tcss" for name in STYLES]
    HORIZONTAL_BREAKPOINTS = [(0, "-narrow"), (100, "-wide"), (160, "-very-wide")]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (34, "-tall")]

    class EngineEventReceived(Message):
        """The engine emitted a rare event."""

        def __init__(self, event: "RareEvent") -> None:
            super().__init__()
            self.event = event

    class CallWanted(Message):
        """Something to be done on the app's thread, from another one."""

        def __init__(self, call: "Callable[[], object]") -> None:
            super().__init__()
            self.call = call

    def __init__(
        self,
        root: Path,
        chosen: Sequence[Path] = (),
        demo: bool = False,
        attached: "RunDirectory | None" = None,
        on_train: "Callable[[RunDirectory], object]" = lambda _: None,
        listen_port: int | None = None,
        read: Read | None = None,
    ) -> None:
        super().__init__(read or Read(), driver_class=TerminalDriver)
        self.animation_level = "none"  # nothing here needs it, and every frame goes over the wire
        self._root = root
        self._chosen = chosen
        self._demo = demo
        self._attached = attached
        self._on_train = on_train
        self._parent_pid = os.getppid()
        self._listen_port = listen_port

    @cached_property
    def session(self) -> "Session":
        from sda_tui.notification import Notifier
        from sda_tui.session import Session

        return Session(self._root, self._on_train, Notifier(self.configuration.when_done))

    @cached_property
    def listening(self) -> "Listening":
        from sda_tui.listening import Listening

        return Listening(
            self._listen_port,
            lambda call: self.post_message(self.CallWanted(call)),
            self._show_way,
            self._show_playback_problem,
            self._offer_page,
        )

    def compose(self) -> ComposeResult:
        yield TitleBar()

    def on_mount(self) -> None:
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGHUP, self._leave_for_lost_terminal)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.exit, Leave.STOP)
        if not self.is_headless:
            self.set_interval(TERMINAL_CHECK_S, self._check_terminal)
        self.call_after_refresh(self._begin)

    def _check_terminal(self) -> None:
        """Leave when the terminal is gone, or when the shell has it again.

        The kernel sends SIGHUP to the session's leader only, which may not pass it on; make does not.  The
        shell reads the terminal when the process that it waits for was killed.
        """
        if not os.isatty(STDIN):
            self._leave_for_lost_terminal()
        elif os.getppid() != self._parent_pid and self.return_value is None:
            self.exit(Leave.KEEP_TRAINING)

    def _leave_for_lost_terminal(self) -> None:
        """Exit, unless the app is being left already: a run that was asked to stop must stop."""
        if self.return_value is None:
            self.exit(Leave.TERMINAL_GONE)

    def _begin(self) -> None:
        """Show the first screen."""
        from sda_tui.first_start import first_hint
        from sda_tui.screens.datasets import DatasetScreen

        if hint := first_hint(self._root):
            self.notify(hint, title="You are connected by SSH", timeout=HINT_S)
        self.set_interval(QUEUE_CHECK_S, self._tend_queue)
        self.session.subscribe(lambda event: self.post_message(self.EngineEventReceived(event)))
        models = [path for path in self._chosen if path.suffix.lower() in MODEL_SUFFIXES]
        chosen = [path for path in self._chosen if path not in models]
        self.push_screen(DatasetScreen(self.session, self.listening, chosen, self._demo))
        for model in models[:1]:
            self.show_sounds(model)
        if self._attached is not None:
            self.push_screen(self.dashboard(self._attached))
        else:
            self.call_after_refresh(self.session.load_engine)

    def get_line_filters(self) -> Sequence[LineFilter]:
        return [*super().get_line_filters(), SAFE_LINES]

    def notify(
        self,
        message: str,
        *,
        title: str = "",
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """Show a toast.  No message here is written in markup, and names in it may look like some."""
        super().notify(message, title=title, severity=severity, timeout=timeout, markup=False)

    def copy_to_clipboard(self, text: str) -> None:
        """Copy by the terminal's own sequence (OSC 52), and by tmux, which does not pass that on."""
        super().copy_to_clipboard(text)
        if "TMUX" in os.environ:
            copy_by_tmux(text)

    # -- events -----------------------------------------------------------------------------------------

    def on_sda_app_engine_event_received(self, message: EngineEventReceived) -> None:
        from core.events import EngineReady, StateChanged
        from sda_tui.screens.settings import SettingsScreen

        match message.event:
            case EngineReady(problem=problem) if problem:
                self.notify(problem, title="Cannot train", severity="error", timeout=30)
            case EngineReady():
                for screen in self.screen_stack:
                    if isinstance(screen, SettingsScreen):
                        screen.show_devices()
            case StateChanged() as change:
                self._show_state(change)
                if self.session.run is not None:
                    self._notify_terminal(self.session.end_to_report(self.session.run, change))
                self._update_runs()

    def _show_state(self, change: "StateChanged") -> None:
        from core.events import RunState
        from core.text import printable
        from sda_tui.advice import command

        name = printable(self.session.run.name) if self.session.run else "The run"
        match RunState(change.state):
            case RunState.TRAINING:
                assert self.session.run is not None
                attach = command("attach", self.session.run.path)
                self.notify(f"Safe to disconnect: training continues. {attach} shows it again.")
            case RunState.CANCELLED if change.message:
                self.notify(change.message, title=f"{name} is not saved", severity="error", timeout=20)
            case RunState.FINISHED:
                why = change.message or f"epoch {change.total_epochs} was the last."
                self.notify(f"{name} has finished: {why}")
            case RunState.CANCELLED:
                self.notify(f"{name} stopped; its state at step {change.step} is saved.")
            case RunState.FAILED:
                self.notify(change.message, title=f"{name} failed", severity="error", timeout=20)

    def _tend_queue(self) -> None:
        """Begin the next run in the queue, if it is its turn."""
        from core.text import printable

        run = self.session.tend_queue()
        if run is not None:
            self.notify(f"{printable(run.name)} begins: it was the next in the queue.")
            self._update_runs()
        if problem := self.session.queue_problem:
            self.session.queue_problem = ""
            self.notify(problem, title="The queue is left", severity="error", timeout=30)

    def _update_runs(self) -> None:
        """Read the list of runs again where it is on the screen."""
        from sda_tui.screens.runs import RunsScreen

        if isinstance(self.screen, RunsScreen):
            self.screen.action_reload()

    def on_run_screen_ended(self, message: "RunScreen.Ended") -> None:
        self._notify_terminal(message.end)

    def _notify_terminal(self, end: "RunEnd | None") -> None:
        """Have the terminal notify the user that a run ended, as far as that is configured."""
        if end is not None and self._driver is not None:
            self._driver.write(self.session.notifier.sequences(end))

    def on_sda_app_call_wanted(self, message: CallWanted) -> None:
        message.call()

    # -- sound ------------------------------------------------------------------------------------------

    def _show_way(self) -> None:
        """The way that sounds take, or what is known of it, changed."""
        from sda_tui.screens.dashboard import DashboardScreen
        from sda_tui.screens.listen import ListenScreen

        for screen in self.screen_stack:
            if isinstance(screen, DashboardScreen | ListenScreen) and screen.is_mounted:
                screen.show_way()

    def _show_playback_problem(self, problem: "Problem") -> None:
        self.notify(problem.message, title="No sound", severity="warning")

    def _offer_page(self) -> None:
        """Show how to listen on another machine, when the first sound is to be played; later l shows it."""
        if not self.has_offered_page:
            self.notify("This machine has no sound output; your own computer can play instead.")
            self.action_listen()
        else:
            key = key_of("dashboard.listen")
            self.notify(f"No page is open to play it; {key} shows how to listen on your own computer.")

    def on_unmount(self) -> None:
        if "listening" in self.__dict__:
            self.listening.close()
        if "session" in self.__dict__:
            self.session.close()

    # -- leaving ---------------------------------------------------------------------------------------

    async def action_quit(self) -> None:
        """Leave at once, or ask what happens to the training."""
        from sda_tui.screens.choice import Choice, ChoiceScreen

        if isinstance(self.screen, ChoiceScreen):
            return
        making = self._making
        if making is not None:
            choices = Choice("stay", "Continue", "n"), Choice("stop", "Stop, and leave", "y")
            question = ChoiceScreen("Stop making sounds?", "What is complete stays.", choices)
            self.push_screen(question, partial(self._stop_making, making))
            return
        if not self.session.is_training:
            self.exit(Leave.STOP)
            return
        question = ChoiceScreen(
            "Leave, and keep training?",
            "In the background the run keeps writing previews and checkpoints.",
            (
                Choice("keep", "Keep training", "k"),
                Choice("stop", "Stop and save", "x"),
                Choice("stay", "Stay here", "n"),
            ),
        )
        self.push_screen(question, self._quit_as_answered)

    @property
    def _making(self) -> "SoundsScreen | None":
        """The screen on which sounds are being made."""
        from sda_tui.screens.sounds import SoundsScreen

        screens = (screen for screen in self.screen_stack if isinstance(screen, SoundsScreen))
        return next((screen for screen in screens if not screen.is_ready), None)

    async def _stop_making(self, making: "SoundsScreen", answer: str | None) -> None:
        if answer == "stop":
            await asyncio.to_thread(making.finish)
            await self.action_quit()

    def _quit_as_answered(self, answer: str | None) -> None:
        if answer == "stop":
            self.exit(Leave.STOP)
        elif answer == "keep":
            self.exit(Leave.KEEP_TRAINING)
