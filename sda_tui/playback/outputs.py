"""Which of the players is used: the one that the user chose, else the first that works."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from core.text import printable
from sda_tui.playback.player import Player, Playing, Problem

logger = logging.getLogger(__name__)


class Outputs:
    """A player that passes all on to one of several, in their order of preference.

    When the active one turns out not to work, and the user has not chosen it, the next one takes its place
    and plays what was asked for.  `on_change` is called when the active one or what is known of one changes,
    `on_problem` with what the user must know.  Owned by one thread, on which `call` calls a function.
    """

    def __init__(
        self,
        players: Sequence[Player],
        call: Callable[[Callable[[], object]], object],
        on_change: Callable[[], object],
        on_problem: Callable[[Problem], object],
        chosen: str = "",
    ) -> None:
        self.players = players
        self.chosen = chosen
        self._call = call
        self._on_change = on_change
        self._on_problem = on_problem
        self._reasons: dict[str, str] = {}
        self._wanted: Path | None = None
        self._asked = ""  # the player that was asked to play it

    def prepare(self) -> None:
        """Find out, on another thread, which players can play here."""
        threading.Thread(target=self._probe, name="playback", daemon=True).start()

    @property
    def active(self) -> Player | None:
        """The player that the next sound goes to, if there is one."""
        for player in self.players:
            if player.name == self.chosen:
                return player
        return next((player for player in self.players if not self._reasons.get(player.name)), None)

    def reason_against(self, player: Player) -> str:
        """Why a player cannot play here, empty if it can or that is not known yet."""
        return self._reasons.get(player.name, "")

    def choose(self, name: str) -> None:
        """Use this player from now on; with an empty name the first that works."""
        self.stop()
        self.chosen = name
        self._reasons.clear()
        self._on_change()

    def play(self, path: Path, is_switch: bool = False) -> None:
        """Play through the active player; without one nothing happens."""
        self._wanted = path
        active = self.active
        for player in self.players:
            if player is not active:
                player.stop()
        if active is not None:
            self._asked = active.name
            active.play(path, is_switch)

    def stop(self) -> None:
        self._wanted = None
        for player in self.players:
            player.stop()

    @property
    def playing(self) -> Playing | None:
        return next((playing for player in self.players if (playing := player.playing) is not None), None)

    def fail(self, problem: Problem) -> None:
        """Take a problem of one of the players into account; called on the owner's thread."""
        if not problem.is_of_player:
            self._on_problem(problem)
            return
        self._reasons[problem.player] = problem.message
        self._on_change()
        if self._wanted is None or self._asked != problem.player:
            return
        if self.chosen == problem.player or self.active is None:
            self._on_problem(problem)
        else:
            self.play(self._wanted)

    def take(self, reasons: Mapping[str, str]) -> None:
        """What was found out of the players: why each cannot play, empty if it can."""
        self._reasons.update(reasons)
        self._on_change()

    def _probe(self) -> None:
        found = probe_all(self.players)
        self._call(lambda: self.take(found))


def probe_all(players: Sequence[Player]) -> dict[str, str]:
    """Why each of these cannot play here, empty if it can; may take a while."""
    reasons = {}
    for player in players:
        try:
            reasons[player.name] = player.probe()
        except Exception as error:  # it must not hide what is known of the others
            logger.exception("%s cannot be probed", player.name)
            reasons[player.name] = printable(f"it cannot be probed ({error})")
    return reasons
