"""The model of a run as files for other machines and programs, and its figures."""

from pathlib import Path

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.screen import Screen
from textual.widgets import Button, Input, Label, Select, Static

from core.config import EXPORT_KINDS, METRIC_FORMATS, ExportRequest, missing_packages
from core.errors import Cancelled, SdaError
from core.paths import expand
from core.runs import RunDirectory
from core.text import printable
from sda_tui import format as fmt
from sda_tui.advice import explain
from sda_tui.background import read_beside
from sda_tui.exporting import ExportJob, requests_of
from sda_tui.keymap import KEYMAP
from sda_tui.listening import Listening
from sda_tui.look import show_path
from sda_tui.pasted import read_paths
from sda_tui.reveal import reveal
from sda_tui.session import Session
from sda_tui.until_left import LeftOnce, UntilLeft
from sda_tui.widgets.checklist import Check, Checklist
from sda_tui.widgets.folder_picker import PathInput
from sda_tui.widgets.footer import KeyFooter
from sda_tui.widgets.line import Line
from sda_tui.widgets.title_bar import TitleBar

CHECKPOINTS = (("best, of the lowest validation loss", "best"), ("newest", "newest"))
FOLDER = "exports"  # in the current folder, where the command would write
KINDS = {
    "bundle": ("Bundle", "One file with all of the model: sda-tui elsewhere makes sounds with it."),
    "onnx": ("ONNX", "Encoder and decoder for ONNX Runtime, in nearly every language."),
    "torch": ("PyTorch", "Encoder and decoder for torch.export.load, without this program."),
    "nn": ("nn~", "For the object nn~ in Max, Pure Data and SuperCollider."),
    "card": ("Card", "A page in Markdown: what the model is, and how each file is used."),
}
METRICS = {
    "csv": ("Table", "The figures of each epoch as CSV."),
    "json": ("JSON", "The figures of each epoch as one JSON document."),
}
OPTIONS = {
    "steps": ("Each step", "The figures of each step too, where figures are written."),
    "sounds": ("Sounds", "Training sounds that give new ones their detail travel in bundle and nn~."),
    "names": ("Names", "The names of the sound files stand in bundle and card."),
    "overwrite": ("Overwrite", "Files that are there already are replaced."),
}
MARKED_AT_FIRST = {"bundle", "sounds"}
BESIDE = "A run trains here. It goes first: the export takes what it leaves of the CPU."


class ExportScreen(LeftOnce, UntilLeft, Screen[None]):
    """Chooses what is written, writes it beside the screen, and says where it is."""

    SCOPE = "export"
    BINDINGS = KEYMAP[SCOPE].bindings()

    def __init__(self, session: Session, run: RunDirectory, listening: Listening) -> None:
        super().__init__()
        self._session = session
        self._directory = run
        self._listening = listening
        self._job: ExportJob | None = None  # while it writes
        self._planned: list[Path] = []
        self._sizes_bytes: dict[Path, int] = {}  # of what is written

    def compose(self) -> ComposeResult:
        yield TitleBar("export", printable(self._directory.name))
        with Vertical(id="export"):
            yield Checklist(export_checks(self._directory.has_checkpoint()), id="export-checks")
            with Vertical(id="export-form"):
                yield Line(id="export-help")
                with Horizontal(classes="choice-line"):
                    yield Label("Checkpoint")
                    yield Select(
                        CHECKPOINTS, value="best", allow_blank=False, compact=True, id="export-checkpoint"
                    )
                with Horizontal(classes="choice-line"):
                    yield Label("Folder")
                    yield PathInput(show_path(Path(FOLDER).absolute()), compact=True, id="export-folder")
            with VerticalScroll(id="export-result"):
                yield Static(id="export-files")
            yield Line(id="export-note")
            with Horizontal(id="export-buttons"):
                yield Button("Export  n", variant="primary", id="export-start")
                yield Button("Stop  c", id="export-stop")
                yield Button("Copy scp line  y", id="export-copy")
                yield Button("Folder  F", id="export-show")
        yield KeyFooter()

    def on_mount(self) -> None:
        self._show_phase()
        if self._session.is_training:
            self._show_note(BESIDE)
        self.query_one(Checklist).focus()

    @property
    def is_writing(self) -> bool:
        return self._job is not None

    @property
    def written(self) -> list[Path]:
        """The files that are there, in the order that they were written."""
        return list(self._sizes_bytes)

    # -- choosing ---------------------------------------------------------------------------------------

    @on(Checklist.Pointed)
    def _explain(self, event: Checklist.Pointed) -> None:
        self.query_one("#export-help", Line).show(event.check.problem or event.check.about)

    def action_mark(self) -> None:
        self.query_one(Checklist).action_select()

    def _requests(self, out: Path) -> list[ExportRequest]:
        """What is marked.  Raises ConfigError if that is nothing to be written."""
        marked = set(self.query_one(Checklist).marked)
        metrics = [each for each in METRIC_FORMATS if each in marked]
        request = ExportRequest(
            model=self._directory.path,
            checkpoint=str(self.query_one("#export-checkpoint", Select).value),
            kinds=tuple(kind for kind in EXPORT_KINDS if kind in marked),
            metrics=metrics[0] if metrics else "",
            steps="steps" in marked and bool(metrics),
            out=out,
            names="names" in marked,
            sounds="sounds" in marked,
            overwrite="overwrite" in marked,
        )
        return requests_of(request, metrics)

    @on(Button.Pressed, "#export-start")
    @on(Input.Submitted, "#export-folder")
    def action_start(self) -> None:
        """Write what is marked; after that, choose again."""
        if self.is_writing:
            return
        if self._planned:
            self._planned, self._sizes_bytes = [], {}
            self._show_phase()
            self._show_note("")
            self.query_one(Checklist).focus()
            return
        paths = read_paths(self.query_one("#export-folder", Input).value)
        marked = set(self.query_one(Checklist).marked)
        if not marked & {*EXPORT_KINDS, *METRIC_FORMATS}:
            self._refuse("Mark what is to be written first, with space or a click.")
        elif not paths:
            self._refuse("Write which folder the files go to.")
        else:
            try:
                self._begin(ExportJob(self._requests(expand(paths[0]))))
            except SdaError as error:  # no such user
                self._refuse(explain(error))

    # -- writing ----------------------------------------------------------------------------------------

    def _begin(self, job: ExportJob) -> None:
        self._job = job
        self._show_note("◌ Looking at the folder…")

        def work() -> bool:
            self.call_later(self._show_plan, job.plan())
            try:
                job.write(lambda path: self.call_later(self._show_file, path, path.stat().st_size))
            except Cancelled:
                return False
            return True

        read_beside(self, work, self._finish, self._fail)

    def _show_plan(self, planned: list[Path]) -> None:
        self._planned = planned
        self._show_phase()
        beside = f" {BESIDE}" if self._session.is_training else ""
        self._show_note(f"◌ Writing; a model takes up to a minute for each kind.{beside}")
        self._show_files()

    def _show_file(self, path: Path, size_bytes: int) -> None:
        self._sizes_bytes[path] = size_bytes
        self._show_files()

    def _show_files(self) -> None:
        """Each file with its state: written, being written, to come."""
        left = [path for path in self._planned if path not in self._sizes_bytes]
        lines = []
        for path in self._planned:
            name = printable(str(path))
            if path in self._sizes_bytes:
                lines.append(f"✓ {name}  {fmt.size(self._sizes_bytes[path])}")
            elif self.is_writing:
                lines.append(f"{'▶' if path == left[0] else '·'} {name}")
            else:
                lines.append(f"– {name}  not written")
        self.query_one("#export-files", Static).update(Text("\n".join(lines)))

    def _finish(self, is_complete: bool) -> None:
        self._job = None
        self._show_phase()
        self._show_files()
        files = fmt.count(len(self.written), "file")
        if not is_complete:
            self._show_note(f"■ Stopped; {files} written.")
            return
        total = fmt.size(sum(self._sizes_bytes.values()))
        line = self._copy()
        self._show_note(f"✓ {files} written, {total}. Copied, to be pasted on your own computer:\n{line}")
        self.query_one("#export-copy").focus()
        if not self.is_current:
            self.notify(f"{files} of {printable(self._directory.name)} written, {total}.")

    def _fail(self, problem: str) -> None:
        self._job = None
        if not self.written:
            self._planned = []
        self._show_phase()
        self._show_files()
        self._refuse(problem)
        if not self._planned:
            self.query_one(Checklist).focus()

    def _refuse(self, problem: str) -> None:
        self._show_note(f"✗ {problem}", is_error=True)

    def _show_note(self, note: str, is_error: bool = False) -> None:
        line = self.query_one("#export-note", Line)
        line.show(note)
        line.set_class(is_error, "-error")

    def _show_phase(self) -> None:
        """Show what belongs to choosing, to writing, or to what is written."""
        is_choosing = not self._planned
        self.query_one("#export-checks").display = is_choosing
        self.query_one("#export-form").display = is_choosing
        self.query_one("#export-result").display = not is_choosing
        start = self.query_one("#export-start", Button)
        start.display = not self.is_writing
        start.label = "Export  n" if is_choosing else "Export more  n"
        self.query_one("#export-stop").display = self.is_writing
        self.query_one("#export-copy").display = bool(self.written) and not self.is_writing
        self.query_one("#export-show").display = bool(self.written) and not self.is_writing
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what makes sense now."""
        match action:
            case "mark":
                return isinstance(self.focused, Checklist)
            case "start":
                return not self.is_writing
            case "stop":
                return self.is_writing
            case "copy" | "folder":
                return bool(self._sizes_bytes) and not self.is_writing
        return True

    @on(Button.Pressed, "#export-stop")
    def action_stop(self) -> None:
        """Stop; what is complete stays."""
        if self._job is not None:
            self._job.stop()
            self._show_note("◌ Stopping…")

    # -- what is written --------------------------------------------------------------------------------

    def _copy(self) -> str:
        line = self._listening.copy_line(*self.written)
        self.app.copy_to_clipboard(line)
        return line

    @on(Button.Pressed, "#export-copy")
    def action_copy(self) -> None:
        """Copy the line that brings the files to the user's machine."""
        if self.written:
            self.notify(f"To be pasted on your own computer: {self._copy()}", title="Copied", timeout=20)

    @on(Button.Pressed, "#export-show")
    def action_folder(self) -> None:
        """Open the folder of the files, or copy its path."""
        if not self.written:
            return
        folder = self.written[0].parent
        if path := reveal(folder):
            self.app.copy_to_clipboard(path)
            self.notify(printable(path), title="Path copied")
        else:
            self.notify(f"Opening {printable(str(folder))}")

    def action_back(self) -> None:
        """Leave, or stop first what is being written."""
        if self.is_writing:
            self.action_stop()
        else:
            self.dismiss()

    def on_unmount(self) -> None:
        if self._job is not None:
            self._job.stop()


def export_checks(has_checkpoint: bool) -> list[Check | None]:
    """What may be written, and how; a kind that cannot be says why."""

    def problem(kind: str) -> str:
        if not has_checkpoint:
            return "The run has no checkpoint yet."
        missing = " ".join(missing_packages(kind))
        return f"Needs packages that are not installed: pip install {missing}" if missing else ""

    def checks(lines: dict[str, tuple[str, str]]) -> list[Check | None]:
        return [Check(id, *about, is_marked=id in MARKED_AT_FIRST) for id, about in lines.items()]

    kinds = [
        Check(id, *about, problem(id), is_marked=id in MARKED_AT_FIRST and has_checkpoint)
        for id, about in KINDS.items()
    ]
    return [*kinds, None, *checks(METRICS), None, *checks(OPTIONS)]
