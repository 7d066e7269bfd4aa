"""How sounds reach the user: the players of this machine, or the page on the user's own."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from core.events import PreviewReady, RunState
from core.runs import RunDirectory
from sda_tui.keymap import key_of
from sda_tui.listen.player import PagePlayer
from sda_tui.listen.remembered import Remembered
from sda_tui.listen.tunnel import copy_line, guess_login
from sda_tui.multiplexer import is_remote
from sda_tui.playback import PROGRAMS, Outputs, Player, Playing, PortAudioPlayer, Problem, ProgramPlayer

AUTOMATIC = ""  # the name of no player: the first that works


class Listening:
    """Plays sounds by the best way there is.  Owned by the app's thread.

    `call` has that thread call a function.  `on_change` is called when the way, or what is known of one,
    changes; `on_problem` with what the user must know; `on_offer` when only the listener page could play, and
    none is open.
    """

    def __init__(
        self,
        port: int | None,
        call: Callable[[Callable[[], object]], object],
        on_change: Callable[[], object],
        on_problem: Callable[[Problem], object],
        on_offer: Callable[[], object],
    ) -> None:
        remembered = Remembered.load()

        def report(problem: Problem) -> None:
            call(lambda: self.outputs.fail(problem))

        self.card = PortAudioPlayer(report, remembered.device)
        self.page = PagePlayer(remembered, port, report, on_offer, on_change)
        programs = [ProgramPlayer(program, report) for program in PROGRAMS]
        players = order_players(self.card, self.page, programs, os.environ)
        self.outputs = Outputs(players, call, on_change, on_problem, remembered.player)
        self._is_prepared = False

    def prepare(self) -> None:
        """Find out what can play here, if that was not done yet."""
        if not self._is_prepared:
            self._is_prepared = True
            self.outputs.prepare()

    def play(self, path: Path, is_switch: bool = False) -> None:
        """Play a WAV file from its start, or on a switch from where the one that is playing is."""
        self.outputs.play(path, is_switch)

    def play_file(self, path: Path, label: str, is_switch: bool = False) -> None:
        """Play a WAV file that is not of a run, which the page shows under this label."""
        self.page.library.add_file(path, label)
        self.play(path, is_switch)

    def stop(self) -> None:
        self.outputs.stop()

    @property
    def playing(self) -> Playing | None:
        return self.outputs.playing

    def show_run(
        self, run: RunDirectory, state: RunState, best_epoch: int, previews: Sequence[PreviewReady]
    ) -> None:
        """What the page lists."""
        self.page.show(self.page.library.show_run(run, state, best_epoch, previews))

    def choose_player(self, name: str, device: str = "") -> None:
        """Use this player from now on, and remember it; AUTOMATIC is the first that works."""
        self.card.device = device
        self.page.remembered = self.page.remembered.change(player=name, device=device)
        self.outputs.choose(name)

    @property
    def login(self) -> str:
        """This machine as ssh on the user's knows it."""
        return self.page.remembered.login or guess_login()

    @login.setter
    def login(self, login: str) -> None:
        self.page.remembered = self.page.remembered.change(login=login)

    @property
    def can_play(self) -> bool:
        """Whether a sound would be heard now."""
        active = self.outputs.active
        return active is not None and (active is not self.page or self.page.ready_pages > 0)

    def copy_line(self, *paths: Path) -> str:
        """The command that copies files to the user's machine."""
        return copy_line(self.login, *paths)

    def describe(self) -> str:
        """The way that sounds take, in a few words."""
        active = self.outputs.active
        if active is None:
            return f"no way to play here: {self._offer()}"
        if active is not self.page:
            return self.card.device or active.name if active is self.card else active.name
        if not self.page.ready_pages:
            return "page is open: click in it" if self.page.pages else self._offer()
        more = f" ({self.page.ready_pages})" if self.page.ready_pages > 1 else ""
        return f"page on your computer{more}"

    def _offer(self) -> str:
        return f"{key_of('dashboard.listen')} plays on your computer"

    def close(self) -> None:
        """Stop what plays, and serve no page any more."""
        self.stop()
        self.page.close("The terminal was left.")


def order_players(
    card: Player, page: Player, programs: Sequence[Player], environment: Mapping[str, str]
) -> list[Player]:
    """By preference.  Over SSH a program plays where the user is only if sound is sent there."""
    is_elsewhere = is_remote(environment) and "PULSE_SERVER" not in environment
    return [card, page, *programs] if is_elsewhere else [card, *programs, page]
