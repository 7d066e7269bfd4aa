"""One chart of the dashboard: curves or bars, enlarged, moved and read with keys or the mouse."""

from collections.abc import Hashable
from dataclasses import replace
from textwrap import wrap
from typing import TYPE_CHECKING

from textual import events
from textual.message import Message
from textual.reactive import reactive
from textual.strip import Strip
from textual.widget import Widget

from sda_tui.chart.panels import Panel
from sda_tui.chart.view import ChartView

if TYPE_CHECKING:
    from rich.style import Style

    from sda_tui.chart.bars import BarsData
    from sda_tui.chart.draw import CurvesData
    from sda_tui.chart.picture import Picture

    ChartData = CurvesData | BarsData

WHEEL_FACTOR, WHEEL_FRACTION = 1.25, 0.1
NOTHING_HERE = "Nothing in this part of the run; 0 in the charts shows all of it."


class Chart(Widget):
    """Draws a panel's data in its `view`, again only when what can be seen of either has changed.

    All that the user does to the view is posted as `ViewChanged`, so that a parent can give the same view to
    other charts.  Where there is nothing to draw, `why_empty`.
    """

    view: reactive[ChartView] = reactive(ChartView(), repaint=False)
    why_empty: reactive[str] = reactive("", repaint=False)
    is_selected: reactive[bool] = reactive(False, repaint=False)

    class ViewChanged(Message):
        """The user changed what part of the run this chart shows, or how."""

        def __init__(self, chart: "Chart", view: ChartView) -> None:
            super().__init__()
            self.chart = chart
            self.view = view

        @property
        def control(self) -> "Chart":
            return self.chart

        def can_replace(self, message: Message) -> bool:
            return isinstance(message, Chart.ViewChanged) and message.chart is self.chart

    def __init__(self, panel: Panel, id: str | None = None) -> None:
        super().__init__(id=id)
        self.panel = panel
        self.draw_count = 0  # for tests: how often it was drawn
        self._data: ChartData | None = None
        self._shown: Hashable = None  # what the data was when it was drawn
        self._drawn_step = 0.0
        self._picture: Picture | None = None
        self._strips: list[Strip] | None = None
        self._styles: list[Style] = []
        self._dragged_from: tuple[int, ChartView] | None = None
        self._is_dragged = False

    # -- what it shows ------------------------------------------------------------------------------------

    def show(self, data: "ChartData", is_ended: bool = False) -> None:
        """Take the data, and draw it if it has grown by a column of dots or more; at the end, always."""
        self._data = data
        if self._is_visibly_new(data, is_ended):
            self._redraw()

    def watch_view(self, before: ChartView, after: ChartView) -> None:
        if before != after:
            self._redraw()

    def watch_why_empty(self) -> None:
        if self._picture is None:
            self._redraw()

    def watch_is_selected(self) -> None:
        self._forget_colours()

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._forget_colours()

    def _forget_colours(self) -> None:
        self._styles, self._strips = [], None
        self.refresh()

    @property
    def last_step(self) -> float:
        from sda_tui.chart.draw import CurvesData

        return self._data.last_step if isinstance(self._data, CurvesData) else 1.0

    def _is_visibly_new(self, data: "ChartData", is_ended: bool) -> bool:
        """Whether a drawing of the data would differ from the last one; remembers what is drawn then."""
        from sda_tui.chart.draw import CurvesData, identify

        shown: Hashable = data
        if isinstance(data, CurvesData):
            shown, step = identify(data, every_step=is_ended), data.last_step
            grain = self.view.window(step).span / (2 * max(1, self.content_size.width))  # a column of dots
            has_grown = abs(step - self._drawn_step) >= (1.0 if is_ended else grain)
        else:
            shown, step, has_grown = data, 0.0, False
        is_new = has_grown or shown != self._shown
        if is_new:
            self._shown, self._drawn_step = shown, step
        return is_new

    def _redraw(self) -> None:
        """Draw now, and have the terminal draw the cells that changed."""
        before, size = self._picture, self.content_size
        self._strips = None
        if (
            before is None
            or not self.is_attached
            or before.width != size.width
            or len(before.rows) != size.height
        ):
            self.refresh()
            return
        self._draw()
        if self._picture is None:
            self.refresh()
            return
        from sda_tui.chart.strips import changed_regions

        offset = self.content_region.offset - self.region.offset
        regions = changed_regions(before, self._picture)
        if regions:
            self.refresh(*(region.translate(offset) for region in regions))

    def _draw(self) -> None:
        from sda_tui.chart.bars import BarsData, draw_bars
        from sda_tui.chart.draw import draw_curves
        from sda_tui.chart.strips import palette, to_strips

        width, height = self.content_size
        self.draw_count += 1
        data = self._data
        if data is None:
            self._picture = None
        elif isinstance(data, BarsData):
            self._picture = draw_bars(data, width, height)
        else:
            self._picture = draw_curves(data, self.view, width, height)
        if not self._styles:
            _, background = self.background_colors
            self._styles = palette(self.panel, self.app.theme_variables, background, self.is_selected)
        self._strips = to_strips(self._picture or self._empty_picture(width, height), self._styles)

    def _empty_picture(self, width: int, height: int) -> "Picture":
        """The title, and in the middle why there is nothing."""
        from sda_tui.chart.picture import PLAIN, TITLE, Picture, fit_spans, pad

        is_part = self.view.span is not None and self._data is not None
        lines = wrap(NOTHING_HERE if is_part else self.why_empty, max(1, width - 2))[: max(0, height - 1)]
        rows = [pad(fit_spans([[(self.panel.title, TITLE)]], width), width)]
        rows += [pad([], width)] * ((height - 1 - len(lines)) // 2)
        rows += [pad([(line.center(width)[:width], PLAIN)], width) for line in lines]
        rows += [pad([], width)] * (height - len(rows))
        return Picture(width, tuple(rows[:height]))

    def render_line(self, y: int) -> Strip:
        width, height = self.content_size
        if width < 1 or y >= height:
            return Strip.blank(max(0, width), self.rich_style)
        if self._strips is None or len(self._strips) != height or self._strips[0].cell_length != width:
            self._draw()
        assert self._strips is not None
        return self._strips[y]

    # -- what the user does -------------------------------------------------------------------------------

    def pan(self, fraction: float) -> None:
        """Move the window by a part of it, to the right if that is positive."""
        self._change(self.view.panned(fraction, self.last_step))

    def _change(self, view: ChartView) -> None:
        if view != self.view:
            self.view = view
            self.post_message(self.ViewChanged(self, view))

    # -- the mouse ----------------------------------------------------------------------------------------

    @property
    def plot_columns(self) -> int:
        """Columns of the drawn curves; 0 if there are none."""
        picture = self._picture
        return picture.width - picture.plot_left if picture is not None and picture.canvas else 0

    def _step_at(self, event: events.MouseEvent) -> float | None:
        """The step under the pointer; None beside the plot, or where there is no plot by step."""
        from sda_tui.chart.draw import CurvesData
        from sda_tui.chart.sampling import XScale

        picture, data, offset = self._picture, self._data, event.get_content_offset(self)
        if picture is None or picture.canvas is None or offset is None or not isinstance(data, CurvesData):
            return None
        columns = self.plot_columns
        column = offset.x - picture.plot_left
        if not 0 <= column < columns:
            return None
        x_scale = XScale(self.view.window(data.last_step), 2 * columns, self.view.x_axis, data.clock)
        return x_scale.step_at((column + 0.5) / columns)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        self._turn_wheel(event, 1)

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        self._turn_wheel(event, -1)

    def on_mouse_scroll_left(self, event: events.MouseScrollLeft) -> None:
        self._stop(event)
        self.pan(-WHEEL_FRACTION)

    def on_mouse_scroll_right(self, event: events.MouseScrollRight) -> None:
        self._stop(event)
        self.pan(WHEEL_FRACTION)

    def _turn_wheel(self, event: events.MouseEvent, direction: int) -> None:
        """Zoom around the pointer; with shift move, to the left when turned up."""
        self._stop(event)
        if event.shift:
            self.pan(-direction * WHEEL_FRACTION)
        elif (step := self._step_at(event)) is not None:
            self._change(self.view.zoomed(WHEEL_FACTOR**direction, self.last_step, step))

    def on_mouse_down(self, event: events.MouseDown) -> None:
        if event.button == 1:
            self._dragged_from, self._is_dragged = (event.screen_x, self.view), False
            self.capture_mouse()

    def on_mouse_move(self, event: events.MouseMove) -> None:
        if self._dragged_from is None:
            if not self.view.is_cursor_kept:
                self._change(replace(self.view, cursor=self._step_at(event)))
            return
        started_x, view = self._dragged_from
        if event.screen_x != started_x or self._is_dragged:
            self._is_dragged = True
            moved = (started_x - event.screen_x) / max(1, self.plot_columns)
            self._change(view.panned(moved, self.last_step))

    def on_mouse_up(self, event: events.MouseUp) -> None:
        """Where it was not dragged: keep the crosshair here, or let it go."""
        self.release_mouse()
        was_click = self._dragged_from is not None and not self._is_dragged
        self._dragged_from = None
        if was_click and (step := self._step_at(event)) is not None:
            is_kept = not self.view.is_cursor_kept
            self._change(replace(self.view, cursor=step, is_cursor_kept=is_kept))

    def on_leave(self, event: events.Leave) -> None:
        if not self.view.is_cursor_kept and self._dragged_from is None:
            self._change(self.view.without_cursor())

    def _stop(self, event: events.MouseEvent) -> None:
        """Keep the event from what would scroll."""
        event.stop()
        event.prevent_default()
