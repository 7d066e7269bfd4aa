"""Runs beside each other: curves, settings that differ, best figures, and the same preview of each."""

from collections.abc import Sequence
from functools import partial

from rich.table import Table as RichTable
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical, VerticalScroll
from textual.events import Click
from textual.message import Message
from textual.reactive import reactive
from textual.screen import Screen
from textual.widgets import Button, Static

from core.errors import RunError
from core.events import PreviewReady
from core.runs import ComparedRun, Comparison, PreviewKey, RunSummary, Series, StepClock, compare_runs
from core.text import printable
from sda_tui import format as fmt
from sda_tui.background import read_beside
from sda_tui.chart.panels import Curve, Glyph, Panel, Source
from sda_tui.chart.view import ChartView, XAxis
from sda_tui.keymap import KEYMAP
from sda_tui.listening import Listening
from sda_tui.until_left import LeftOnce, UntilLeft
from sda_tui.widgets.chart import Chart
from sda_tui.widgets.footer import KeyFooter
from sda_tui.widgets.title_bar import TitleBar

PLAYBACK_INTERVAL_S = 0.5
# How the curve of each run is drawn: they differ by more than colour.
COLOURS, GLYPHS = ("text-primary", "text-accent", "text-success"), (Glyph.THIN, Glyph.THICK, Glyph.DOTTED)
LOOKS = tuple((COLOURS[(index + index // 3) % 3], GLYPHS[index % 3]) for index in range(9))
LOSS, RMSE = "loss", "rmse"
TITLES = {LOSS: "Validation loss", RMSE: "Held-out RMSE"}


class RunLine(Static):
    """A run that is compared: its figures, and the preview that would play.  A click chooses it."""

    class Clicked(Message):
        def __init__(self, index: int) -> None:
            super().__init__()
            self.index = index

    def __init__(self, index: int) -> None:
        super().__init__(classes="compared-run")
        self._index = index

    def on_click(self, event: Click) -> None:
        event.stop()
        self.post_message(self.Clicked(self._index))


class CompareScreen(LeftOnce, UntilLeft, Screen[None]):
    """`chosen` is the place of the run whose preview plays, `key` which preview that is."""

    SCOPE = "compare"
    BINDINGS = KEYMAP[SCOPE].bindings()

    chosen: reactive[int] = reactive(0, init=False)
    key: reactive[PreviewKey | None] = reactive(None, init=False)
    figure: reactive[str] = reactive(LOSS, init=False)
    axis: reactive[XAxis] = reactive(XAxis.EPOCH, init=False)

    def __init__(self, summaries: Sequence[RunSummary], listening: Listening) -> None:
        super().__init__()
        self._summaries = summaries
        self._listening = listening
        self._comparison = Comparison(())

    def compose(self) -> ComposeResult:
        yield TitleBar("runs", f"{len(self._summaries)} compared")
        with Vertical(id="compare"):
            with VerticalScroll(id="compare-all", can_focus=False):
                yield Static("Reading the runs…", id="compare-remarks")
                yield Vertical(id="compare-chart")
                yield Vertical(id="compared-runs")
                yield Static(id="compare-preview")
                yield Static(id="differences")
            with Horizontal(id="compare-buttons"):
                yield Button("Play  space", id="play", variant="primary", disabled=True)
                yield Button("Next run  →", id="next-run", disabled=True)
                yield Button("Next preview  ↓", id="next-preview", disabled=True)
                yield Button("Loss/RMSE  c", id="curve", disabled=True)
                yield Button("Epoch/step  t", id="axis", disabled=True)
        yield KeyFooter()

    def on_mount(self) -> None:
        self._playback_timer = self.set_interval(PLAYBACK_INTERVAL_S, self._show_runs, pause=True)
        self._listening.prepare()
        read_beside(self, partial(compare_runs, self._summaries), self._show, self._show_problem)

    @property
    def is_ready(self) -> bool:
        """Whether the runs were read."""
        return bool(self._comparison.runs)

    def _show_problem(self, problem: str) -> None:
        self.query_one("#compare-remarks", Static).update(Text(f"✗ {problem}"))

    def _show(self, comparison: Comparison) -> None:
        self._comparison = comparison
        remarks = self.query_one("#compare-remarks", Static)
        remarks.update(Text("\n".join(f"! {remark}" for remark in comparison.remarks)))
        remarks.display = bool(comparison.remarks)
        if not comparison.runs:
            return
        for button in self.query(Button):
            button.disabled = False
        self.query_one("#compared-runs").mount(*(RunLine(index) for index in range(len(comparison.runs))))
        self.query_one("#differences", Static).update(self._differences())
        self.key = next(iter(comparison.previews), None)
        can_compare_losses = comparison.are_losses_comparable
        self.figure = LOSS if can_compare_losses else RMSE
        self._draw()
        self.call_after_refresh(self._show_runs)

    # -- curves and figures -----------------------------------------------------------------------------

    def watch_figure(self) -> None:
        self._draw()

    def watch_axis(self) -> None:
        self._draw()

    def _draw(self) -> None:
        """Draw the curves of all runs in one chart."""
        from sda_tui.chart.draw import CurvesData  # which loads numpy

        runs = self._comparison.runs
        if not runs:
            return
        curves = tuple(
            Curve(str(index), Source.EPOCH, fmt.shorten(printable(run.name), 24), *LOOKS[index % len(LOOKS)])
            for index, run in enumerate(runs)
        )
        panel = Panel(self.figure, TITLES[self.figure], curves)
        series = [_series(run, self.figure, self.axis) for run in runs]
        last = max((each.newest[0] for each in series if each.newest is not None), default=1.0)
        place = self.query_one("#compare-chart")
        place.remove_children()
        chart = Chart(panel)
        chart.why_empty = "None of these runs has finished an epoch."
        chart.view = ChartView(x_axis=self.axis)
        place.mount(chart)
        chart.show(CurvesData(panel, series, last, StepClock()), is_ended=True)

    def watch_chosen(self) -> None:
        self._show_runs()

    def watch_key(self) -> None:
        self._show_runs()

    def _show_runs(self) -> None:
        """Show the figures of each run, which is chosen, and what plays."""
        playing = self._listening.playing
        lines = list(self.query(RunLine))
        width = max((len(printable(run.name)) for run in self._comparison.runs), default=0)
        for index, (line, run) in enumerate(zip(lines, self._comparison.runs, strict=False)):
            preview = run.preview(self.key) if self.key is not None else None
            path = run.run.path / preview.path if preview is not None else None
            is_playing = playing is not None and path is not None and playing.path == path
            line.update(self._line(index, run, preview, min(width, 32), is_playing))
            line.set_class(index == self.chosen, "-chosen")
        what = f"Preview: {printable(self.key.label)}, nearest to the best epoch of each" if self.key else ""
        nothing = "These runs have no previews yet: nothing to listen to."
        self.query_one("#compare-preview", Static).update(Text(what or nothing))
        if playing is None:
            self._playback_timer.pause()

    def _line(
        self, index: int, run: ComparedRun, preview: PreviewReady | None, width: int, is_playing: bool
    ) -> Text:
        variable, glyph = LOOKS[index % len(LOOKS)]
        best, lowest = run.best, run.lowest_rmse
        cursor = "›" if index == self.chosen else " "
        text = Text(f"{cursor}{'▶' if is_playing else ' '} ", no_wrap=True, overflow="ellipsis")
        text.append(f"{glyph.value}{glyph.value} ", self.app.theme_variables[variable])
        text.append(f"{fmt.shorten(printable(run.name), width):<{width}}  ")
        loss = fmt.best(best.loss, best.epoch) if best is not None else "–"
        rmse = fmt.best(lowest.rmse, lowest.epoch, 3) if lowest is not None else "–"
        text.append(f"best loss {loss:<13} RMSE {rmse:<11}")
        text.append(f" plays epoch {preview.epoch}" if preview is not None else " nothing to play")
        return text

    def _differences(self) -> RichTable | Text:
        """The settings that differ, a column for each run."""
        rows = self._comparison.differences
        if not rows:
            return Text("All settings and sounds are the same.")
        table = RichTable(box=None, pad_edge=False, header_style="bold")
        table.add_column("Differs")
        for run in self._comparison.runs:
            table.add_column(Text(fmt.shorten(printable(run.name), 24)), overflow="fold")
        for name, values in rows.items():
            table.add_row(Text(name), *(Text(printable(value) or "–") for value in values))
        return table

    @on(Button.Pressed, "#curve")
    def action_curve(self) -> None:
        self.figure = RMSE if self.figure == LOSS else LOSS

    @on(Button.Pressed, "#axis")
    def action_axis(self) -> None:
        self.axis = XAxis.STEP if self.axis is XAxis.EPOCH else XAxis.EPOCH

    # -- previews ---------------------------------------------------------------------------------------

    @on(RunLine.Clicked)
    def choose_clicked(self, message: RunLine.Clicked) -> None:
        self._choose(message.index)

    def action_step(self, by: int) -> None:
        if self.is_ready:
            self._choose((self.chosen + by) % len(self._comparison.runs))

    @on(Button.Pressed, "#next-run")
    def step(self) -> None:
        self.action_step(1)

    def _choose(self, index: int) -> None:
        """Choose a run; while a preview plays, its own continues at the same position."""
        is_playing = self._listening.playing is not None
        self.chosen = index
        if is_playing:
            self._play(is_switch=True)

    @on(Button.Pressed, "#next-preview")
    def next_preview(self) -> None:
        self.action_preview(1)

    def action_preview(self, by: int) -> None:
        """Another preview, of all runs alike."""
        keys = self._comparison.previews
        if self.key is not None:
            self.key = keys[(keys.index(self.key) + by) % len(keys)]
            if self._listening.playing is not None:
                self._play()

    @on(Button.Pressed, "#play")
    def action_play(self) -> None:
        if self._listening.playing is not None:
            self._listening.stop()
            self._show_runs()
        else:
            self._play()

    def _play(self, is_switch: bool = False) -> None:
        if not self.is_ready or self.key is None:
            return
        run = self._comparison.runs[self.chosen]
        preview = run.preview(self.key)
        if preview is None:
            self._listening.stop()
            self.notify(f"{printable(run.name)} has no {printable(self.key.label)}.")
        else:
            try:
                self._listening.play(run.run.find_preview(preview.path), is_switch)
            except RunError as error:
                self.notify(str(error), title="No sound", severity="warning")
        self._playback_timer.resume()
        self._show_runs()

    def on_unmount(self) -> None:
        self._listening.stop()

    def action_page(self, by: int) -> None:
        """Scroll to what does not fit, the settings mostly."""
        everything = self.query_one("#compare-all")
        everything.scroll_relative(y=by * max(1, everything.size.height // 2), animate=False)

    def action_back(self) -> None:
        self.dismiss()


def _series(run: ComparedRun, figure: str, axis: XAxis) -> Series:
    """A curve of a run by epoch or by step."""
    series = Series()
    for point in run.points:
        series.append(
            point.epoch if axis is XAxis.EPOCH else point.step, point.loss if figure == LOSS else point.rmse
        )
    return series
