"""The previews of a run: which there are, what one looks like, and playing them."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from textual import on
from textual.app import ComposeResult
from textual.containers import Container, Vertical
from textual.events import Click, Key

from core.errors import RunError
from core.events import PreviewKind, PreviewReady
from core.runs import RunDirectory, read_stars, star_preview
from core.text import printable
from sda_tui.background import read_beside
from sda_tui.evolution import Evolution
from sda_tui.keymap import key_of
from sda_tui.listening import Listening
from sda_tui.playback import Playing
from sda_tui.preview_catalogue import PreviewFilter
from sda_tui.preview_layout import plan_layout
from sda_tui.session import Session
from sda_tui.training_sound import TrainingSound
from sda_tui.until_left import UntilLeft
from sda_tui.widgets.epoch_input import EpochInput
from sda_tui.widgets.line import Line
from sda_tui.widgets.preview_details import PreviewDetails
from sda_tui.widgets.preview_list import PreviewList

PLAYBACK_INTERVAL_S = 0.1
DURING_EVOLUTION = {"evolve", "star"}  # actions whose keys do not end an evolution


class PreviewPanel(UntilLeft, Vertical):
    """The list of previews, the spectrogram and outline of the chosen one, and how it is played.

    Plays files of the run's directory, and the training sounds that its samples are drawn around.  Bound to
    no keys: the screen has them, so that they work wherever the focus is.
    """

    BORDER_TITLE = "Previews"

    def __init__(
        self, run: RunDirectory, listening: Listening, session: Session, id: str | None = None
    ) -> None:
        super().__init__(id=id)
        self._run = run
        self._listening = listening
        self._why_none = ""
        self._evolution: Evolution | None = None
        self._training_sound = TrainingSound(self, session, run)

    def compose(self) -> ComposeResult:
        with Container(id="preview-body"):
            yield PreviewList(id="preview-list")
            yield PreviewDetails(self._run, id="preview-details")
        yield Line(id="preview-filter")
        yield EpochInput(id="preview-epoch")
        yield Line(id="playback")
        yield Line(id="way")

    async def on_click(self, event: Click) -> None:
        """What plays leads to how to listen elsewhere."""
        if event.widget is not None and event.widget.id == "way":
            await self.app.run_action("listen")

    def on_mount(self) -> None:
        self._playback_timer = self.set_interval(PLAYBACK_INTERVAL_S, self._show_playback, pause=True)
        self.call_after_refresh(self._listening.prepare)
        self.show_way()
        read_beside(self, partial(read_stars, self._run), self._show_stars, self._warn)

    def on_resize(self) -> None:
        plan = plan_layout(self.content_size.width, self.content_size.height)
        details = self._details
        details.share_rows(plan)
        body = self.query_one("#preview-body")
        body.set_class(plan.details_width > 0, "-beside")
        details.styles.width = plan.details_width or "100%"
        details.styles.height = "100%" if plan.details_width else "auto"
        self.query_one("#playback").set_class(not plan.playback, "-no-room")
        self.query_one("#way").set_class(not plan.way, "-no-room")

    def show(self, previews: Sequence[PreviewReady], why_none: str, best_epoch: int = 0) -> None:
        """Make these the list, in the order in which they were made; `why_none` is shown if it is empty."""
        self._list.best_epoch = best_epoch
        self._list.show(previews)
        self._show_filter()
        if why_none != self._why_none:
            self._why_none = why_none
            self._show_playback()

    def show_way(self) -> None:
        """Show the way that sounds take; it changed."""
        self.query_one("#way", Line).show(f"♪ {self._listening.describe()}")

    def focus_list(self) -> None:
        self._list.focus()

    # -- choosing ---------------------------------------------------------------------------------------

    @property
    def chosen_path(self) -> Path | None:
        """The file of the chosen preview.  None if there is none, or it is not in the run's directory."""
        chosen = self._list.chosen
        if chosen is None:
            return None
        try:
            return self._run.find_preview(chosen.path)
        except RunError as error:  # the log of a run from elsewhere, or the file is gone
            self._warn(str(error))
            return None

    @property
    def has_drawn(self) -> bool:
        """Whether the chosen preview's spectrogram is drawn."""
        return self._details.has_drawn

    def move(self, by: int) -> None:
        """Choose the next preview, or with -1 the one before."""
        self.end_evolution()
        if by > 0:
            self._list.action_cursor_down()
        else:
            self._list.action_cursor_up()

    def reverse_order(self) -> None:
        self._list.newest_first = not self._list.newest_first

    def next_filter(self) -> None:
        """List all previews, those of the clip, the new sounds, or the starred ones, in turn."""
        self.end_evolution()
        self._list.shown = self._list.shown.following
        self._show_filter()

    def ask_epoch(self) -> None:
        """Ask which epoch to go to."""
        self.end_evolution()
        self.query_one(EpochInput).ask()

    def go_to_best(self) -> None:
        """Go to the previews of the best epoch."""
        best = self._list.best_epoch
        if not best:
            self.notify("There is no best epoch yet: the first validation names it.")
            return
        nearest = self._list.nearest(best)
        if nearest is None or nearest.epoch != best:
            hidden = any(each.epoch == best for each in self._list.catalogue.previews)
            others = key_of("dashboard.filter")
            why = f"{others} shows them" if hidden else "they are rendered when the run ends"
            self.notify(f"Epoch {best} is the best so far; its previews are not in the list: {why}.")
        else:
            self._go_to(nearest)

    @on(EpochInput.Answered)
    def _go_to_epoch(self, message: EpochInput.Answered) -> None:
        message.stop()
        self.focus_list()
        epoch = message.epoch
        nearest = self._list.nearest(epoch) if epoch is not None else None
        if nearest is not None:
            self._go_to(nearest)
            if nearest.epoch != epoch:
                self.notify(f"Epoch {epoch} has no previews here; epoch {nearest.epoch} is the nearest.")

    def _go_to(self, preview: PreviewReady) -> None:
        self.end_evolution()
        self._list.choose(preview)

    # -- stars ------------------------------------------------------------------------------------------

    @on(PreviewList.StarClicked)
    def star(self) -> None:
        """Star the chosen preview, or take its star away; an evolution continues."""
        chosen = self._list.chosen
        if chosen is None:
            return
        is_starred = chosen.path not in self._list.stars
        keep = partial(star_preview, self._run, chosen.path, is_starred)
        read_beside(self, keep, self._show_stars, self._warn)

    def _show_stars(self, stars: frozenset[str]) -> None:
        self._list.stars = stars
        self._show_filter()

    def _show_filter(self) -> None:
        shown, (listed, total) = self._list.shown, self._list.counts
        is_filtered = shown is not PreviewFilter.ALL
        self.query_one("#preview-filter", Line).show(
            f"{listed} of {total} · {shown.value}" if is_filtered else ""
        )

    # -- playing ----------------------------------------------------------------------------------------

    @on(PreviewList.Opened)
    @on(PreviewDetails.PlayWanted)
    def play(self) -> None:
        """Play the chosen preview."""
        self.end_evolution()
        self._play()

    def stop(self) -> None:
        self._evolution = None
        self._training_sound.forget()
        self._listening.stop()
        self._show_playback()

    def compare(self) -> None:
        """Play the original after the reconstruction, or after any other preview what to judge it by.

        For a sample that is the training sound that it is drawn around.  While a sound plays, the other one
        continues where it is.
        """
        self.end_evolution(stops=False)
        chosen, playing = self._list.chosen, self._listening.playing
        if chosen is None:
            return
        is_switch = playing is not None
        counterpart = self._list.counterpart()
        if chosen.kind == PreviewKind.SAMPLE:
            if self._training_sound.take_turn(chosen):
                self._play(is_switch)
            else:
                self._training_sound.prepare(chosen, self._play_training_sound)
        elif counterpart is None:
            self.notify("There is nothing to compare it with yet.")
        elif not self._list.choose(counterpart):  # the filter hides it: the cursor stays
            self._play_beside(counterpart, chosen, playing)
        else:
            self._play(is_switch)

    def play_earlier(self) -> None:
        """Play the same preview of the epoch before."""
        self.end_evolution(stops=False)
        earlier = self._list.earlier()
        if earlier is not None:
            self._list.choose(earlier)
            self._play()
        elif self._list.row_count:
            self.notify("There is no earlier one: this is the oldest.")

    def evolve(self) -> None:
        """Play the chosen preview of all epochs, one after the other; while that plays, stop it."""
        if self._evolution is not None:
            self.end_evolution()
            return
        all_epochs = self._list.through_epochs()
        if all_epochs:
            self._evolution = Evolution(all_epochs)
            self._list.choose(self._evolution.current)
            self._play()

    def end_evolution(self, stops: bool = True) -> None:
        """Let no further epoch follow, and stop what plays."""
        if self._evolution is not None:
            self._evolution = None
            if stops:
                self._listening.stop()
            self._show_playback()

    def on_key(self, event: Key) -> None:
        """Any key ends an evolution, and does what it does besides."""
        if self._evolution is not None:
            active = self.screen.active_bindings.get(event.key)
            if active is None or active.binding.action not in DURING_EVOLUTION:
                self.end_evolution()

    @property
    def _list(self) -> PreviewList:
        return self.query_one(PreviewList)

    @property
    def _details(self) -> PreviewDetails:
        return self.query_one(PreviewDetails)

    def _play(self, is_switch: bool = False) -> None:
        path = self.chosen_path
        if path is not None:
            self._training_sound.forget()
            self._listening.play(path, is_switch)
            self._playback_timer.resume()
            self._show_playback()

    def _play_beside(self, counterpart: PreviewReady, chosen: PreviewReady, playing: Playing | None) -> None:
        """Play a preview that the list does not show, or the chosen one if that one plays."""
        path = self._run.path / counterpart.path
        if playing is not None and playing.path == path:
            self._play(is_switch=True)
            return
        try:
            self._listening.play(self._run.find_preview(counterpart.path), playing is not None)
        except RunError as error:
            self._warn(str(error))
        self._playback_timer.resume()
        self._show_playback()

    def _play_training_sound(self, path: Path, label: str) -> None:
        self._listening.play_file(path, label, self._listening.playing is not None)
        self._playback_timer.resume()
        self._show_playback()

    def _warn(self, message: str) -> None:
        self.notify(message, severity="warning")

    # -- what is drawn ----------------------------------------------------------------------------------

    @on(PreviewList.Chosen)
    def _show_chosen(self, message: PreviewList.Chosen) -> None:
        message.stop()
        preview = message.preview
        if self._evolution is not None and preview != self._evolution.current:
            self.end_evolution()
        self._training_sound.keep_for(preview)
        self._details.show(preview, self._list.original_of_chosen)
        self._show_playback()
        if preview is not None:
            self._listening.page.choose(self._run.path / preview.path)

    def _show_playback(self) -> None:
        """Mark what plays and how far it has come; the timer runs as long as something does."""
        playing, chosen = self._listening.playing, self._list.chosen
        if playing is None and self._evolution is not None and self._evolve_further():
            return
        if playing is None:
            self._playback_timer.pause()
        is_ours = playing is not None and playing.path.is_relative_to(self._run.path)
        path = playing.path.relative_to(self._run.path).as_posix() if playing and is_ours else None
        self._list.playing = path
        is_chosen = playing is not None and chosen is not None and path == chosen.path and playing.duration_s
        self._details.show_position(
            playing.position_s / playing.duration_s if playing and is_chosen else None
        )
        self.query_one("#playback", Line).show(self._describe_playback(playing, chosen, is_ours))

    def _describe_playback(self, playing: Playing | None, chosen: PreviewReady | None, is_ours: bool) -> str:
        around = self._training_sound.name if playing is not None and not is_ours else ""
        if playing is not None and (is_ours or around):
            times = f"▶ {playing.position_s:.1f} / {playing.duration_s:.1f} s"
            if self._evolution is not None:
                return f"{times}  evolves, {self._evolution.number} of {self._evolution.count}  any key stops"
            back, stop = key_of("dashboard.compare"), key_of("dashboard.stop")
            return f"{times}  {around}  {back} back to the sample" if around else f"{times}  {stop} stops"
        if chosen is not None:
            return f"■ {chosen.duration_s:.1f} s  {printable(Path(chosen.path).name)}"
        return self._why_none

    def _evolve_further(self) -> bool:
        """Play the next epoch's, or end the evolution; whether there was a next one."""
        assert self._evolution is not None
        following = self._evolution.advance()
        if following is None or not self._list.choose(following):
            self._evolution = None
            return False
        self._play()
        return True
