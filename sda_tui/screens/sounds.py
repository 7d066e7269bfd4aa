"""The sounds made from a model: make new ones, listen, name, mark and delete them."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Button, DataTable, Input, Label

from core.config import (
    AUTO,
    GenerateSettings,
    JourneySettings,
    MakingRequest,
    MakingSettings,
    OutputSettings,
    VarySettings,
)
from core.errors import FileTakenError, SettingError
from core.runs import (
    GeneratedSound,
    delete_generated,
    describe_generated,
    generated_folder,
    list_generated,
    read_picture,
    rename_generated,
    star_generated,
)
from core.text import printable
from sda_tui import format as fmt
from sda_tui.background import read_beside
from sda_tui.keymap import KEYMAP, key_of
from sda_tui.listening import Listening
from sda_tui.look import STAR
from sda_tui.screens.choice import Choice, ChoiceScreen
from sda_tui.screens.rename import RenameScreen
from sda_tui.session import Session
from sda_tui.studio import Studio
from sda_tui.until_left import LeftOnce, UntilLeft
from sda_tui.widgets.audition import Audition
from sda_tui.widgets.footer import KeyFooter
from sda_tui.widgets.line import Line
from sda_tui.widgets.making_form import (
    CHECKPOINT,
    CHECKPOINTS,
    GENERATE_FIELDS,
    OUTPUT_FIELDS,
    VARY_FIELDS,
    MakingForm,
)
from sda_tui.widgets.progress_line import ProgressLine
from sda_tui.widgets.spectrogram import Spectrogram
from sda_tui.widgets.table import Table
from sda_tui.widgets.title_bar import TitleBar

if TYPE_CHECKING:
    from core.engine import Made, Maker, MakingProgress

DRAWING_DELAY_S = 0.2  # after the last move of the cursor
FINISH_TIMEOUT_S = 20.0


class SoundsScreen(LeftOnce, UntilLeft, Screen[None]):
    """Of a run, or of the file of a model.  Posts `Explored` to walk through its latent space."""

    SCOPE = "sounds"
    BINDINGS = KEYMAP[SCOPE].bindings()

    class Explored(Message):
        def __init__(self, model: Path) -> None:
            super().__init__()
            self.model = model

    def __init__(self, session: Session, model: Path, listening: Listening) -> None:
        super().__init__()
        self._session = session
        self._model = model
        self._folder = generated_folder(model)
        self._listening = listening
        self._studio = Studio(self, model, CHECKPOINTS[0], self._show_progress, self.notify)
        self._sounds: dict[str, GeneratedSound] = {}
        self._is_making = False
        self._made = 0

    def compose(self) -> ComposeResult:
        yield TitleBar("sounds", printable(self._model.name))
        with Horizontal(id="sounds"):
            with Vertical(id="made"):
                yield Table("made-table")
                yield Line(_empty(), id="made-note")
                yield Spectrogram(id="made-picture")
                yield Audition(self._session, self._listening, id="audition")
            with Vertical(id="making"):
                yield Label("New sounds", classes="setting-group-title")
                yield MakingForm(id="making-fields")
                yield Button(f"Make sounds  {key_of('sounds.make')}", id="make", variant="primary")
                yield ProgressLine(id="making-progress")
                yield Line(id="making-note")
                yield Line(id="field-help")
        yield KeyFooter()

    def on_mount(self) -> None:
        table = self.query_one(Table)
        for head in ("", "Sound", "Length", "Near", "By"):
            table.add_column(head, key=head)
        self.query_one(ProgressLine).display = False
        self._drawing_timer = self.set_interval(DRAWING_DELAY_S, self._draw_chosen, pause=True)
        table.focus()
        self._listening.prepare()

    def on_screen_resume(self) -> None:
        self._reload()

    def on_unmount(self) -> None:
        self._studio.close()

    def finish(self) -> None:
        """Stop making, and wait until what is complete is written."""
        self._studio.close()
        self._studio.wait(FINISH_TIMEOUT_S)
        self._is_making = False

    @property
    def is_ready(self) -> bool:
        """Whether nothing is being made."""
        return not self._is_making

    # -- the list ---------------------------------------------------------------------------------------

    def _reload(self, chosen: str | None = None) -> None:
        """Read the list again, and choose the sound of this name, or the one that was chosen."""
        show = partial(self._show, chosen)
        read_beside(self, partial(list_generated, self._folder), show, self._refuse)

    def _show(self, wanted: str | None, sounds: list[GeneratedSound]) -> None:
        table = self.query_one(Table)
        row, former = table.cursor_row, self._chosen
        table.clear()
        self._sounds = {sound.path.name: sound for sound in sounds}
        for sound in sounds:
            self._add_row(sound)
        name = wanted or (former.path.name if former is not None else "")
        table.move_cursor(row=table.get_row_index(name) if name in self._sounds else row)
        note = "" if sounds else _empty()
        self.query_one("#made-note", Line).show(note)

    def _add_row(self, sound: GeneratedSound) -> None:
        self.query_one(Table).add_row(
            Text(STAR if sound.is_starred else " "),
            Text(printable(sound.path.name.removeprefix(f"{self._model.name}-"))),
            Text(fmt.sound_duration(sound.duration_s), justify="right"),
            Text(Path(sound.near).name),
            Text(sound.kind),
            key=sound.path.name,
        )

    @property
    def _chosen(self) -> GeneratedSound | None:
        table = self.query_one(Table)
        if not table.row_count:
            return None
        return self._sounds.get(str(table.coordinate_to_cell_key(table.cursor_coordinate).row_key.value))

    @on(DataTable.RowHighlighted)
    def _choose(self) -> None:
        self._drawing_timer.reset()
        self._drawing_timer.resume()

    def _draw_chosen(self) -> None:
        """Draw the chosen sound: on another thread, once the cursor rests."""
        self._drawing_timer.pause()
        sound = self._chosen
        if sound is not None:
            picture = self.query_one(Spectrogram)
            read_beside(
                self,
                partial(read_picture, sound.path),
                lambda levels: setattr(picture, "levels", levels),
                self._refuse,
            )

    @on(DataTable.RowSelected)
    def action_play(self) -> None:
        """Play the chosen sound, or stop it."""
        sound = self._chosen
        if sound is not None:
            self.query_one(Audition).toggle(sound.path, printable(sound.path.name))

    def action_stop(self) -> None:
        self.query_one(Audition).stop()

    def action_star(self) -> None:
        sound = self._chosen
        if sound is not None:
            self._change(partial(star_generated, sound, not sound.is_starred), sound.path.name)

    def action_rename(self) -> None:
        sound = self._chosen
        if sound is not None:
            self.app.push_screen(RenameScreen(sound.path.stem), partial(self._rename, sound))

    def _rename(self, sound: GeneratedSound, name: str | None) -> None:
        if name is not None and name != sound.path.stem:
            stem = name.removesuffix(sound.path.suffix)
            self._change(partial(rename_generated, sound, stem), stem + sound.path.suffix)

    def action_delete(self) -> None:
        sound = self._chosen
        if sound is None:
            return
        question = ChoiceScreen(
            f"Delete {printable(sound.path.name)}?",
            "Its line in provenance.jsonl stays: the sound can be made again.",
            (Choice("keep", "Keep it", "n"), Choice("delete", "Delete", "y")),
        )
        self.app.push_screen(question, partial(self._delete, sound))

    def _delete(self, sound: GeneratedSound, answer: str | None) -> None:
        if answer == "delete":
            self.query_one(Audition).stop()
            self._change(partial(delete_generated, sound), None)

    def action_copy(self) -> None:
        """Copy the line that brings the chosen sound to the user's machine."""
        sound = self._chosen
        if sound is not None:
            line = self._listening.copy_line(sound.path)
            self.app.copy_to_clipboard(line)
            self.notify(line, title="Copied")

    def _change(self, change: Callable[[], object], chosen: str | None) -> None:
        """Change a file or its line on another thread, and show the list again."""

        def attempt() -> str:
            try:
                change()
            except FileTakenError as error:  # what to type then is of the command line
                return str(error)
            return ""

        def show(problem: str) -> None:
            if problem:
                self._refuse(problem)
            self._reload(None if problem else chosen)

        read_beside(self, attempt, show, self._refuse)

    def _refuse(self, problem: str) -> None:
        self.notify(problem, severity="error", timeout=10)

    # -- making -----------------------------------------------------------------------------------------

    @on(Button.Pressed, "#make")
    @on(Input.Submitted)
    def action_make(self) -> None:
        """Make new sounds with the values in the fields."""
        self._make_of(GenerateSettings, GENERATE_FIELDS)

    def action_vary(self) -> None:
        """Make variations of the chosen sound."""
        sound = self._chosen
        if sound is None:
            self.notify(f"Choose a sound first; {key_of('sounds.make')} makes some.")
            return
        self._make_of(VarySettings, ("count", "seed", *VARY_FIELDS), (str(sound.path),))

    def action_journey(self) -> None:
        """Make a journey between the marked sounds, or a drift among the run's own."""
        marked = tuple(str(sound.path) for sound in self._sounds.values() if sound.is_starred)
        given = self._form.values(("seconds", "seed", "detail"))
        if given["seconds"] == AUTO:
            del given["seconds"]
        self._make_of(JourneySettings, (), marked if len(marked) > 1 else (), given)

    def action_cancel(self) -> None:
        """Stop making; what is complete stays."""
        self._studio.stop()

    def action_explore(self) -> None:
        self.action_stop()
        self.post_message(self.Explored(self._model))

    @property
    def _form(self) -> MakingForm:
        return self.query_one(MakingForm)

    def _make_of(
        self,
        kind: type[MakingSettings],
        fields: Sequence[str],
        sources: tuple[str, ...] = (),
        given: Mapping[str, str] | None = None,
    ) -> None:
        """Make sounds of a kind with the values in these fields, or with those given."""
        if self._is_making:
            self.notify(f"Sounds are being made; {key_of('sounds.cancel')} stops that.")
            return
        try:
            settings = kind.parse(given if given is not None else self._form.values(fields))
            output = OutputSettings.parse(self._form.values(OUTPUT_FIELDS))
        except SettingError as error:
            self._form.go_to(error.setting)
            self._refuse(f"{self._form.settings[error.setting].title} {error.requirement}")
            return
        self.query_one(Table).focus()  # else the keys of the list would be typed into a field
        self._studio.which = self._form.values((CHECKPOINT,))[CHECKPOINT]
        request = MakingRequest(settings, sources)
        self._is_making, self._made = True, 0
        bar = self.query_one(ProgressLine)
        bar.show(0, 0)
        bar.display = True
        self.query_one("#making-note", Line).show(f"Loading the model… {key_of('sounds.cancel')} stops")
        self._studio.do(partial(self._write, request, output), self._finish, self._stop)

    def _write(self, request: MakingRequest, output: OutputSettings, maker: "Maker") -> "Made | None":
        """On the studio's thread: make everything, and have each sound shown when it is there."""
        last: Made | None = None
        for last in maker.make(request, output):
            self.call_later(self._show_made, last)
        return last

    def _show_made(self, made: "Made") -> None:
        """Add it to the list, where it can be played while the others are made."""
        self._made += 1
        sound = describe_generated(self._folder, made.record)
        if made.path.name not in self._sounds:  # the list may have been read meanwhile
            self._sounds[made.path.name] = sound
            self._add_row(sound)
        if self._made == 1:
            table = self.query_one(Table)
            table.move_cursor(row=table.get_row_index(made.path.name))
            self.query_one("#made-note", Line).show("")

    def _show_progress(self, at: "MakingProgress") -> None:
        self.query_one(ProgressLine).show(at.done, at.total)
        self.query_one("#making-note", Line).show(
            f"{at.done} of {at.total} {at.unit} made; {key_of('sounds.cancel')} stops"
        )

    def _finish(self, made: "Made | None") -> None:
        self._end(f"{fmt.count(self._made, 'sound')} made")
        self._reload()

    def _stop(self, problem: str) -> None:
        self._end(f"stopped; {fmt.count(self._made, 'sound')} complete" if not problem else "")
        if problem:
            self.notify(problem, title="Cannot make sounds", severity="error", timeout=20)
        self._reload()

    def _end(self, note: str) -> None:
        self._is_making = False
        self.query_one(ProgressLine).display = False
        self.query_one("#making-note", Line).show(note)

    def on_descendant_focus(self) -> None:
        """Show what the field is for that has the focus."""
        self.query_one("#field-help", Line).show(self._form.explain(self.focused))

    def action_back(self) -> None:
        if self._is_making:
            self.action_cancel()
            return
        self.action_stop()
        self.dismiss()


def _empty() -> str:
    make, explore = key_of("sounds.make"), key_of("sounds.explore")
    return f"Nothing was made from this run yet: {make} makes new sounds, {explore} explores."
