"""All runs: look at one, continue, compare, queue, name, mark or delete it."""

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.message import Message
from textual.widgets import Button, DataTable, Input, Label, Static

from core.config import SETTINGS, SettingValue
from core.errors import ConfigError, DatasetError, SdaError, SoundsNotFoundError
from core.runs import RunDirectory, RunManifest, RunSummary, delete_run, find_rival, rename_run
from core.text import printable
from sda_tui import format as fmt
from sda_tui.advice import explain
from sda_tui.background import read_beside
from sda_tui.continuing import continue_run, explain_here, find_sounds_first, suggest_epochs
from sda_tui.keymap import KEYMAP, key_of
from sda_tui.look import show_path
from sda_tui.pasted import read_paths
from sda_tui.run_detail import Troubles, describe_loss_of_runs, describe_run
from sda_tui.screens.choice import Choice, ChoiceScreen
from sda_tui.screens.continue_with import ContinueScreen
from sda_tui.screens.go_back import GoBackScreen
from sda_tui.screens.rename import RenameScreen
from sda_tui.screens.run_list import RunListScreen
from sda_tui.widgets.folder_picker import PathInput
from sda_tui.widgets.footer import KeyFooter
from sda_tui.widgets.run_table import RunTable
from sda_tui.widgets.title_bar import TitleBar

LOOK_DELAY_S = 0.15  # a cursor that only passes by looks for nothing
MOST_COMPARED = 6  # runs at once, as many curves as a chart can show


class RunsScreen(RunListScreen):
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

    def compose(self) -> ComposeResult:
        yield TitleBar("runs", show_path(self.session.root))
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
                yield Button(
                    f"Continue  {key_of('runs.continue')}", id="proceed", variant="primary", disabled=True
                )
                yield Button("View  ⏎", id="open", disabled=True)
                yield Button(f"Compare  {key_of('runs.compare')}", id="compare-runs", disabled=True)
                yield Button(f"Queue  {key_of('runs.queue')}", id="queue", disabled=True)
        yield KeyFooter()

    def on_mount(self) -> None:
        super().on_mount()
        self._look_timer = self.set_interval(LOOK_DELAY_S, self._look_for_sounds, pause=True)
        self._looked_at: Path | None = None  # the run whose sounds were looked for, and what was found
        self._troubles = Troubles()
        self._is_looking = True
        self._lost_sounds_of: Path | None = None  # the run that could not continue without its sounds

    @property
    def is_ready(self) -> bool:
        """Whether all is shown of the list and of the chosen run."""
        return super().is_ready and not self._is_looking

    # -- the chosen run ---------------------------------------------------------------------------------

    @on(DataTable.RowHighlighted)
    @on(RunTable.Chosen)
    def show_chosen(self) -> None:
        summary = self.table.chosen
        manifest = summary.manifest if summary is not None else None
        self.query_one("#run-epochs").display = manifest is not None
        self.query_one("#folder", Input).value = printable(manifest.folder) if manifest is not None else ""
        if summary is None or summary.run.path != self._looked_at:
            self._looked_at, self._troubles = None, Troubles()
        self._is_looking = True
        self.show_progress()
        self._look_timer.reset()
        self._look_timer.resume()
        self.query_one("#run-detail").scroll_home(animate=False)
        if summary is not None and summary.manifest is not None:
            self.query_one("#epochs", Input).value = str(suggest_epochs(summary))

    def show_progress(self) -> None:
        summary = self.table.chosen
        is_idle = summary is not None and self._may_continue(summary)
        self.query_one("#open", Button).disabled = summary is None
        self.query_one("#compare-runs", Button).disabled = summary is None
        self.query_one("#proceed", Button).disabled = not is_idle
        queue = self.query_one("#queue", Button)
        queue.disabled = not is_idle
        is_queued = summary is not None and bool(summary.queue_place)
        queue.label = f"{'Unqueue' if is_queued else 'Queue'}  {key_of('runs.queue')}"
        if summary is not None or self.has_read:
            self._show_text(summary)

    def _look_for_sounds(self) -> None:
        """Look what became of the sounds of the chosen run, beside the screen: the disk may be slow."""
        self._look_timer.pause()
        summary = self.table.chosen
        if summary is None or summary.manifest is None:
            self._is_looking = False
        else:
            look = partial(Troubles.of, summary.manifest)
            read_beside(self, look, partial(self._show_troubles, summary), self._show_problem)

    def _show_troubles(self, summary: RunSummary, troubles: Troubles) -> None:
        chosen = self.table.chosen
        if chosen is not None and chosen.run.path == summary.run.path:
            self._looked_at, self._troubles, self._is_looking = summary.run.path, troubles, False
            self._show_text(chosen)

    def _show_text(self, summary: RunSummary | None) -> None:
        is_asked = summary is not None and summary.run.path == self._lost_sounds_of
        self.query_one("#run-folder").display = is_asked or not self._troubles.has_folder
        text = "\n".join((self._describe(summary), *self._troubles.lines))
        self.query_one("#run-summary", Static).update(Text(text))

    def _describe(self, summary: RunSummary | None) -> str:
        if summary is not None:
            return describe_run(summary)
        if self.table.summaries:
            return f"No run has these words. {key_of('runs.back')} clears the filter."
        return f"No runs here yet. Press {key_of('runs.back')}, choose a folder of sounds and start one."

    def _may_continue(self, summary: RunSummary) -> bool:
        return summary.manifest is not None and not summary.state.is_active

    @on(Button.Pressed, "#open")
    @on(DataTable.RowSelected)
    def action_open(self) -> None:
        if (summary := self.table.chosen) is not None:
            self.post_message(self.Opened(summary.run))

    def action_sounds(self) -> None:
        """Make sounds with the model of the chosen run."""
        summary = self.table.chosen
        if summary is not None and summary.run.has_checkpoint():
            self.post_message(self.MakingWanted(summary.run))
        elif summary is not None:
            self.notify("This run has no checkpoint yet; its model can be used when it has one.")

    def action_duplicate(self) -> None:
        """Take the settings of the chosen run for a new one."""
        summary = self.table.chosen
        if summary is None or summary.manifest is None:
            return
        gone = [path for path in summary.manifest.source_paths if not os.path.lexists(path)]
        if gone:
            self.refuse(f"{show_path(gone[0])} is gone; choose its sounds where they are now.")
        else:
            self.post_message(self.DuplicateWanted(summary))

    # -- continuing -------------------------------------------------------------------------------------

    @on(Button.Pressed, "#proceed")
    @on(Input.Submitted, "#epochs, #folder")
    def action_proceed(self) -> None:
        """Continue the chosen run, with the number of epochs and the folder in the fields."""
        if (summary := self.table.chosen) is not None:
            self._proceed(summary, {})

    def action_change(self) -> None:
        """Continue the chosen run with other settings."""
        summary = self.table.chosen
        if summary is None or summary.manifest is None or not self._may_continue(summary):
            return

        def proceed(changes: dict[str, SettingValue] | None) -> None:
            if changes is not None:
                self._proceed(summary, changes)

        self.app.push_screen(ContinueScreen(summary.name, summary.manifest.config), proceed)

    def action_go_back(self) -> None:
        """Continue from an earlier checkpoint of the chosen run."""
        if (summary := self.table.chosen) is not None and summary.manifest is not None:
            self.app.push_screen(GoBackScreen(self.session, summary.run), self._open_run)

    def _open_run(self, run: RunDirectory | None) -> None:
        if run is not None:
            self.post_message(self.Opened(run))

    def _proceed(
        self, summary: RunSummary, changes: dict[str, SettingValue], is_queued: bool = False
    ) -> None:
        try:
            changes = self._changes(summary) | changes
        except SdaError as error:
            self._refuse_to_continue(summary, error)
            return
        written, manifest = self.query_one("#folder", Input).value, summary.manifest
        is_gone = bool(self.query_one("#run-folder").display)
        is_moved = manifest is not None and (is_gone or written != printable(manifest.folder))
        paths = read_paths(written) if is_moved else []
        self.query_one("#run-summary", Static).update("Looking for its sounds…")
        about = (self, self.session, summary, changes, paths[0] if paths else None)
        refuse = partial(self._refuse_to_continue, summary)
        if is_queued:
            find_sounds_first(*about, partial(self._queue, summary), refuse)
        else:
            continue_run(*about, self._open_run, refuse)

    def _refuse_to_continue(self, summary: RunSummary, error: SdaError | str) -> None:
        if isinstance(error, SoundsNotFoundError):
            self._lost_sounds_of = error.path
        self.refuse(explain_here(error))
        # The path gets the focus, to be corrected, unless the user does something else meanwhile.
        chosen = self.table.chosen
        is_chosen = chosen is not None and chosen.run.path == summary.run.path
        is_elsewhere = not self.is_active or self.query_one("#filter").has_focus
        is_shown = bool(self.query_one("#run-folder").display)
        if isinstance(error, DatasetError) and is_chosen and is_shown and not is_elsewhere:
            self.query_one("#folder").focus()

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
        summary = self.table.chosen
        if summary is None or not self._may_continue(summary):
            return
        if summary.queue_place:
            self.do(partial(self.session.queue.remove, summary.name))
        else:
            self._proceed(summary, {}, is_queued=True)

    def _queue(self, summary: RunSummary, changed: RunManifest | None) -> None:
        """Put a run into the queue.  Raises RunError, QueueError."""
        if changed is not None:
            summary.run.change(changed)
        place = self.session.queue.add(summary.name)
        work = key_of("runs.work")
        when = f"when {work} is pressed"
        if self.session.is_training:
            when = "when the others have ended"
        elif any(each.state.is_active for each in self.table.summaries):  # whose app may train the queue
            when = f"when the others have ended, or here after that when {work} is pressed"
        self.notify(f"{printable(summary.name)} is number {place} in the queue; it begins {when}.")
        self.action_reload()

    def action_work(self) -> None:
        """Train the runs in the queue, one after another, or begin no more of them."""
        session, work = self.session, key_of("runs.work")
        if session.works_queue:
            session.leave_queue()
            self.notify(f"No more runs of the queue begin here; {work} begins again.")
        elif not any(each.queue_place for each in self.table.summaries):
            self.notify(f"No run waits; {key_of('runs.queue')} puts the chosen one into the queue.")
        else:
            try:
                session.work_queue()
            except SdaError as error:
                self.refuse(explain(error))
                return
            self.notify(f"The runs in the queue are trained here, one after another; {work} stops that.")
        self.show_count()

    # -- marks, stars, notes and names ------------------------------------------------------------------

    @on(RunTable.CellClicked)
    def change_clicked(self, message: RunTable.CellClicked) -> None:
        if message.is_star:
            self._star([each for each in self.table.summaries if each.name == message.name])
        else:
            self.table.toggle_mark(message.name)
            self.show_count()

    def action_star(self) -> None:
        if (summary := self.table.chosen) is not None:
            self._star([summary])

    def _star(self, summaries: Sequence[RunSummary]) -> None:
        for each in summaries:
            labels = replace(each.labels, is_starred=not each.labels.is_starred)
            self.do(partial(labels.write, each.run))

    def action_note(self) -> None:
        """Write a note on the chosen run."""
        if (summary := self.table.chosen) is None:
            return

        def write(note: str | None) -> None:
            if note is not None:
                self.do(partial(replace(summary.labels, note=note).write, summary.run))

        title = f"Note on {printable(summary.name)}"
        hint = "⏎ keeps the note, empty removes it, esc changes nothing"
        self.app.push_screen(RenameScreen(summary.labels.note, title, hint, may_be_empty=True), write)

    def action_rename(self) -> None:
        """Give the chosen run another name."""
        if (summary := self.table.chosen) is None:
            return

        def rename(name: str | None) -> None:
            if name is not None and name != summary.name:
                self.do(partial(rename_run, summary.run, name))

        self.app.push_screen(RenameScreen(printable(summary.name)), rename)

    # -- several runs -----------------------------------------------------------------------------------

    @on(Button.Pressed, "#compare-runs")
    def action_compare(self) -> None:
        """Compare the marked runs, else the chosen one with the best other one on the same sounds."""
        chosen, marked = self.table.chosen, self.table.marked_runs
        runs = [each for each in (marked or ([chosen] if chosen else [])) if each.manifest is not None]
        if len(runs) == 1:
            runs += find_rival(runs[0], self.table.summaries)
        if len(runs) > 1:
            self.post_message(self.CompareWanted(runs[:MOST_COMPARED]))
        elif chosen is not None:
            mark = key_of("runs.mark")
            self.notify(f"There is no other run on these sounds; mark runs with {mark} to compare them.")

    def action_delete(self) -> None:
        """Delete the marked runs, else the chosen one; asks."""
        chosen = self.table.chosen
        runs = self.table.marked_runs or ([chosen] if chosen is not None else [])
        if not runs:
            return
        live = [each for each in runs if each.state.is_active]
        if live:
            self.refuse(f"{printable(live[0].name)} is being trained; cancel it before it is deleted.")
            return
        what = printable(runs[0].name) if len(runs) == 1 else fmt.count(len(runs), "run")
        choices = Choice("keep", "Keep", "n"), Choice("delete", "Delete", "y")
        question = ChoiceScreen(f"Delete {what}?", describe_loss_of_runs(runs), choices)
        self.app.push_screen(question, partial(self._delete_as_answered, runs))

    def _delete_as_answered(self, runs: Sequence[RunSummary], answer: str | None) -> None:
        if answer == "delete":
            read_beside(self, lambda: [delete_run(each.run) for each in runs], self._deleted, self.refuse)

    def _deleted(self, left: Sequence[int]) -> None:
        if any(left):
            others = fmt.count(sum(left), "other file or folder", "other files and folders")
            self.notify(f"Deleted; {others} that were not of a run stay where they were.")
        self.action_reload()
