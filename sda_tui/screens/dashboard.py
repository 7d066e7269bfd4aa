"""A run as it goes on, or as it ended: read from its log, whoever trains it."""

import math
import time
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.containers import Grid, Horizontal, Vertical
from textual.screen import Screen
from textual.widgets import Footer, Sparkline

from core.errors import RunError
from core.events import (
    CheckpointSaved,
    EpochFinished,
    PreviewReady,
    RunEvent,
    RunState,
    StepFinished,
    WarningKind,
)
from core.runs import EventFollower, Request, RunDirectory, RunHistory, RunManifest
from core.text import describe_best, printable
from sda_tui import format as fmt
from sda_tui.advice import explain
from sda_tui.keymap import KEYMAP
from sda_tui.look import describe_state
from sda_tui.playback import Player
from sda_tui.screens.choice import Choice, ChoiceScreen
from sda_tui.session import Session
from sda_tui.widgets.charts import LossChart, StepChart
from sda_tui.widgets.line import Line
from sda_tui.widgets.metric_table import Metric, MetricTable
from sda_tui.widgets.preview_list import PreviewList
from sda_tui.widgets.quality_bar import QualityBar
from sda_tui.widgets.steady_bar import SteadyBar
from sda_tui.widgets.title_bar import TitleBar
from sda_tui.widgets.waveform import Waveform

POLL_INTERVAL_S = 0.5
DRAW_INTERVAL_S = 1.0  # of what steps and epochs change; all else is drawn when it is read
BAR_PARTS = 200  # so that the bar is drawn only when it looks otherwise
PLAYBACK_INTERVAL_S = 0.1
CATCH_UP_INTERVAL_S = 0.02  # while a long log is read for the first time
NO_PREVIEWS = "The first come before the first step."


class DashboardScreen(Screen[None]):
    """Reads the log on a timer and draws what changed; the training never waits for it."""

    SCOPE = "dashboard"
    BINDINGS = KEYMAP[SCOPE].bindings()

    def __init__(self, session: Session, run: RunDirectory, player: Player) -> None:
        super().__init__()
        self.run = run
        self.history = RunHistory()
        self._session = session
        self._player = player
        self._follower = EventFollower(run.events)
        self._generation = 0
        self._is_live = False  # what is read from now on happens now
        self._has_news = False  # other than steps
        self._drawn_s = -math.inf
        self._manifest: RunManifest | None = None

    def compose(self) -> ComposeResult:
        yield TitleBar(printable(self.run.name))
        yield SteadyBar(id="progress", show_eta=False)
        yield Line(id="banner")
        with Horizontal(id="dashboard"):
            with Vertical(id="numbers"):
                with Grid(id="charts"):
                    yield LossChart(id="loss-chart")
                    yield StepChart("Reconstruction loss", id="reconstruction-chart")
                    yield StepChart("KL loss", id="kl-chart")
                    yield StepChart("Learning rate", id="rate-chart")
                yield Sparkline(id="newest-losses")
                yield QualityBar(id="quality")
                yield Line(id="best")
                yield MetricTable(id="metrics")
            with Vertical(id="previews"):
                yield PreviewList(id="preview-list")
                yield Waveform(id="waveform")
                yield Line(NO_PREVIEWS, id="playback")
        yield Footer()

    def on_mount(self) -> None:
        self.query_one("#previews").border_title = "Previews"
        self.query_one("#newest-losses").border_title = "Training loss, newest steps"
        self.query_one(PreviewList).focus()
        try:
            self._manifest = self.run.read_manifest()
        except RunError as error:
            self.notify(explain(error), severity="error")
        self.set_interval(POLL_INTERVAL_S, self.poll)
        self._playback_timer = self.set_interval(PLAYBACK_INTERVAL_S, self._show_playback, pause=True)
        self.call_after_refresh(self.poll)
        self.call_after_refresh(self._player.prepare)

    def on_unmount(self) -> None:
        self._follower.close()

    # -- reading ----------------------------------------------------------------------------------------

    def poll(self) -> None:
        """Read what was added to the log, and draw it unless something lies over the screen."""
        if self._follower.has_caught_up:
            self._read()
        is_old = time.monotonic() - self._drawn_s >= DRAW_INTERVAL_S - POLL_INTERVAL_S / 2
        if self.is_current and (self._has_news or is_old):
            self._drawn_s, self._has_news = time.monotonic(), False
            self._draw()

    def _read(self) -> None:
        """Read what was added to the log, a long one bit by bit."""
        events = list(self._follower.poll())
        if self._follower.generation != self._generation:  # a resume cut the log back: read it anew
            self._generation = self._follower.generation
            self.history = RunHistory()
        for event, time_s in events:
            self.history.apply(event, time_s)
            self._has_news |= not isinstance(event, StepFinished | EpochFinished)
        if self._is_live:
            self._tell_saved([event for event, _ in events])
        self._is_live = self._is_live or self._follower.has_caught_up
        if not self._follower.has_caught_up:
            self.set_timer(CATCH_UP_INTERVAL_S, self._read)

    @property
    def is_trained_here(self) -> bool:
        return self._session.trains(self.run)

    @property
    def state(self) -> RunState:
        """What the log says, unless no process is there to make it true."""
        said = self.history.state
        if said.is_active and not self.is_trained_here and self.run.lock.holder() is None:
            return RunState.INTERRUPTED
        return said

    # -- drawing ----------------------------------------------------------------------------------------

    def _draw(self) -> None:
        history = self.history
        self._draw_title()
        self._draw_banner()
        progress = self.query_one("#progress", SteadyBar)
        if history.loading is not None:
            done, total = history.loading.done, history.loading.total
        else:
            done, total = history.step, history.total_steps
        progress.update(total=BAR_PARTS if total else None, progress=BAR_PARTS * done // max(1, total))
        self.query_one(MetricTable).metrics = self._metrics()
        self.query_one(Sparkline).data = list(history.newest_losses)
        last = history.last_epoch
        bar = self.query_one(QualityBar)
        bar.quality = last.quality if last else None
        bar.is_overfitting = bool(history.warning(WarningKind.OVERFITTING))
        self._draw_best()
        self._draw_charts()
        self.query_one(PreviewList).show(history.previews)

    def _draw_title(self) -> None:
        history, manifest = self.history, self._manifest
        state = self.state
        parts = [printable(self.run.name), describe_state(state)]
        if history.loading is not None and state is RunState.LOADING:
            parts.append(f"{history.loading.phase} {history.loading.done}/{history.loading.total}")
        elif history.total_epochs:
            parts.append(f"epoch {history.epoch}/{history.total_epochs}")
        if state is RunState.TRAINING:
            parts.append(f"ETA {fmt.duration(history.eta_s)}")
        if manifest is not None:
            parts.append(manifest.preset)
        self.query_one(TitleBar).tell(*parts)

    def _draw_banner(self) -> None:
        """What stays true: why the run ended badly, and every warning that was not taken back."""
        history, state = self.history, self.state
        warnings = {kind: warning.message for kind, warning in history.warnings.items()}
        if self.is_trained_here:
            warnings |= self._session.warnings
        advice = {  # last: there may be no room
            kind: warnings.pop(kind) for kind in WarningKind if kind.is_advice and kind in warnings
        }
        warnings |= advice
        lines = [f"! {message}" for message in warnings.values() if message]
        if state is RunState.FAILED:
            lines.insert(0, f"✗ {history.message}")
        elif state is RunState.INTERRUPTED:
            lines.insert(
                0,
                f"! Its process is gone; `sda-tui resume {self.run.name}` goes on from the last checkpoint.",
            )
        banner = self.query_one("#banner", Line)
        banner.show("\n".join(lines))
        banner.set_class(state is RunState.FAILED, "-error")

    def _draw_best(self) -> None:
        """Since when validation got no better, and how far to trust it."""
        last = self.history.last_epoch
        note = self._manifest.split.confidence_note if self._manifest else ""
        best = describe_best(last.best_epoch, last.epoch) if last else ""
        self.query_one("#best", Line).show(" ".join(filter(None, (best, note))))

    def _draw_charts(self) -> None:
        history = self.history
        last, best = history.last_epoch, None
        if last is not None and last.best_validation_loss is not None:
            best = (float(last.best_epoch), last.best_validation_loss)
        self.query_one(LossChart).show(history.training_losses, history.validation_losses, best)
        for name, series in (
            ("reconstruction", history.step_metrics.get("reconstruction_loss")),
            ("kl", history.step_metrics.get("kl_loss")),
            ("rate", history.learning_rates),
        ):
            if series is not None:
                self.query_one(f"#{name}-chart", StepChart).show(series)

    def _metrics(self) -> list[Metric]:
        history = self.history
        step, epoch, saved = history.last_step, history.last_epoch, history.checkpoint
        best = epoch.best_validation_loss if epoch else None
        parts = step.metrics if step else {}
        measured = epoch.metrics if epoch else {}
        counts = [measured.get(f"{prefix}latent_dimensions") for prefix in ("active_", "")]
        latents = "–" if None in counts else "{}/{}".format(*counts)
        return [
            ("Epoch", f"{history.epoch}/{history.total_epochs}"),
            ("Step", f"{history.step}/{history.total_steps}"),
            ("Loss", fmt.number(step.train_loss if step else None)),
            ("Recon.", fmt.number(parts.get("reconstruction_loss"))),
            ("KL", fmt.number(parts.get("kl_loss"))),
            ("KL weight", fmt.number(parts.get("kl_weight"), 3)),
            ("Rate", fmt.number(step.learning_rate if step else None, 6)),
            ("Validation", fmt.number(epoch.validation_loss if epoch else None)),
            ("Best", f"{fmt.number(best)} @{epoch.best_epoch}" if epoch else "–"),
            ("KL nats", fmt.number(measured.get("kl_divergence"), 1)),
            ("Latents", latents),
            ("Detail", fmt.share(measured.get("validation_detail"))),
            ("Steps/s", fmt.number(history.steps_per_s, 1)),
            ("Elapsed", fmt.duration(history.elapsed_s)),
            ("ETA", fmt.duration(history.eta_s)),
            ("Memory", fmt.size(epoch.memory_used_bytes) if epoch else "–"),
            ("  peak", fmt.size(epoch.memory_peak_bytes) if epoch else "–"),
            ("  of", fmt.size(epoch.memory_total_bytes) if epoch else "–"),
            ("Saved", f"{saved.step} {saved.reason}" if saved else "–"),
        ]

    def _tell_saved(self, events: list[RunEvent]) -> None:
        for event in events:
            if isinstance(event, CheckpointSaved) and event.reason == "manual":
                self.notify(f"Saved at step {event.step}: {event.path} (kept).")

    # -- playing ----------------------------------------------------------------------------------------

    @on(PreviewList.Chosen)
    def show_chosen(self, message: PreviewList.Chosen) -> None:
        preview = message.preview
        self.query_one(Waveform).envelope = preview.envelope if preview else ()
        self._show_playback()

    def _show_playback(self) -> None:
        """Mark what is heard and how far it is."""
        playing, chosen = self._player.playing, self.query_one(PreviewList).chosen
        previews = self.query_one(PreviewList)
        is_ours = playing is not None and playing.path.is_relative_to(self.run.path)
        previews.playing = playing.path.relative_to(self.run.path).as_posix() if playing and is_ours else None
        waveform = self.query_one(Waveform)
        hears_chosen = chosen is not None and previews.playing == chosen.path
        if playing is not None and hears_chosen and playing.duration_s:
            waveform.position = playing.position_s / playing.duration_s
        else:
            waveform.position = None
        status = self.query_one("#playback", Line)
        if playing is None:
            self._playback_timer.pause()
        if playing is not None and is_ours:
            status.show(f"▶ {playing.position_s:.1f} / {playing.duration_s:.1f} s  ← stops")
        elif chosen is not None:
            status.show(f"■ {chosen.duration_s:.1f} s  {printable(Path(chosen.path).name)}")

    def action_cursor_up(self) -> None:
        self.query_one(PreviewList).action_cursor_up()

    def action_cursor_down(self) -> None:
        self.query_one(PreviewList).action_cursor_down()

    @on(PreviewList.OptionSelected)
    def action_play(self) -> None:
        chosen = self.query_one(PreviewList).chosen
        if chosen is None:
            return
        path = self.run.path / chosen.path
        if not path.resolve().is_relative_to(self.run.path.resolve()):  # the log of a run from elsewhere
            self.notify(
                f"{printable(chosen.path)} is not in the run's directory, and is not played.",
                severity="warning",
            )
            return
        self._player.play(path)
        self._playback_timer.resume()
        self._show_playback()

    def action_compare(self) -> None:
        """Go from the original to the reconstruction, or from anything else to what it is to be judged by."""
        self._go_to(self.query_one(PreviewList).counterpart(), "There is nothing to compare it with yet.")

    def action_earlier(self) -> None:
        self._go_to(self.query_one(PreviewList).earlier(), "There is no earlier one: this is the oldest.")

    def _go_to(self, preview: PreviewReady | None, refusal: str) -> None:
        """Choose and play a preview, or say why there is none."""
        if preview is None:
            if self.history.previews:
                self.notify(refusal)
            return
        self.query_one(PreviewList).choose(preview)
        self.action_play()

    def action_stop(self) -> None:
        self._player.stop()
        self._show_playback()

    def action_order(self) -> None:
        previews = self.query_one(PreviewList)
        previews.newest_first = not previews.newest_first

    # -- asking the engine ------------------------------------------------------------------------------

    def action_save(self) -> None:
        self._ask("save")  # the toast comes when the log tells of it

    def action_cancel(self) -> None:
        if not self.state.is_active:
            self.notify("This run is not being trained. Runs (r on the first screen) can continue it.")
            return
        stop = Choice("stop", "Stop and save", "y", "warning")
        stay = Choice("stay", "Go on", "n")
        question = ChoiceScreen(
            "Stop training?",
            f"The state at step {self.history.step} is saved; `sda-tui resume {self.run.name}` or Runs "
            "goes on from there.",
            (stop, stay),
        )
        self.app.push_screen(question, lambda answer: self._ask("cancel") if answer == "stop" else None)

    def _ask(self, request: Request) -> None:
        try:
            self._session.ask(self.run, request)
        except RunError as error:
            self.notify(explain(error), severity="warning")

    def action_back(self) -> None:
        self._player.stop()
        self.app.pop_screen()
