"""Choose files and folders of sounds, and see what is in them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import platformdirs
from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Button, DataTable, Static

from core.data.report import FileReport, ScanProgress, ScanReport
from core.runs import KnownErrors, RunSummary, find_known_errors
from core.text import join_remarks, printable
from sda_tui.background import FOLLOW_INTERVAL_S, read_beside
from sda_tui.keymap import KEYMAP, key_of
from sda_tui.listening import Listening
from sda_tui.look import describe_known_error, describe_sources, show_path, summary_lines
from sda_tui.session import ScanDelivery, ScanFailed, Session
from sda_tui.until_left import LeftOnce, UntilLeft
from sda_tui.widgets.audition import Audition
from sda_tui.widgets.folder_picker import FolderPicker
from sda_tui.widgets.footer import KeyFooter
from sda_tui.widgets.progress_line import ProgressLine
from sda_tui.widgets.scan_table import ScanTable
from sda_tui.widgets.title_bar import TitleBar

RECENT = 8
PHASES = {"finding": "finding files", "headers": "reading headers", "samples": "reading samples"}


@dataclass(frozen=True)
class FoundRuns:
    """The runs, and the datasets of the newest."""

    summaries: Sequence[RunSummary]
    recent: Sequence[Sequence[Path]]


class DatasetScreen(LeftOnce, UntilLeft, Screen[None]):
    """The first screen.  Posts `Proceed` with a scan, `ShowRuns`, or `ChosenAnew`."""

    AUTO_FOCUS = ""
    SCOPE = "datasets"
    BINDINGS = KEYMAP[SCOPE].bindings()

    class Proceed(Message):
        def __init__(self, report: ScanReport) -> None:
            super().__init__()
            self.report = report

    class ShowRuns(Message):
        """Asks for the list of runs."""

    class ChosenAnew(Message):
        """The user chose what to scan."""

    class Delivered(Message):
        """A batch of what a scan found; `number` is that of the scan, as an earlier one may still deliver."""

        def __init__(self, number: int, found: ScanDelivery) -> None:
            super().__init__()
            self.number = number
            self.found = found

    def __init__(self, session: Session, listening: Listening, chosen: Sequence[Path], demo: bool) -> None:
        super().__init__()
        self._listening = listening
        self._session = session
        self._first_chosen = chosen
        self._first_demo = demo
        self._chosen: Sequence[Path] = ()
        self._scan_number = 0
        self._report: ScanReport | None = None
        self._whole_report: ScanReport | None = None  # with the files that are left out
        self._left_out: set[str] = set()
        self._summaries: Sequence[RunSummary] = ()
        self._reading = 0  # number of the newest reading of the runs: an earlier one is not shown any more
        self._is_following = False
        self._known_errors = KnownErrors("", {})

    def compose(self) -> ComposeResult:
        yield TitleBar("choose a folder of sounds")
        with Horizontal(id="datasets"):
            yield FolderPicker(Path.cwd(), id="picker")
            with Vertical(id="report"):
                yield Static(Text(_welcome()), id="scan-status")
                yield ProgressLine(id="scan-progress")
                yield ScanTable(id="files")
                yield Audition(self._session, self._listening, id="audition")
                yield Static(id="file-detail")
                yield Static(id="totals")
                yield Button("Continue with these sounds  ⏎", id="proceed", variant="primary", disabled=True)
        yield KeyFooter()

    def on_mount(self) -> None:
        self.set_interval(FOLLOW_INTERVAL_S, self._follow)
        self._set_scanning(False)
        if self._first_demo:
            self.action_demo()
        elif self._first_chosen:
            self.choose(self._first_chosen)
        else:
            self.query_one("#recent").focus()

    def on_screen_resume(self) -> None:
        self._read_runs()

    @property
    def is_ready(self) -> bool:
        """Whether a scan has finished and found sounds to train on."""
        return self._report is not None

    def choose(self, chosen: Sequence[Path], left_out: Sequence[str] = ()) -> None:
        """Scan files and folders, and leave some of the files out; a scan in progress is dropped."""
        self._chosen = chosen
        self._report = self._whole_report = None
        self._left_out = set(left_out)
        self.query_one(Audition).stop()
        self.query_one(ScanTable).empty()
        self._show_known_errors()
        self.query_one("#totals", Static).update("")
        self._set_scanning(True)
        self._show_status(f"Scanning {describe_sources(chosen)}")
        self._scan_number += 1
        number = self._scan_number
        self._session.scan(chosen, lambda found: self.post_message(self.Delivered(number, found)))

    @on(Delivered)
    def take_delivery(self, message: Delivered) -> None:
        if message.number != self._scan_number:
            return
        files = {each.path: each for each in message.found if isinstance(each, FileReport)}
        self.query_one(ScanTable).add_files(files.values())
        for event in message.found:
            match event:
                case ScanProgress():
                    self._show_progress(event)
                case ScanReport():
                    self._set_scanning(False)
                    self.query_one(ScanTable).sort_rows()
                    self._whole_report = event
                    self._left_out &= {file.path for file in event.files if file.usable}
                    left = self._session.leave_out(event, self._left_out) if self._left_out else event
                    self.query_one(ScanTable).add_files(left.files if self._left_out else ())
                    self._show_report(left)
                case ScanFailed():
                    self._set_scanning(False)
                    self._show_status(event.message, is_error=True)

    def _show_progress(self, progress: ScanProgress) -> None:
        self.query_one(ProgressLine).show(progress.done, progress.total)
        stop = key_of("datasets.stop-scan")
        self._show_status(f"{describe_sources(self._chosen)}: {PHASES[progress.phase]}, {stop} stops")

    def _show_report(self, report: ScanReport) -> None:
        self._report = None
        self.query_one("#proceed", Button).disabled = True
        first, *rest = summary_lines(report)
        self._show_status(first)
        self.query_one("#totals", Static).update(Text("\n".join(rest)))
        if not report.usable_files:
            advice = (
                f"take some in again ({key_of('datasets.leave-out')})"
                if self._left_out
                else "choose a folder with sounds"
            )
            self._show_status(
                f"{first}. None of them can be used: see why in the list, and {advice}.", is_error=True
            )
            return
        self._report = report
        self._show_known_errors()
        proceed = self.query_one("#proceed", Button)
        proceed.disabled = False
        if report is self._whole_report:  # else the cursor stays in the list
            proceed.focus()

    @on(DataTable.RowHighlighted, "#files")
    def show_detail(self) -> None:
        """Show the whole of what the table's last column may cut off."""
        file = self.query_one(ScanTable).chosen
        detail = self.query_one("#file-detail", Static)
        known = describe_known_error(file.path, self._known_errors) if file else ""
        remarks = join_remarks(file.detail, known) if file else ""
        detail.display = bool(remarks)
        if file is not None:
            detail.update(Text(f"{file.printable_path}: {remarks}"))

    def _show_status(self, message: str, is_error: bool = False) -> None:
        status = self.query_one("#scan-status", Static)
        status.update(Text(f"✗ {message}" if is_error else message))
        status.set_class(is_error, "-error")

    def _set_scanning(self, scanning: bool) -> None:
        self.query_one("#scan-progress").display = scanning
        if scanning:
            self.query_one(ProgressLine).show(0, 0)
        self.query_one("#proceed", Button).disabled = True
        self.refresh_bindings()
        self.query_one("#files").display = bool(self._chosen)
        self.query_one("#proceed").display = bool(self._chosen)

    def _read_runs(self) -> None:
        """Read the runs for recent datasets and for those in training; the Runs screen says what is wrong."""
        self._reading += 1
        read_beside(self, self._find_runs, partial(self._show_runs, self._reading), lambda _: None)

    def _find_runs(self) -> FoundRuns:
        summaries = list(self._session.summaries.read())
        datasets = dict.fromkeys(each.manifest.source_paths for each in summaries if each.manifest)
        recent = [paths for paths in datasets if all(map(os.path.exists, paths))][:RECENT]
        return FoundRuns(summaries, recent)

    def _show_runs(self, number: int, found: FoundRuns) -> None:
        if number == self._reading:
            self._summaries = found.summaries
            self._show_known_errors()
            self.query_one(FolderPicker).show_recent(found.recent)
            self._show_active()

    def _follow(self) -> None:
        """Read the runs again while one trains or waits.  The list of files stays, and its cursor."""
        may_change = any(each.state.is_active or each.queue_place for each in self._summaries)
        may_change |= self._session.is_training  # which has no lock yet while the engine loads
        if self.is_active and may_change and not self._is_following:
            self._is_following = True
            show = partial(self._show_followed, self._reading)
            read_beside(self, lambda: list(self._session.summaries.read()), show, self._end_following)

    def _show_followed(self, number: int, summaries: Sequence[RunSummary]) -> None:
        self._end_following()
        if number == self._reading:
            self._summaries = summaries
            self._show_active()

    def _end_following(self, _: str = "") -> None:
        self._is_following = False

    def _show_active(self) -> None:
        """Name the runs that are being trained, here or elsewhere."""
        training = ""
        if names := ", ".join(printable(each.name) for each in self._summaries if each.state.is_active):
            training = f"▶ training: {names} ({key_of('datasets.runs')} shows it)"
        self.query_one(TitleBar).show_parts("choose a folder of sounds", training)

    def _show_known_errors(self) -> None:
        """Show what the runs say of the files of the report, if there is one."""
        files = self._report.files if self._report else ()
        self._known_errors = find_known_errors(self._summaries, files)
        self.query_one(ScanTable).show_held_out(self._known_errors.relative)

    @on(FolderPicker.Picked)
    def pick(self, message: FolderPicker.Picked) -> None:
        self.post_message(self.ChosenAnew())
        self.choose(message.paths)

    @on(FolderPicker.DemoPicked)
    def action_demo(self) -> None:
        """Synthesise the demo sounds where that was not done before, then scan them."""
        self._show_status("Synthesising the demo sounds")
        self._make_demo()

    @work(thread=True, exclusive=True, group="demo", exit_on_error=False)
    def _make_demo(self) -> None:
        folder = platformdirs.user_cache_path("sda-tui") / "demo"
        try:
            self._session.make_demo(folder)
        except OSError as error:
            problem = f"Cannot write the demo sounds to {show_path(folder)} ({error.strerror})."
            self.app.call_from_thread(self._show_status, problem, True)
        else:
            self.app.call_from_thread(self.choose, [folder])

    @on(Button.Pressed, "#proceed")
    def action_proceed(self) -> None:
        if self._report is not None:
            self.query_one(Audition).stop()
            self.post_message(self.Proceed(self._report))
        else:
            self.notify("Choose a folder with sounds first.", severity="warning")

    def action_focus_path(self) -> None:
        self.query_one(FolderPicker).focus_path()

    def action_tree_up(self) -> None:
        self.query_one(FolderPicker).show_parent()

    def action_runs(self) -> None:
        self.post_message(self.ShowRuns())

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer only what is possible now."""
        if action == "stop_scan":
            return bool(self.query("#scan-progress")) and self.query_one("#scan-progress").display
        if action == "order":
            return bool(self._chosen)
        if action in ("play", "leave_out"):
            return self._whole_report is not None
        return True

    def action_play(self) -> None:
        """Play the chosen file, or stop it if it plays."""
        file = self.query_one(ScanTable).chosen
        if file is not None and self._whole_report is not None:
            path = Path(self._whole_report.folder) / file.path
            self.query_one(Audition).toggle(path, file.path)

    def action_cursor_up(self) -> None:
        self.query_one(ScanTable).action_cursor_up()

    def action_cursor_down(self) -> None:
        self.query_one(ScanTable).action_cursor_down()

    def action_leave_out(self) -> None:
        """Leave the chosen file out of the dataset, or take it in again."""
        table = self.query_one(ScanTable)
        file, whole = table.chosen, self._whole_report
        if file is None or whole is None:
            return
        if file.path in self._left_out:
            self._left_out.remove(file.path)
        elif file.usable:
            self._left_out.add(file.path)
        else:
            self.notify(f"{file.printable_path} is not used anyway: {file.detail or file.verdict.value}.")
            return
        report = self._session.leave_out(whole, self._left_out)
        table.add_files(report.files)
        self._show_report(report)
        self.show_detail()

    def action_order(self) -> None:
        self.query_one(ScanTable).sort_by_next()

    def action_stop_scan(self) -> None:
        if self.query_one("#scan-progress").display:
            self._session.stop_scan()
            self._scan_number += 1  # batches that it has posted are dropped
            self._set_scanning(False)
            self._show_status("Scan stopped. Choose a folder.")


def _welcome() -> str:
    return (
        f"Choose a folder of sounds: type its path ({key_of('datasets.path')}), take a recent one, or find "
        f"it in the tree. No sounds at hand? Press {key_of('datasets.demo')} for the demo.\n\n"
        "5 to 500 files are best, of any length and format. Every file gets a verdict here before anything "
        "is trained; the folder itself is never changed."
    )
