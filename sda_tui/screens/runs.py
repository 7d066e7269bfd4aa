"""All runs: look at one, continue, compare, queue, name, mark or delete it."""

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Button, DataTable, Footer, Input, Label, Static

from core.config import SETTINGS, SettingValue
from core.errors import ConfigError, SdaError
from core.events import RunState
from core.runs import RunDirectory, RunManifest, RunSummary, delete_run, rename_run
from core.text import printable
from sda_tui import format as fmt
from sda_tui.advice import explain
from sda_tui.background import read_beside
from sda_tui.keymap import KEYMAP
from sda_tui.look import show_path
from sda_tui.pasted import read_paths
from sda_tui.run_detail import describe_loss_of_runs, describe_run
from sda_tui.screens.choice import Choice, ChoiceScreen
from sda_tui.screens.continue_with import ContinueScreen
from sda_tui.screens.go_back import GoBackScreen
from sda_tui.screens.rename import RenameScreen
from sda_tui.session import Session
from sda_tui.widgets.folder_picker import PathInput
from sda_tui.widgets.run_table import RunTable
from sda_tui.widgets.title_bar import TitleBar

EMPTY = "No runs here yet. Press esc, choose a folder of sounds and start one."
DELIVERY_INTERVAL_S = 0.3  # rows are shown as they are read, not each by itself


class RunsScreen(Screen[None]):
    """Posts `Opened` with a run to show, which may just have been continued, `MakingWanted` with one that
    sounds are to be made from, `CompareWanted` with several, and `DuplicateWanted` with one whose settings
    are wanted for a new run.
    """

    SCOPE = "runs"
    BINDINGS = KEYMAP[SCOPE].bindings()

    class Opened(Message):
        def __init__(self, run: RunDirectory) -> None:
            super().__init__()
            self.run = run

    class MakingWanted(Message):
        def __init__(self, run: RunDirectory) -> None:
            super().__init__()
            self.run = run

    class CompareWanted(Message):
        def __init__(self, runs: Sequence[RunSummary]) -> None:
            super().__init__()
            self.runs = runs

    class DuplicateWanted(Message):
        def __init__(self, run: RunSummary) -> None:
            super().__init__()
            self.run = run

    def __init__(self, session: Session, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._session = session
        self._clock = clock  # seconds since 1970, which the age of a run is relative to
        self._reading = 0  # number of the newest reading: an earlier one is not shown any more
        self._has_read = False

    def compose(self) -> ComposeResult:
        yield TitleBar("runs", show_path(self._session.root))
        with Vertical(id="runs"):
            with Horizontal(id="run-filter"):
                yield Label("Filter")
                yield Input(id="filter", compact=True, placeholder="name, dataset, preset, state, note")
                yield Label("", id="run-count")
            yield RunTable("run-table")
            with VerticalScroll(id="run-detail", can_focus=False):
                yield Static("Reading the runs…", id="run-summary")
            with Horizontal(classes="choice-line", id="run-epochs"):
                yield Label("Epochs in all")
                yield Input(id="epochs", compact=True)
            with Horizontal(classes="choice-line", id="run-folder"):
                yield Label("Its sounds are in")
                yield PathInput(id="folder", compact=True)
            with Horizontal(id="run-buttons"):
                yield Button("Continue  n", id="proceed", variant="primary", disabled=True)
                yield Button("View  ⏎", id="open", disabled=True)
                yield Button("Compare  x", id="compare", disabled=True)
                yield Button("Queue  a", id="queue", disabled=True)
        yield Footer()

    def on_mount(self) -> None:
        self._table.focus()

    def on_screen_resume(self) -> None:
        self.action_reload()

    @property
    def _table(self) -> RunTable:
        return self.query_one(RunTable)

    @property
    def is_ready(self) -> bool:
        """Whether the list was read and has something in it."""
        return self._has_read and bool(self._table.summaries)

    # -- reading ----------------------------------------------------------------------------------------

    def action_reload(self) -> None:
        """Read the list again, on a thread: the size of a run is the sum over all of its files."""
        self._reading += 1
        read_beside(self, partial(self._read, self._reading), self._finish, self._show_problem)

    def _read(self, number: int) -> tuple[int, list[RunSummary]]:
        """On a thread: all runs; a first reading delivers those that it has now and then."""
        found: list[RunSummary] = []
        delivered_s = time.monotonic()
        for summary in self._session.summaries.read():
            found.append(summary)
            if not self._has_read and time.monotonic() - delivered_s > DELIVERY_INTERVAL_S:
                delivered_s = time.monotonic()
                self.call_later(self._show, number, list(found))
        return number, found

    def _show_problem(self, problem: str) -> None:
        self.query_one("#run-summary", Static).update(Text(f"✗ {problem}"))

    def _finish(self, read: tuple[int, list[RunSummary]]) -> None:
        if read[0] == self._reading:
            self._has_read = True
            self._show(*read)
            self._show_chosen()

    def _show(self, number: int, summaries: Sequence[RunSummary]) -> None:
        if number == self._reading:
            self._table.show(map(self._as_here, summaries), self._clock())
            self._show_count()

    def _as_here(self, summary: RunSummary) -> RunSummary:
        """A run that was just continued here has no lock yet, and its log says how it ended before."""
        if self._session.is_waiting(summary.run):
            return replace(summary, state=RunState.LOADING, holder_pid=os.getpid())
        return summary

    def _show_count(self) -> None:
        """How many runs are shown and marked, and what is wrong with the queue or who works through it."""
        table = self._table
        total = fmt.count(len(table.summaries), "run")
        parts = [f"{table.row_count} of {total}" if table.words else total]
        if marked := len(table.marked):
            parts.append(f"{marked} marked")
        waiting = sum(1 for each in table.summaries if each.queue_place)
        if waiting:
            parts.append(f"{waiting} queued{', worked through here' if self._session.works_queue else ''}")
        self.query_one("#run-count", Label).update(Text(" · ".join(parts)))

    # -- the chosen run ---------------------------------------------------------------------------------

    @on(DataTable.RowHighlighted)
    @on(RunTable.Chosen)
    def _show_chosen(self) -> None:
        summary = self._table.chosen
        manifest = summary.manifest if summary is not None else None
        is_idle = summary is not None and self._may_continue(summary)
        self.query_one("#run-epochs").display = manifest is not None
        self.query_one("#run-folder").display = manifest is not None and not manifest.has_folder
        self.query_one("#folder", Input).value = printable(manifest.folder) if manifest is not None else ""
        self.query_one("#open", Button).disabled = summary is None
        self.query_one("#compare", Button).disabled = summary is None
        self.query_one("#proceed", Button).disabled = not is_idle
        queue = self.query_one("#queue", Button)
        queue.disabled = not is_idle
        queue.label = "Unqueue  a" if summary is not None and summary.queue_place else "Queue  a"
        if summary is not None or self._has_read:
            self.query_one("#run-summary", Static).update(Text(self._describe(summary)))
        self.query_one("#run-detail").scroll_home(animate=False)
        if summary is not None and summary.manifest is not None:
            epochs = summary.manifest.config.epochs
            wanted = 2 * epochs if summary.state is RunState.FINISHED else epochs
            self.query_one("#epochs", Input).value = str(wanted)

    def _describe(self, summary: RunSummary | None) -> str:
        if summary is not None:
            return describe_run(summary)
        if self._table.summaries:
            return "No run has these words. esc clears the filter."
        return EMPTY

    def _may_continue(self, summary: RunSummary) -> bool:
        return summary.manifest is not None and not summary.state.is_active

    @on(Button.Pressed, "#open")
    @on(DataTable.RowSelected)
    def action_open(self) -> None:
        if (summary := self._table.chosen) is not None:
            self.post_message(self.Opened(summary.run))

    def action_sounds(self) -> None:
        """Make sounds with the model of the chosen run."""
        summary = self._table.chosen
        if summary is not None and summary.run.has_checkpoint():
            self.post_message(self.MakingWanted(summary.run))
        elif summary is not None:
            self.notify("This run has no checkpoint yet; its model can be used when it has one.")

    def action_duplicate(self) -> None:
        """Take the settings of the chosen run for a new one."""
        summary = self._table.chosen
        if summary is None or summary.manifest is None:
            return
        gone = [path for path in summary.manifest.source_paths if not os.path.lexists(path)]
        if gone:
            self._refuse(f"{show_path(gone[0])} is gone; choose its sounds where they are now.")
        else:
            self.post_message(self.DuplicateWanted(summary))

    # -- continuing -------------------------------------------------------------------------------------

    @on(Button.Pressed, "#proceed")
    @on(Input.Submitted, "#epochs, #folder")
    def action_proceed(self) -> None:
        """Continue the chosen run, with the number of epochs and the folder in the fields."""
        if (summary := self._table.chosen) is not None:
            self._proceed(summary, {})

    def action_change(self) -> None:
        """Continue the chosen run with other settings."""
        summary = self._table.chosen
        if summary is None or summary.manifest is None or not self._may_continue(summary):
            return

        def proceed(changes: dict[str, SettingValue] | None) -> None:
            if changes is not None:
                self._proceed(summary, changes)

        self.app.push_screen(ContinueScreen(summary.name, summary.manifest.config), proceed)

    def action_go_back(self) -> None:
        """Continue from an earlier checkpoint of the chosen run."""
        if (summary := self._table.chosen) is not None and summary.manifest is not None:
            self.app.push_screen(GoBackScreen(self._session, summary.run), self._open_branch)

    def _open_branch(self, run: RunDirectory | None) -> None:
        if run is not None:
            self.post_message(self.Opened(run))

    def _proceed(
        self, summary: RunSummary, changes: dict[str, SettingValue], is_queued: bool = False
    ) -> None:
        try:
            manifest = summary.continued(self._changes(summary) | changes)
        except SdaError as error:
            self._refuse(explain(error))
            return
        paths = read_paths(self.query_one("#folder", Input).value)
        is_moved = bool(paths) and not manifest.has_folder
        self.query_one("#run-summary", Static).update("Looking for its sounds…")
        # First, since without them nothing of the run may change.
        find = partial(self._session.find_sounds, summary.run, manifest, paths[0] if is_moved else None)
        proceed = self._queue if is_queued else self._continue
        read_beside(self, find, partial(proceed, summary), self._refuse)

    def _continue(self, summary: RunSummary, manifest: RunManifest) -> None:
        try:
            self._session.resume(summary.run, changed=manifest if manifest != summary.manifest else None)
        except SdaError as error:
            self._refuse(explain(error))
        else:
            self.post_message(self.Opened(summary.run))

    def _refuse(self, problem: str) -> None:
        self._show_chosen()
        self.notify(problem, title="This cannot be done", severity="error", timeout=10)

    def _changes(self, summary: RunSummary) -> dict[str, SettingValue]:
        """Settings that the user changed here.  Raises ConfigError."""
        if summary.manifest is None:
            raise ConfigError(summary.problem)
        epochs = SETTINGS["epochs"].parse(self.query_one("#epochs", Input).value)
        return {} if epochs == summary.manifest.config.epochs else {"epochs": epochs}

    # -- the queue --------------------------------------------------------------------------------------

    @on(Button.Pressed, "#queue")
    def action_queue(self) -> None:
        """Let the chosen run wait for its turn, or not any more."""
        summary = self._table.chosen
        if summary is None or not self._may_continue(summary):
            return
        if summary.queue_place:
            self._do(partial(self._session.queue.remove, summary.name))
        else:
            self._proceed(summary, {}, is_queued=True)

    def _queue(self, summary: RunSummary, manifest: RunManifest) -> None:
        try:
            if manifest != summary.manifest:
                summary.run.change(manifest)
            place = self._session.queue.add(summary.name)
        except SdaError as error:
            self._refuse(explain(error))
            return
        begins = "it begins when the others have ended" if self._session.is_training else "Q begins with it"
        self.notify(f"{printable(summary.name)} is number {place} in the queue; {begins}.")
        self.action_reload()

    def action_work(self) -> None:
        """Train the runs in the queue, one after another, or begin no more of them."""
        session = self._session
        if session.works_queue:
            session.leave_queue()
            self.notify("No more runs of the queue begin here; Q begins again.")
        elif not any(each.queue_place for each in self._table.summaries):
            self.notify("No run waits; a puts the chosen one into the queue.")
        else:
            try:
                session.work_queue()
            except SdaError as error:
                self._refuse(explain(error))
                return
            self.notify("The runs in the queue are trained here, one after another; Q stops that.")
        self._show_count()

    # -- the filter and the order -----------------------------------------------------------------------

    def action_filter(self) -> None:
        self.query_one("#filter", Input).focus()

    @on(Input.Changed, "#filter")
    def filter_runs(self, event: Input.Changed) -> None:
        self._table.words = event.value
        self._show_count()

    @on(Input.Submitted, "#filter")
    def leave_filter(self) -> None:
        self._table.focus()

    def action_order(self) -> None:
        self._table.sort_by_next()

    def action_reverse(self) -> None:
        self._table.is_reversed = not self._table.is_reversed

    # -- marks, stars, notes and names ------------------------------------------------------------------

    @on(RunTable.CellClicked)
    def change_clicked(self, message: RunTable.CellClicked) -> None:
        if message.is_star:
            self._star([each for each in self._table.summaries if each.name == message.name])
        else:
            self._table.toggle_mark(message.name)
            self._show_count()

    def action_mark(self) -> None:
        """Mark the chosen run, to be compared or deleted with others, and go to the next."""
        if (summary := self._table.chosen) is not None:
            self._table.toggle_mark(summary.name)
            self._table.action_cursor_down()
            self._show_count()

    def action_star(self) -> None:
        if (summary := self._table.chosen) is not None:
            self._star([summary])

    def _star(self, summaries: Sequence[RunSummary]) -> None:
        for each in summaries:
            labels = replace(each.labels, is_starred=not each.labels.is_starred)
            self._do(partial(labels.write, each.run))

    def action_note(self) -> None:
        """Write a note on the chosen run."""
        if (summary := self._table.chosen) is None:
            return

        def write(note: str | None) -> None:
            if note is not None:
                self._do(partial(replace(summary.labels, note=note).write, summary.run))

        title = f"Note on {printable(summary.name)}"
        hint = "⏎ keeps the note, empty removes it, esc changes nothing"
        self.app.push_screen(RenameScreen(summary.labels.note, title, hint, may_be_empty=True), write)

    def action_rename(self) -> None:
        """Give the chosen run another name."""
        if (summary := self._table.chosen) is None:
            return

        def rename(name: str | None) -> None:
            if name is not None and name != summary.name:
                self._do(partial(rename_run, summary.run, name))

        self.app.push_screen(RenameScreen(printable(summary.name)), rename)

    def _do(self, change: Callable[[], object]) -> None:
        """Change something on disk, on a thread, and read the list again."""
        read_beside(self, change, lambda _: self.action_reload(), self._refuse)

    # -- several runs -----------------------------------------------------------------------------------

    @on(Button.Pressed, "#compare")
    def action_compare(self) -> None:
        """Compare the marked runs, else the chosen one with the best other one on the same sounds."""
        chosen, marked = self._table.chosen, self._table.marked_runs
        runs = [each for each in (marked or ([chosen] if chosen else [])) if each.manifest is not None]
        if len(runs) == 1:
            runs += find_rival(runs[0], self._table.summaries)
        if len(runs) > 1:
            self.post_message(self.CompareWanted(runs[:MOST_COMPARED]))
        elif chosen is not None:
            self.notify("There is no other run on these sounds; mark runs with space to compare them.")

    def action_delete(self) -> None:
        """Delete the marked runs, else the chosen one; asks."""
        chosen = self._table.chosen
        runs = self._table.marked_runs or ([chosen] if chosen is not None else [])
        if not runs:
            return
        live = [each for each in runs if each.state.is_active]
        if live:
            self._refuse(f"{printable(live[0].name)} is being trained; cancel it before it is deleted.")
            return
        what = printable(runs[0].name) if len(runs) == 1 else fmt.count(len(runs), "run")
        choices = Choice("keep", "Keep", "n"), Choice("delete", "Delete", "y")
        question = ChoiceScreen(f"Delete {what}?", describe_loss_of_runs(runs), choices)
        self.app.push_screen(question, partial(self._delete_as_answered, runs))

    def _delete_as_answered(self, runs: Sequence[RunSummary], answer: str | None) -> None:
        if answer == "delete":
            read_beside(self, lambda: [delete_run(each.run) for each in runs], self._deleted, self._refuse)

    def _deleted(self, left: Sequence[int]) -> None:
        if any(left):
            others = fmt.count(sum(left), "other file or folder", "other files and folders")
            self.notify(f"Deleted; {others} that were not of a run stay where they were.")
        self.action_reload()

    def action_back(self) -> None:
        """Clear the filter, else leave."""
        written = self.query_one("#filter", Input)
        if written.value or written.has_focus:
            written.value = ""
            self._table.focus()
        else:
            self.app.pop_screen()
