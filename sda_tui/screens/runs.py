"""All runs: look at one, or continue it."""

import os
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Button, DataTable, Footer, Input, Label, Static

from core.config import SETTINGS, SettingValue
from core.errors import ConfigError, SdaError
from core.events import RunState
from core.runs import RunDirectory, RunManifest, RunSummary, list_runs
from core.text import printable
from sda_tui import format as fmt
from sda_tui.advice import explain
from sda_tui.background import read_beside
from sda_tui.keymap import KEYMAP
from sda_tui.look import (
    SUMMARY_COLUMNS,
    SummaryColumn,
    describe_parent,
    describe_sources,
    describe_state,
    show_path,
)
from sda_tui.pasted import read_paths
from sda_tui.screens.continue_with import ContinueScreen
from sda_tui.screens.go_back import GoBackScreen
from sda_tui.session import Session
from sda_tui.widgets.folder_picker import PathInput
from sda_tui.widgets.table import Table
from sda_tui.widgets.title_bar import TitleBar

EMPTY = "No runs here yet. Press esc, choose a folder of sounds and start one."


class RunsScreen(Screen[None]):
    """Posts `Opened` with a run to show, which may just have been continued, and `MakingWanted` with one that
    sounds are to be made from.
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

    def __init__(self, session: Session, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._session = session
        self._clock = clock  # seconds since 1970, which the age of a run is relative to
        self._summaries: dict[str, RunSummary] = {}

    def compose(self) -> ComposeResult:
        yield TitleBar("runs", show_path(self._session.root))
        with Vertical(id="runs"):
            yield Table("run-table")
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
        yield Footer()

    def on_mount(self) -> None:
        table = self.query_one(Table)
        for column in SUMMARY_COLUMNS:
            table.add_column(column.short_head or column.head, key=column.head)
        table.focus()

    def on_screen_resume(self) -> None:
        self.action_reload()

    @property
    def is_ready(self) -> bool:
        """Whether the list was read and has something in it."""
        return bool(self._summaries)

    def action_reload(self) -> None:
        """Read the list again, on a thread: the size of a run is the sum over all of its files."""
        read_beside(self, partial(list_runs, self._session.root), self._show, self._show_problem)

    def _show_problem(self, problem: str) -> None:
        self.query_one("#run-summary", Static).update(Text(f"✗ {problem}"))

    def _show(self, summaries: list[RunSummary]) -> None:
        table = self.query_one(Table)
        chosen = self._chosen
        summaries = [self._as_here(summary) for summary in summaries]
        self._summaries = {summary.name: summary for summary in summaries}
        table.clear()
        now_s = self._clock()
        for summary in summaries:
            table.add_row(
                *(self._cell(column, summary, now_s) for column in SUMMARY_COLUMNS), key=summary.name
            )
        if chosen is not None and chosen.name in self._summaries:
            table.move_cursor(row=table.get_row_index(chosen.name))
        self._show_chosen()

    def _as_here(self, summary: RunSummary) -> RunSummary:
        """A run that was just continued here has no lock yet, and its log says how it ended before."""
        if self._session.is_waiting(summary.run):
            return replace(summary, state=RunState.LOADING, holder_pid=os.getpid())
        return summary

    def _cell(self, column: SummaryColumn, summary: RunSummary, now_s: float) -> Text:
        style = self.app.theme_variables[column.tone(summary)] if column.tone else ""
        return Text(column.cell(summary, now_s), style=style, justify=column.justify)

    @property
    def _chosen(self) -> RunSummary | None:
        table = self.query_one(Table)
        if not table.row_count or not self._summaries:
            return None
        key = table.coordinate_to_cell_key(table.cursor_coordinate).row_key.value
        return self._summaries.get(str(key))

    @on(DataTable.RowHighlighted)
    def _show_chosen(self) -> None:
        summary = self._chosen
        manifest = summary.manifest if summary is not None else None
        self.query_one("#run-epochs").display = manifest is not None
        self.query_one("#run-folder").display = manifest is not None and not manifest.has_folder
        self.query_one("#folder", Input).value = printable(manifest.folder) if manifest is not None else ""
        self.query_one("#open", Button).disabled = summary is None
        self.query_one("#proceed", Button).disabled = summary is None or not self._may_continue(summary)
        self.query_one("#run-summary", Static).update(Text(EMPTY if summary is None else _describe(summary)))
        if summary is not None and summary.manifest is not None:
            epochs = summary.manifest.config.epochs
            is_complete = summary.state is RunState.FINISHED and summary.epoch >= epochs
            wanted = 2 * epochs if is_complete else epochs
            self.query_one("#epochs", Input).value = str(wanted)

    def _may_continue(self, summary: RunSummary) -> bool:
        return summary.manifest is not None and not summary.state.is_active

    @on(Button.Pressed, "#open")
    @on(DataTable.RowSelected)
    def action_open(self) -> None:
        if (summary := self._chosen) is not None:
            self.post_message(self.Opened(summary.run))

    @on(Button.Pressed, "#proceed")
    @on(Input.Submitted, "#epochs, #folder")
    def action_proceed(self) -> None:
        """Continue the chosen run, with the number of epochs and the folder in the fields."""
        if (summary := self._chosen) is not None:
            self._proceed(summary, {})

    def action_change(self) -> None:
        """Continue the chosen run with other settings."""
        summary = self._chosen
        if summary is None or summary.manifest is None or not self._may_continue(summary):
            return

        def proceed(changes: dict[str, SettingValue] | None) -> None:
            if changes is not None:
                self._proceed(summary, changes)

        self.app.push_screen(ContinueScreen(summary.name, summary.manifest.config), proceed)

    def action_sounds(self) -> None:
        """Make sounds with the model of the chosen run."""
        summary = self._chosen
        if summary is not None and summary.run.has_checkpoint():
            self.post_message(self.MakingWanted(summary.run))
        elif summary is not None:
            self.notify("This run has no checkpoint yet; its model can be used when it has one.")

    def action_go_back(self) -> None:
        """Continue from an earlier checkpoint of the chosen run."""
        if (summary := self._chosen) is not None and summary.manifest is not None:
            self.app.push_screen(GoBackScreen(self._session, summary.run), self._open_branch)

    def _open_branch(self, run: RunDirectory | None) -> None:
        if run is not None:
            self.post_message(self.Opened(run))

    def _proceed(self, summary: RunSummary, changes: dict[str, SettingValue]) -> None:
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
        read_beside(self, find, partial(self._continue, summary), self._refuse)

    def _continue(self, summary: RunSummary, manifest: RunManifest) -> None:
        try:
            self._session.resume(summary.run, changed=manifest if manifest != summary.manifest else None)
        except SdaError as error:
            self._refuse(explain(error))
        else:
            self.post_message(self.Opened(summary.run))

    def _refuse(self, problem: str) -> None:
        self._show_chosen()
        self.notify(problem, title="Cannot continue", severity="error", timeout=10)

    def _changes(self, summary: RunSummary) -> dict[str, SettingValue]:
        """Settings that the user changed here.  Raises ConfigError."""
        if summary.manifest is None:
            raise ConfigError(summary.problem)
        epochs = SETTINGS["epochs"].parse(self.query_one("#epochs", Input).value)
        return {} if epochs == summary.manifest.config.epochs else {"epochs": epochs}

    def action_back(self) -> None:
        self.app.pop_screen()


def _describe(summary: RunSummary) -> str:
    """The run in a few lines, with what changed since it was trained."""
    manifest, last = summary.manifest, summary.last_epoch
    if manifest is None:
        return f"✗ {summary.problem}"
    config = manifest.config
    lines = [
        f"{describe_state(summary.state)} after {fmt.duration(summary.elapsed_s)}, at epoch {summary.epoch} "
        f"of {config.epochs}, step {summary.step} of {manifest.total_steps}",
        f"{fmt.count(len(manifest.files), 'sound')} in {describe_sources(manifest.source_paths)}",
        f"preset {manifest.preset}, batches of {config.batch_size}, {config.latent_dim} latents, "
        f"chunks of {config.chunk_duration_s:g} s",
        *describe_parent(manifest),
    ]
    if last is not None:
        losses = map(fmt.number, (last.train_loss, last.validation_loss, last.best_validation_loss))
        lines.append(
            "loss: training {}, validation {}, best {} at epoch ".format(*losses) + str(last.best_epoch)
        )
    if summary.state.is_active:
        lines.append(f"Trained by process {summary.holder_pid} now; View attaches to it.")
    if summary.message:
        mark = "✓" if summary.state is RunState.FINISHED else "✗"
        lines.append(f"{mark} {summary.message}")
    if not manifest.has_folder:
        lines.append("! The folder of its sounds is gone; to continue, write below where they are now.")
    elif changed := manifest.changed_files():
        sounds = fmt.count(len(changed), "sound")
        lines.append(f"! {sounds} moved, touched or gone: looked for by content when the run continues.")
    lines += [f"! {change}" for change in manifest.software_changes()]
    return "\n".join(lines)
