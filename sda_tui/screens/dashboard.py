"""A run as it trains, or as it ended: read from its log, whichever process trains it."""

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.events import Click
from textual.reactive import reactive

from core.events import CheckpointSaved, RunState, StateChanged, WarningKind
from core.runs import HeldOutErrors, RunDirectory
from core.text import describe_best, printable
from sda_tui import format as fmt
from sda_tui.chart.view import ChartView
from sda_tui.configuration.fields import Charts
from sda_tui.judgement import judge
from sda_tui.keymap import key_of
from sda_tui.listening import Listening
from sda_tui.look import describe_hardest, describe_settings_change, describe_state
from sda_tui.remembered import recall, remember
from sda_tui.screens.choose_charts import ChooseChartsScreen
from sda_tui.screens.explain import ExplainScreen
from sda_tui.screens.run_screen import RunScreen
from sda_tui.session import Session
from sda_tui.widgets.compact_view import CompactView
from sda_tui.widgets.end_card import EndCard
from sda_tui.widgets.footer import KeyFooter
from sda_tui.widgets.line import Line
from sda_tui.widgets.metric_table import KeyFigures, MetricTable
from sda_tui.widgets.newest_losses import NewestLosses
from sda_tui.widgets.pane_tabs import PANES, Pane, PaneTabs
from sda_tui.widgets.preview_panel import PreviewPanel
from sda_tui.widgets.progress_line import ProgressLine
from sda_tui.widgets.quality_bar import QualityBar
from sda_tui.widgets.run_banner import RunBanner, messages_of
from sda_tui.widgets.run_charts import CHART_NAMES, RunCharts, why_empty
from sda_tui.widgets.run_messages import RunMessages
from sda_tui.widgets.run_metrics import all_figures, key_figures
from sda_tui.widgets.title_bar import TitleBar

if TYPE_CHECKING:
    from sda_tui.devices.monitor import DeviceMonitor
    from sda_tui.devices.watched import RunWatch

TALL = 34  # rows, as in the app's breakpoints
POLL_INTERVAL_S = 0.5
DRAW_INTERVAL_S = 1.0  # of what steps and epochs change; all else is drawn when it is read
READING = "◌ reading its log…"
CATCH_UP_INTERVAL_S = 0.02  # while a long log is read for the first time
CHARTS, SMOOTHING = "charts", "smoothing"  # what is remembered
SMALLEST = (60, 18)  # columns and rows; a smaller terminal gets lines of text alone


class DashboardScreen(RunScreen):
    """Polls a followed run on a timer and draws what changed; the training never waits for it."""

    AUTO_FOCUS = ""  # each pane has its own, also when another screen is left

    pane: reactive[Pane] = reactive(Pane.OVERVIEW, init=False)

    def __init__(
        self,
        session: Session,
        run: RunDirectory,
        listening: Listening,
        clock: Callable[[], float] = time.monotonic,
        charts: Charts = Charts(),  # noqa: B008  (it cannot change)
    ) -> None:
        super().__init__(session, run, listening, clock)
        self._wanted_charts = charts
        self.add_class(f"-{Pane.OVERVIEW}")
        self._clock = clock
        self._must_draw = False
        self._drawn_s = -math.inf
        self._device: DeviceMonitor | None = None
        self._run_watch: RunWatch | None = None

    def compose(self) -> ComposeResult:
        yield TitleBar(printable(self.run.name))
        yield ProgressLine(id="progress")
        yield KeyFigures(id="key-figures")
        yield Line(id="judgement")
        yield NewestLosses(id="newest-losses")
        yield RunBanner(id="banner")
        yield PaneTabs(id="panes")
        with Horizontal(id="dashboard"):
            with VerticalScroll(id="numbers", can_focus=False):
                yield EndCard(self.run, id="end")
                yield RunCharts(id="charts")
                yield QualityBar(id="quality")
                yield Line(id="best")
                yield Line(id="hardest")
                yield MetricTable(id="metrics")
            yield PreviewPanel(self.run, self._listening, self._session, id="previews")
            yield RunMessages(id="messages")
        yield CompactView(id="compact")
        yield KeyFooter()

    def on_mount(self) -> None:
        wanted = self._wanted_charts
        names = wanted.panels or recall(CHARTS, tuple(CHART_NAMES))
        self._charts.shown = tuple(name for name in names if name in CHART_NAMES) or tuple(CHART_NAMES)
        self._charts.view = ChartView(smoothing=recall(SMOOTHING, wanted.smoothing))
        if self.followed.problem:
            self.notify(self.followed.problem, severity="error")
        self.set_interval(POLL_INTERVAL_S, self.poll)
        self.call_after_refresh(self.poll)

    def on_unmount(self) -> None:
        if self._device is not None:
            self._device.close()

    def on_screen_resume(self) -> None:
        self.call_after_refresh(self._focus)

    def on_resize(self) -> None:
        width, height = self.size
        self.set_class(width < SMALLEST[0] or height < SMALLEST[1], "-compact")
        self._must_draw = True
        self.call_after_refresh(self._focus)
        self.call_after_refresh(self.poll)

    @property
    def has_drawn(self) -> bool:
        """Whether all that was read is on the screen."""
        return not self._must_draw and self._drawn_s > -math.inf and self.followed.has_caught_up

    @property
    def _charts(self) -> RunCharts:
        return self.query_one(RunCharts)

    @property
    def _previews(self) -> PreviewPanel:
        return self.query_one(PreviewPanel)

    # -- reading ----------------------------------------------------------------------------------------

    def poll(self) -> None:
        """Read what was appended to the log, and draw it unless another screen covers this one."""
        if self.followed.has_caught_up:
            self._read()
        is_due = self._clock() - self._drawn_s >= DRAW_INTERVAL_S - POLL_INTERVAL_S / 2
        if self.is_current and (self._must_draw or is_due):
            self._drawn_s, self._must_draw = self._clock(), False
            self._draw()

    def _read(self) -> None:
        """Read the log, a long one bit by bit, and report a checkpoint that was asked for here."""
        update = self.followed.poll()
        self._must_draw |= update.has_rare
        for event in update.live:
            if isinstance(event, CheckpointSaved) and event.reason == "manual":
                self.notify(f"Saved at step {event.step}: {event.path} (kept).")
            if isinstance(event, StateChanged) and not self._is_own:
                self._report_end(event)
        if not self.followed.has_caught_up:
            self.set_timer(CATCH_UP_INTERVAL_S, self._read)

    @property
    def _is_own(self) -> bool:
        """Whether this process trains the run, or did: then the session reports how it ended."""
        return self._session.run is not None and self._session.run.path == self.run.path

    def _report_end(self, change: StateChanged) -> None:
        """Report how a run of another process ended, unless the user stopped it here."""
        if (end := self._session.end_to_report(self.run, change)) is not None:
            self.notify(end.text)
            self.post_message(self.Ended(end))

    # -- drawing ----------------------------------------------------------------------------------------

    def _draw(self) -> None:
        followed, history, state = self.followed, self.history, self.state
        title, messages, judgement = self._title(), self._messages(), self._judgement()
        figures = key_figures(history, self._eta_s)
        if self.has_class("-compact"):
            self.query_one(CompactView).show_run(title, figures, judgement.plain, messages)
            return
        self.set_class(state.is_active, "-active")
        self.query_one(TitleBar).show_parts(*title)
        self.query_one(ProgressLine).show(*followed.progress)
        self.query_one(KeyFigures).metrics = figures
        self.query_one("#judgement", Line).show(judgement)
        why_none = why_empty("step", history.last_step, is_ended=not state.is_active)
        self.query_one(NewestLosses).show(history.newest_losses, why_none)
        self.query_one(RunBanner).show_run(state, messages, is_short=self.size.height < TALL)
        self.query_one(PaneTabs).unread = len(messages)
        if not followed.is_reading:
            self.query_one(EndCard).show_run(state, history, followed.manifest, followed.is_trained_here)
            self._watch_device()
            self._charts.show(history, state, self._device.reading if self._device else None)
        self.query_one(QualityBar).show(history)
        self.query_one("#best", Line).show(self._best())
        errors = HeldOutErrors.of(followed.manifest, history.last_epoch)
        self.query_one("#hardest", Line).show(describe_hardest(errors))
        self.query_one("#metrics", MetricTable).metrics = all_figures(history)
        self.query_one(RunMessages).show(messages, history.incidents)
        best = history.last_epoch.best_epoch if history.last_epoch else 0
        self._previews.show(history.previews, self._why_no_previews(), best)
        if not followed.is_reading:
            self._listening.show_run(self.run, state, best, history.previews)
        self.show_possible()

    def _messages(self) -> list[str]:
        """What needs attention: the log's warnings, and those that the engine reported to this process."""
        reported = dict(self._session.warnings) if self.followed.is_trained_here else {}
        if self.followed.problem:
            reported[WarningKind.LOG] = self.followed.problem
        return messages_of(self.state, self.history, reported)

    def _judgement(self) -> Text:
        if self.followed.is_reading:
            return Text(READING)
        found = judge(self.history, self.state)
        return Text(f"{found.glyph} {found.sentence}", style=self.app.theme_variables[found.tone])

    def _title(self) -> list[str]:
        history, state, manifest = self.history, self.state, self.followed.manifest
        if self.followed.is_reading:
            return [READING, printable(self.run.name)]
        is_elsewhere = state.is_active and not self.followed.is_trained_here
        # The name comes last, as a long one is cut off in a narrow terminal.
        parts = [describe_state(state) + " elsewhere" * is_elsewhere]
        if history.loading is not None and state is RunState.LOADING:
            parts.append(f"{history.loading.phase} {history.loading.done}/{history.loading.total}")
        elif history.total_epochs:
            parts.append(f"epoch {history.epoch}/{history.total_epochs}")
        if state is RunState.TRAINING:
            parts.append(f"ETA {fmt.duration(self._eta_s)}")
        parts.append(printable(self.run.name))
        if manifest is not None:
            parts.append(manifest.preset)
        return parts

    @property
    def _eta_s(self) -> float | None:
        """Seconds until the last step; None for a run that makes no steps now."""
        return self.history.eta_s if self.state is RunState.TRAINING else None

    def _why_no_previews(self) -> str:
        if self.followed.is_reading:
            return READING
        if not self.state.is_active:
            return "This run has none."
        return "The first are being rendered." if self.history.step else "They come before the first step."

    def _best(self) -> str:
        """Since when validation got no better, and how far to trust it."""
        last, manifest = self.history.last_epoch, self.followed.manifest
        best = describe_best(last.best_epoch, last.epoch) if last and self.state.is_active else ""
        if best and last and last.best_epoch < last.epoch:
            best += f" {key_of('dashboard.go-back')} goes back there."
        if change := self.history.settings_change:
            best += f" {describe_settings_change(change)}"
        note = manifest.split.confidence_note if manifest else ""
        return " ".join(filter(None, (best, note)))

    # -- panes ------------------------------------------------------------------------------------------

    def watch_pane(self, before: Pane, now: Pane) -> None:
        self.remove_class(f"-{before}").add_class(f"-{now}")
        self.query_one(PaneTabs).chosen = now
        self._must_draw = True
        self.call_after_refresh(self._focus)
        self.call_after_refresh(self.poll)

    def _focus(self) -> None:
        """Give the focus to what has keys of its own in this pane; the list loses it when it is hidden."""
        numbers = self.query_one("#numbers")
        numbers.can_focus = self.pane is Pane.FIGURES  # so that keys scroll them
        if self.pane is Pane.CHARTS:
            self._charts.focus()
        elif self.pane is Pane.FIGURES:
            numbers.focus()
        elif self.pane is Pane.MESSAGES:
            self.query_one(RunMessages).focus()
        elif self._previews.display and self._previews.size:
            self._previews.focus_list()
        else:
            self.set_focus(None)

    def action_pane(self, name: str) -> None:
        self.pane = Pane(name)

    def action_next_pane(self, by: int) -> None:
        self.pane = PANES[(PANES.index(self.pane) + by) % len(PANES)]

    @on(PaneTabs.Chosen)
    def _show_pane(self, message: PaneTabs.Chosen) -> None:
        self.pane = message.pane

    def action_explain(self) -> None:
        self._explain(self._charts.selected if self.pane is Pane.CHARTS else "")

    @on(MetricTable.Clicked)
    def _explain_clicked(self, message: MetricTable.Clicked) -> None:
        self._explain(message.metric.id)

    @on(Click, "#judgement, #quality")
    def _explain_quality(self) -> None:
        self._explain("quality")

    def _explain(self, figure: str) -> None:
        """Show what figures mean, this one first."""
        figures = [*key_figures(self.history, self._eta_s), *all_figures(self.history)]
        self.app.push_screen(ExplainScreen({each.id: each.value for each in reversed(figures)}, figure))

    # -- charts -----------------------------------------------------------------------------------------

    def action_smooth(self, by: int) -> None:
        self._charts.action_smooth(by)
        remember(SMOOTHING, self._charts.view.smoothing)

    def action_zoom(self, direction: int) -> None:
        self._charts.action_zoom(direction)

    @on(RunCharts.ChoosingWanted)
    def _choose_charts(self) -> None:
        def take(shown: tuple[str, ...] | None) -> None:
            if shown:
                self._charts.shown = shown
                remember(CHARTS, list(shown))

        self.app.push_screen(ChooseChartsScreen(self._charts.shown), take)

    def _watch_device(self) -> None:
        """Measure the device of the process that trains the run; from the first time that it does."""
        is_active = self.state.is_active
        if is_active and self._device is None:
            from sda_tui.devices.monitor import DeviceMonitor  # which loads psutil
            from sda_tui.devices.watched import RunWatch

            self._device = DeviceMonitor()
            self._device.start()
            self._run_watch = RunWatch(self.run, self._device.watch)
        if self._run_watch is not None:
            self._run_watch.update(self.history, is_active)

    # -- previews ---------------------------------------------------------------------------------------

    @property
    def _reached_previews(self) -> PreviewPanel:
        """The previews, brought onto the screen if another pane covers them."""
        if not self._previews.display or not self._previews.size:
            self.pane = Pane.PREVIEWS
        return self._previews

    def action_cursor_up(self) -> None:
        self._reached_previews.move(-1)

    def action_cursor_down(self) -> None:
        self._reached_previews.move(1)

    def action_play(self) -> None:
        self._reached_previews.play()

    def action_stop(self) -> None:
        self._previews.stop()

    def action_compare(self) -> None:
        self._reached_previews.compare()

    def action_earlier(self) -> None:
        self._reached_previews.play_earlier()

    def action_order(self) -> None:
        self._reached_previews.reverse_order()

    def action_evolve(self) -> None:
        self._reached_previews.evolve()

    def action_star(self) -> None:
        self._reached_previews.star()

    def action_filter(self) -> None:
        self._reached_previews.next_filter()

    def action_epoch(self) -> None:
        self._reached_previews.ask_epoch()

    def action_best(self) -> None:
        self._reached_previews.go_to_best()

    def show_way(self) -> None:
        """Show the way that sounds take; it changed."""
        self._previews.show_way()

    def action_copy(self) -> None:
        """Copy the command that brings the chosen preview to the user's own machine."""
        path = self._previews.chosen_path
        if path is not None:
            line = self._listening.copy_line(path.absolute())
            self.app.copy_to_clipboard(line)
            self.notify(f"To be pasted on your own computer: {line}", title="Copied", timeout=20)
