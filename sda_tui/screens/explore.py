"""Walking through the latent space of a model, and keeping what sounds well."""

import random
import shutil
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Label

from core.config import ExploreSettings, MakingRequest, OutputSettings
from core.errors import FileTakenError
from core.runs import read_picture
from core.text import printable
from sda_tui import format as fmt
from sda_tui.keymap import KEYMAP
from sda_tui.listening import Listening
from sda_tui.studio import Studio
from sda_tui.until_left import LeftOnce, UntilLeft
from sda_tui.widgets.footer import KeyFooter
from sda_tui.widgets.line import Line
from sda_tui.widgets.sliders import LARGEST, Sliders
from sda_tui.widgets.space_map import Point, SpaceMap
from sda_tui.widgets.spectrogram import Spectrogram
from sda_tui.widgets.title_bar import TitleBar

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from core.engine import LatentMap, Made, Maker

    Picture = npt.NDArray[np.uint8] | None

MOVE_DELAY_S = 0.15  # after the last key: each sound takes as long to make
TO_PLAY = OutputSettings(format="wav16", level="peak")


class ExploreScreen(LeftOnce, UntilLeft, Screen[None]):
    """A training sound, moved along the strongest directions; each change sounds.

    On the map a step goes to another place, from the training sound nearest to it; the sliders move the same
    sound along one direction.
    """

    SCOPE = "explore"
    BINDINGS = KEYMAP[SCOPE].bindings()

    def __init__(self, model: Path, listening: Listening) -> None:
        super().__init__()
        self._model = model
        self._listening = listening
        self._studio = Studio(self, model, on_note=self.notify)
        self._folder = Path(tempfile.mkdtemp(prefix="sda-tui-"))
        self._places: LatentMap | None = None
        self._settings = ExploreSettings()
        self._sounding: ExploreSettings | None = None  # that is being made, or was made last
        self._is_busy = True
        self._pending_keeps = 0
        self._made: Made | None = None

    def compose(self) -> ComposeResult:
        yield TitleBar("explore", printable(self._model.name))
        with Horizontal(id="explore"):
            with Vertical(id="places"):
                yield SpaceMap(id="space-map")
                yield Line("Loading the model…", id="place")
            with Vertical(id="directions"):
                yield Label("Directions, strongest first", classes="setting-group-title")
                yield Sliders(id="sliders")
                yield Spectrogram(id="explored-picture")
                yield Line(id="kept")
                yield Line(id="explore-way")
        yield KeyFooter()

    def on_mount(self) -> None:
        self._timer = self.set_interval(MOVE_DELAY_S, self._sound, pause=True)
        self.query_one(SpaceMap).focus()
        self._listening.prepare()
        self._studio.do(lambda maker: maker.map_space(), self._show_places, self._fail_to_open)

    def on_unmount(self) -> None:
        self._studio.close(is_stopped=not self._pending_keeps)
        shutil.rmtree(self._folder, ignore_errors=True)

    @property
    def is_ready(self) -> bool:
        """Whether what is wanted sounds, and nothing is being made."""
        return self._places is not None and not self._is_busy and self._sounding == self._settings

    def _show_places(self, places: "LatentMap") -> None:
        self._places, self._is_busy = places, False
        self.query_one(SpaceMap).points = [(point[0], point[1]) for point in places.points]
        self.query_one(SpaceMap).made = places.made
        self.query_one(Sliders).labels = places.labels
        middle = min(range(len(places.points)), key=lambda each: _distance(places.points[each], (0.0, 0.0)))
        self._go(ExploreSettings(base=1 + middle))

    def _fail_to_open(self, problem: str) -> None:
        if problem:
            self.notify(problem, title="Cannot explore", severity="error", timeout=20)
        self.query_one("#place", Line).show("The model cannot be used; esc goes back.")

    # -- moving -----------------------------------------------------------------------------------------

    @on(SpaceMap.Walked)
    def _walk(self, message: SpaceMap.Walked) -> None:
        """Go to a place, from the training sound that lies nearest to it."""
        if self._places is None:
            return
        points = self._places.points
        base = min(range(len(points)), key=lambda each: _distance(points[each], message.to))
        others = self._settings.offsets[2:]
        first, second = (_limited(message.to[axis] - points[base][axis]) for axis in (0, 1))
        self._go(_settings(1 + base, (first, second, *others)))

    @on(Sliders.Moved)
    def _slide(self, message: Sliders.Moved) -> None:
        offsets = list(self._settings.offsets)
        offsets[message.number] = message.value
        self._go(_settings(self._settings.base, offsets))

    def _go(self, settings: ExploreSettings) -> None:
        assert self._places is not None
        self._settings = settings
        base = self._places.points[settings.base - 1]
        area = self.query_one(SpaceMap)
        area.base = base[0], base[1]
        area.here = base[0] + settings.d1, base[1] + settings.d2
        self.query_one(Sliders).values = settings.offsets
        self.query_one("#place", Line).show(f"{self._name_of(settings.base)} …")
        self._timer.reset()
        self._timer.resume()

    def _name_of(self, number: int) -> str:
        assert self._places is not None
        return f"#{number} {printable(self._places.names[number - 1])}"

    # -- sounding ---------------------------------------------------------------------------------------

    def _sound(self) -> None:
        """Make the sound of this place and play it, unless one is being made: then that comes next."""
        self._timer.pause()
        if self._is_busy or self._sounding == self._settings:
            return
        self._is_busy, self._sounding = True, self._settings
        self._studio.do(partial(_draw, self._settings, self._folder / "explored.wav"), self._play, self._fail)

    def _play(self, drawn: "tuple[Made, Picture]") -> None:
        made, levels = drawn
        self._is_busy, self._made = False, made
        self.query_one(Spectrogram).levels = levels
        if self._sounding != self._settings:
            self._sound()
            return
        near = made.record["near"]["number"]
        text = f"{self._name_of(self._settings.base)} · {fmt.sound_duration(made.duration_s)}"
        if near != self._settings.base:
            text += f" · now most like {self._name_of(near)}"
        self.query_one("#place", Line).show(text)
        self.query_one("#explore-way", Line).show(f"♪ {self._listening.describe()}")
        if self._listening.can_play:  # else each step would say that nothing can
            self.action_play()

    def _fail(self, problem: str) -> None:
        self._is_busy = False
        if problem:
            self.notify(problem, title="Cannot make this sound", severity="error")
        if self._sounding != self._settings:
            self._sound()

    def action_play(self) -> None:
        if self._made is not None:
            self._listening.play_file(self._made.path, f"explored near {self._name_of(self._settings.base)}")

    def action_keep(self) -> None:
        """Write the sound of this place into the run."""
        if self._places is not None:
            self._pending_keeps += 1
            here = self.query_one(SpaceMap).here
            self._studio.do(partial(_keep, self._settings), partial(self._show_kept, here), self._refuse)

    def _show_kept(self, here: Point, made: "Made | None") -> None:
        self._pending_keeps -= 1
        if made is None:
            self.notify("This sound is kept already.")
            return
        area = self.query_one(SpaceMap)
        area.made = (*area.made, here)
        self.query_one("#kept", Line).show(f"• kept as {printable(made.path.name)}")

    def _refuse(self, problem: str) -> None:
        self._pending_keeps -= 1
        if problem:
            self.notify(problem, title="Not kept", severity="warning")

    def action_reset(self) -> None:
        """Back to the training sound itself."""
        if self._places is not None:
            self._go(ExploreSettings(base=self._settings.base))

    def action_random(self) -> None:
        if self._places is not None:
            self._go(ExploreSettings(base=1 + random.randrange(len(self._places.points))))

    def action_back(self) -> None:
        self._listening.stop()
        self.dismiss()


def _make(settings: ExploreSettings, output: OutputSettings, to: Path | None, maker: "Maker") -> "Made":
    (made,) = maker.make(MakingRequest(settings), output, to, is_replacing=to is not None)
    return made


def _keep(settings: ExploreSettings, maker: "Maker") -> "Made | None":
    """The sound as it was written; None if it was before."""
    try:
        return _make(settings, OutputSettings(), None, maker)
    except FileTakenError:
        return None


def _draw(settings: ExploreSettings, to: Path, maker: "Maker") -> "tuple[Made, Picture]":
    made = _make(settings, TO_PLAY, to, maker)
    return made, read_picture(made.path)


def _settings(base: int, offsets: Sequence[float]) -> ExploreSettings:
    d1, d2, d3, d4, d5, d6, d7, d8 = offsets
    return ExploreSettings(base, 1.0, d1, d2, d3, d4, d5, d6, d7, d8)


def _limited(offset: float) -> float:
    return max(-LARGEST, min(LARGEST, round(offset, 4)))


def _distance(point: tuple[float, ...], other: Point) -> float:
    return (point[0] - other[0]) ** 2 + (point[1] - other[1]) ** 2
