"""The charts of a run: as many side by side as there is room for."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from textual.app import ComposeResult
from textual.containers import Grid
from textual.events import Click
from textual.message import Message
from textual.reactive import reactive
from textual.widget import Widget

from core.events import EpochFinished, RunState, StepFinished
from core.runs import RunHistory
from sda_tui.chart.panels import PANELS, Source
from sda_tui.chart.view import ChartView
from sda_tui.devices.reading import DeviceReading
from sda_tui.keymap import KEYMAP
from sda_tui.until_left import UntilLeft
from sda_tui.widgets.chart import Chart
from sda_tui.widgets.charts import LossChart
from sda_tui.widgets.device_panel import DevicePanel

ZOOM_FACTOR, PAN_FRACTION = 2.0, 0.25
LEAST_HEIGHT = 5  # with less there is nothing to see
SMALLEST_WIDTH, SMALLEST_HEIGHT = 34, 8  # cells of a chart, where there are others beside it
EPOCHS, DEVICE = "epochs", "device"  # the losses by epoch at a glance, which plotext draws; the machine
CHART_NAMES: Mapping[str, str] = {
    EPOCHS: "Loss by epoch",
    **{panel.id: panel.title for panel in PANELS.values()},
    DEVICE: "Device",
}


class RunCharts(UntilLeft, Grid, can_focus=True):
    """The chosen charts in their order, all showing the same part of the run; those without room come by
    paging to the `selected` one.  Posts `ChoosingWanted`."""

    BINDINGS = KEYMAP["charts"].bindings()

    shown: reactive[tuple[str, ...]] = reactive(tuple(CHART_NAMES), init=False)
    selected: reactive[str] = reactive(EPOCHS, init=False)
    view: reactive[ChartView] = reactive(ChartView(), init=False)

    class ChoosingWanted(Message):
        """The user wants to choose which charts are shown."""

    def __init__(self, id: str | None = None) -> None:
        super().__init__(id=id)
        self._visible: tuple[str, ...] = ()
        self._history: RunHistory | None = None
        self._state = RunState.LOADING
        self._device: DeviceReading | None = None

    def compose(self) -> ComposeResult:
        yield LossChart(id=_widget_id(EPOCHS))
        for panel in PANELS.values():
            yield Chart(panel, id=_widget_id(panel.id))
        yield DevicePanel(id=_widget_id(DEVICE))

    def on_mount(self) -> None:
        self._arrange()

    def on_resize(self) -> None:
        self._arrange()

    def show(self, history: RunHistory, state: RunState, device: DeviceReading | None) -> None:
        """Draw what has grown; the end of a run at once, and where there is nothing, why."""
        self._history, self._state, self._device = history, state, device
        for name in self._visible:
            self._show_one(name)

    def watch_shown(self, names: tuple[str, ...]) -> None:
        for name in reversed(names):
            self.move_child(self._widget(name), before=0)
        if self.selected not in names:
            self.selected = names[0]
        self._arrange()

    def watch_selected(self) -> None:
        self._mark_selected()
        self._arrange()

    def watch_has_focus(self, focus: bool) -> None:
        super().watch_has_focus(focus)
        self._mark_selected()

    def watch_view(self, view: ChartView) -> None:
        for chart in self.query(Chart):
            chart.view = view

    def on_chart_view_changed(self, message: Chart.ViewChanged) -> None:
        message.stop()
        self.view = message.view

    def on_click(self, event: Click) -> None:
        """Select the chart under the pointer."""
        for name in self._visible:
            if self._widget(name).region.contains(event.screen_x, event.screen_y):
                self.selected = name

    # -- what keys do -----------------------------------------------------------------------------------

    def action_select(self, by: int) -> None:
        """Select the next chart, or with -1 the one before, and show its page."""
        index = self.shown.index(self.selected) if self.selected in self.shown else 0
        self.selected = self.shown[(index + by) % len(self.shown)]

    def action_crosshair(self, columns: int) -> None:
        """Move it by so many columns; the first time it appears at the right edge."""
        fraction = columns / max(1, *(chart.plot_columns for chart in self.query(Chart)))
        self.view = self.view.with_cursor_moved(fraction, self._last_step)

    def action_zoom(self, direction: int) -> None:
        """Enlarge around the crosshair or the middle; at the right edge the newest step stays in view."""
        self.view = self.view.zoomed(ZOOM_FACTOR**direction, self._last_step)

    def action_pan(self, direction: int) -> None:
        self.view = self.view.panned(direction * PAN_FRACTION, self._last_step)

    def action_whole(self) -> None:
        self.view = self.view.whole().without_cursor()

    def action_smooth(self, by: int) -> None:
        self.view = self.view.smoothed(by)

    def action_x_axis(self) -> None:
        self.view = self.view.with_next_x_axis()

    def action_y_axis(self) -> None:
        self.view = replace(self.view, is_log=not self.view.is_log)

    def action_blocks(self) -> None:
        self.view = replace(self.view, uses_blocks=not self.view.uses_blocks)

    def action_choose(self) -> None:
        self.post_message(self.ChoosingWanted())

    # -- layout -----------------------------------------------------------------------------------------

    @property
    def _last_step(self) -> float:
        return float(self._history.step) if self._history is not None else 1.0

    def _mark_selected(self) -> None:
        for child in self.children:  # none before they are composed
            is_selected = self.has_focus and child.id == _widget_id(self.selected)
            child.set_class(is_selected, "-selected")
            if isinstance(child, Chart):
                child.is_selected = is_selected

    def _arrange(self) -> None:
        """Lay out the page of the selected chart."""
        width, height = self.size
        if not self.is_mounted or not width or not height:
            return
        columns, rows = grid_size(width, height, len(self.shown))
        page = page_of(self.shown, self.selected, columns * rows) if height >= LEAST_HEIGHT else ()
        if page == self._visible and (self.styles.grid_size_columns, self.styles.grid_size_rows) == (
            columns,
            rows,
        ):
            return
        self.styles.grid_size_columns, self.styles.grid_size_rows = columns, rows
        self._visible = page
        for name in CHART_NAMES:
            self._widget(name).display = name in page
        if self._history is not None:
            self.call_after_refresh(self.show, self._history, self._state, self._device)

    def _show_one(self, name: str) -> None:
        from sda_tui.chart.data import find_data  # which loads numpy

        history, is_ended = self._history, not self._state.is_active
        assert history is not None
        widget = self._widget(name)
        if isinstance(widget, LossChart):
            last, best = history.last_epoch, None
            if last is not None and last.best_validation_loss is not None:
                best = (float(last.best_epoch), last.best_validation_loss)
            widget.why_empty = why_empty("epoch", history.last_epoch, is_ended)
            widget.show(history.training_losses, history.validation_losses, best, is_ended)
        elif isinstance(widget, Chart):
            by_step = any(curve.source is Source.STEP for curve in widget.panel.curves)
            widget.why_empty = (
                why_empty("step", history.last_step, is_ended)
                if by_step
                else why_empty("epoch", history.last_epoch, is_ended)
            )
            widget.show(find_data(widget.panel, history), is_ended)
        elif isinstance(widget, DevicePanel):
            widget.reading = self._device

    def _widget(self, name: str) -> Widget:
        return self.get_child_by_id(_widget_id(name))


def _widget_id(name: str) -> str:
    return f"{name}-chart"


def grid_size(width: int, height: int, count: int) -> tuple[int, int]:
    """Columns and rows for so many charts at most in a space of so many cells; one at least."""
    columns = max(1, min(count, width // SMALLEST_WIDTH))
    rows = max(1, min(-(-count // columns), height // SMALLEST_HEIGHT))
    columns = min(columns, -(-count // rows))  # no empty column where fewer would do
    return max(1, columns), rows


def page_of(names: Sequence[str], selected: str, size: int) -> tuple[str, ...]:
    """The page that the selected one is on, of pages of so many."""
    index = names.index(selected) if selected in names else 0
    first = index // size * size
    return tuple(names[first : first + size])


def why_empty(unit: str, last: EpochFinished | StepFinished | None, is_ended: bool) -> str:
    """Why a curve by epoch or by step has no point, if it has none."""
    if last is not None:
        return f"No {unit} has had a finite number here."
    if is_ended:
        return f"The run ended before its first {unit} did."
    return f"The first point comes at the end of {unit} 1."
