"""A run as it trains, or as it ended: read from its log, whichever process trains it."""

import math
import time
from collections.abc import Callable

from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Footer

from core.errors import RunError
from core.events import CheckpointSaved, RunState, StateChanged, WarningKind
from core.runs import HeldOutErrors, Request, RunDirectory, RunHistory
from core.text import describe_best, printable
from sda_tui import format as fmt
from sda_tui.advice import explain
from sda_tui.followed_run import FollowedRun
from sda_tui.keymap import KEYMAP
from sda_tui.listening import Listening
from sda_tui.look import describe_hardest, describe_state
from sda_tui.notification import Ending
from sda_tui.screens.choice import Choice, ChoiceScreen
from sda_tui.screens.go_back import GoBackScreen
from sda_tui.session import Session
from sda_tui.widgets.line import Line
from sda_tui.widgets.metric_table import MetricTable
from sda_tui.widgets.newest_losses import NewestLosses
from sda_tui.widgets.preview_panel import PreviewPanel
from sda_tui.widgets.progress_line import ProgressLine
from sda_tui.widgets.quality_bar import QualityBar
from sda_tui.widgets.run_banner import RunBanner
from sda_tui.widgets.run_charts import RunCharts, why_empty
from sda_tui.widgets.run_metrics import metric_rows
from sda_tui.widgets.title_bar import TitleBar

POLL_INTERVAL_S = 0.5
DRAW_INTERVAL_S = 1.0  # of what steps and epochs change; all else is drawn when it is read
READING = "◌ reading its log…"
CATCH_UP_INTERVAL_S = 0.02  # while a long log is read for the first time


class DashboardScreen(Screen[None]):
    """Polls a followed run on a timer and draws what changed; the training never waits for it."""

    SCOPE = "dashboard"
    BINDINGS = KEYMAP[SCOPE].bindings()

    class MakingWanted(Message):
        """Sounds are to be made with the model of the run."""

        def __init__(self, run: RunDirectory) -> None:
            super().__init__()
            self.run = run

    class Ended(Message):
        """The run, which another process trained, has ended."""

        def __init__(self, ending: Ending) -> None:
            super().__init__()
            self.ending = ending

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
        self._clock = clock
        self._must_draw = False
        self._drawn_s = -math.inf

    def compose(self) -> ComposeResult:
        yield TitleBar(printable(self.run.name))
        yield ProgressLine(id="progress")
        yield RunBanner(id="banner")
        with Horizontal(id="dashboard"):
            with Vertical(id="numbers"):
                yield RunCharts(id="charts")
                yield NewestLosses(id="newest-losses")
                yield QualityBar(id="quality")
                yield Line(id="best")
                yield Line(id="hardest")
                yield MetricTable(id="metrics")
            yield PreviewPanel(self.run, self._listening, id="previews")
        yield Footer()

    def on_mount(self) -> None:
        self._previews.focus_list()
        if self.followed.problem:
            self.notify(self.followed.problem, severity="error")
        self.set_interval(POLL_INTERVAL_S, self.poll)
        self.call_after_refresh(self.poll)

    def on_unmount(self) -> None:
        self.followed.close()

    @property
    def history(self) -> RunHistory:
        return self.followed.history

    @property
    def state(self) -> RunState:
        return self.followed.state

    @property
    def _previews(self) -> PreviewPanel:
        return self.query_one(PreviewPanel)

    # -- reading ----------------------------------------------------------------------------------------

    def poll(self) -> None:
        """Read what was appended to the log, and draw it unless another screen covers this one."""
        if self.followed.has_caught_up:
            self._read()
        is_due = self._clock() - self._drawn_s >= DRAW_INTERVAL_S - POLL_INTERVAL_S / 2
        if self.is_current and (self._must_draw or is_due):
            self._drawn_s, self._must_draw = self._clock(), False
            self._draw()

    def _read(self) -> None:
        """Read the log, a long one bit by bit, and report a checkpoint that was asked for here."""
        update = self.followed.poll()
        self._must_draw |= update.has_rare
        for event in update.live:
            if isinstance(event, CheckpointSaved) and event.reason == "manual":
                self.notify(f"Saved at step {event.step}: {event.path} (kept).")
            if isinstance(event, StateChanged) and not self._is_own:
                self._tell(event)
        if not self.followed.has_caught_up:
            self.set_timer(CATCH_UP_INTERVAL_S, self._read)

    @property
    def _is_own(self) -> bool:
        """Whether this process trains the run, or did: then the session says how it ended."""
        return self._session.run is not None and self._session.run.path == self.run.path

    def _tell(self, change: StateChanged) -> None:
        """Say how a run of another process ended, unless the user stopped it here."""
        if (ending := self._session.news(self.run, change)) is not None:
            self.notify(ending.text)
            self.post_message(self.Ended(ending))

    # -- drawing ----------------------------------------------------------------------------------------

    def _draw(self) -> None:
        followed, history, state = self.followed, self.history, self.state
        reported = dict(self._session.warnings) if followed.is_trained_here else {}
        if followed.problem:
            reported[WarningKind.LOG] = followed.problem
        self.query_one(TitleBar).show_parts(*self._title())
        self.query_one(ProgressLine).show(*followed.progress)
        self.query_one(RunBanner).show_run(state, history, reported)
        if not followed.is_reading:
            self.query_one(RunCharts).show(history, state)
        why_none = why_empty("step", history.last_step, is_ended=not state.is_active)
        self.query_one(NewestLosses).show(history.newest_losses, why_none)
        self.query_one(QualityBar).show(history)
        self.query_one("#best", Line).show(self._best())
        errors = HeldOutErrors.of(followed.manifest, history.last_epoch)
        self.query_one("#hardest", Line).show(describe_hardest(errors))
        self.query_one(MetricTable).metrics = metric_rows(history, self._eta_s)
        self._previews.show(history.previews, self._why_no_previews())
        if not followed.is_reading:
            best = history.last_epoch.best_epoch if history.last_epoch else 0
            self._listening.show_run(self.run, state, best, history.previews)

    def _title(self) -> list[str]:
        history, state, manifest = self.history, self.state, self.followed.manifest
        if self.followed.is_reading:
            return [READING, printable(self.run.name)]
        parts = [describe_state(state)]  # and the name last, as a long one is cut off in a narrow terminal
        if history.loading is not None and state is RunState.LOADING:
            parts.append(f"{history.loading.phase} {history.loading.done}/{history.loading.total}")
        elif history.total_epochs:
            parts.append(f"epoch {history.epoch}/{history.total_epochs}")
        if state is RunState.TRAINING:
            parts.append(f"ETA {fmt.duration(self._eta_s)}")
        parts.append(printable(self.run.name))
        if manifest is not None:
            parts.append(manifest.preset)
        return parts

    @property
    def _eta_s(self) -> float | None:
        """Seconds until the last step; None for a run that makes no steps now."""
        return self.history.eta_s if self.state is RunState.TRAINING else None

    def _why_no_previews(self) -> str:
        if self.followed.is_reading:
            return READING
        if not self.state.is_active:
            return "This run has none."
        return "They come with the epochs." if self.history.step else "The first come before the first step."

    def _best(self) -> str:
        """Since when validation got no better, and how far to trust it."""
        last, manifest = self.history.last_epoch, self.followed.manifest
        best = describe_best(last.best_epoch, last.epoch) if last else ""
        if last and 0 < last.best_epoch < last.epoch:
            best += " g goes back there."
        if change := self.history.settings_change:
            best += f" Since step {change.step}: {change.now} (before: {change.before})."
        note = manifest.split.confidence_note if manifest else ""
        return " ".join(filter(None, (best, note)))

    # -- previews ---------------------------------------------------------------------------------------

    def action_cursor_up(self) -> None:
        self._previews.move(-1)

    def action_cursor_down(self) -> None:
        self._previews.move(1)

    def action_play(self) -> None:
        self._previews.play()

    def action_stop(self) -> None:
        self._previews.stop()

    def action_compare(self) -> None:
        self._previews.compare()

    def action_earlier(self) -> None:
        self._previews.play_earlier()

    def action_order(self) -> None:
        self._previews.reverse_order()

    def show_way(self) -> None:
        """Show the way that sounds take; it changed."""
        self._previews.show_way()

    def action_copy(self) -> None:
        """Copy the command that brings the chosen preview to the user's own machine."""
        path = self._previews.chosen_path
        if path is not None:
            line = self._listening.copy_line(path.absolute())
            self.app.copy_to_clipboard(line)
            self.notify(f"To be pasted on your own computer: {line}", title="Copied", timeout=20)

    # -- requests ---------------------------------------------------------------------------------------

    def action_save(self) -> None:
        self._request("save")  # the toast follows the event in the log

    def action_cancel(self) -> None:
        if self.followed.is_reading:
            self.notify("The log of this run is still being read; try again in a moment.")
            return
        if not self.state.is_active:
            self.notify("This run is not being trained. Runs (r on the first screen) can continue it.")
            return
        question = ChoiceScreen(
            "Stop training?",
            f"The state at step {self.history.step} is saved; Runs continues from there.",
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
        if not self.run.has_checkpoint():
            self.notify("This run has no checkpoint yet; its model can be used when it has one.")
            return
        self._previews.stop()
        self.post_message(self.MakingWanted(self.run))

    def action_go_back(self) -> None:
        """Continue from an earlier checkpoint."""
        self.app.push_screen(GoBackScreen(self._session, self.run), self._show_branch)

    def _show_branch(self, run: RunDirectory | None) -> None:
        if run is not None:
            self._previews.stop()
            self.post_message(self.WentBack(run))

    def action_back(self) -> None:
        self._previews.stop()
        self.app.pop_screen()
