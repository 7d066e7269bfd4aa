"""Which way sounds take: a list of the players, and of the outputs of this machine."""

from collections.abc import Sequence

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Label, OptionList
from textual.widgets.option_list import Option

from sda_tui.background import read_beside
from sda_tui.keymap import KEYMAP
from sda_tui.listening import AUTOMATIC, Listening
from sda_tui.playback import Device, Player, probe_all
from sda_tui.until_left import LeftOnce, UntilLeft
from sda_tui.widgets.footer import KeyFooter

RESCAN_INTERVAL_S = 3.0


class PlayersScreen(LeftOnce, UntilLeft, ModalScreen[None]):
    """Lists what can play, looks again for devices while it is open, and takes the chosen one."""

    SCOPE = "players"
    BINDINGS = KEYMAP[SCOPE].bindings()

    def __init__(self, listening: Listening) -> None:
        super().__init__()
        self._listening = listening
        self._devices: Sequence[Device] = ()
        self._reasons: dict[str, str] = {}
        self._choices: list[tuple[str, str]] = []  # the player and the device of each line

    def compose(self) -> ComposeResult:
        with Vertical(id="players"):
            yield Label("Play sounds through", id="players-title")
            yield OptionList(id="player-list", compact=True)
        yield KeyFooter()

    def on_mount(self) -> None:
        self._reasons = {
            player.name: self._listening.outputs.reason_against(player) for player in self._players
        }
        self._show(self._devices)
        self._rescan()
        self.set_interval(RESCAN_INTERVAL_S, self._rescan)
        self.query_one(OptionList).focus()

    @property
    def _players(self) -> Sequence[Player]:
        return self._listening.outputs.players

    def _rescan(self) -> None:
        """Look for devices and programs, on another thread."""
        card, players = self._listening.card, self._players

        def look() -> tuple[list[Device], dict[str, str]]:
            reasons = probe_all(players)
            return ([] if reasons[card.name] else card.devices()), reasons

        def take(found: tuple[list[Device], dict[str, str]]) -> None:
            devices, reasons = found
            if (devices, reasons) != (self._devices, self._reasons) and self.is_attached:
                self._reasons = reasons
                self._listening.outputs.take(reasons)
                self._show(devices)

        read_beside(self, look, take, lambda _: None)

    def _show(self, devices: Sequence[Device]) -> None:
        self._devices = devices
        listening = self._listening
        lines: list[tuple[str, str, str, str]] = [
            (AUTOMATIC, "", "automatic: the first of these that works", "")
        ]
        for player in self._players:
            reason = self._reasons.get(player.name, "")
            lines.append((player.name, "", self._label(player), reason))
            if player is listening.card:
                lines += [(player.name, device.name, f"  {device.name}", "") for device in devices]
        chosen = (listening.outputs.chosen, listening.card.device)
        options = self.query_one(OptionList)
        kept = options.highlighted
        self._choices = [(player, device) for player, device, _, _ in lines]
        options.set_options([_option(label, reason, (p, d) == chosen) for p, d, label, reason in lines])
        at = self._choices.index(chosen) if chosen in self._choices else 0
        options.highlighted = at if kept is None else min(kept, len(lines) - 1)

    def _label(self, player: Player) -> str:
        if player is self._listening.card:
            return "sound card of this machine, its default output"
        if player is self._listening.page:
            return "listener page, in a browser on your own computer"
        return f"{player.name}, a program of this machine"

    @on(OptionList.OptionSelected)
    def _take(self, event: OptionList.OptionSelected) -> None:
        player, device = self._choices[event.option_index]
        self._listening.choose_player(player, device)
        self.dismiss()

    def action_back(self) -> None:
        self.dismiss()


def _option(label: str, reason: str, is_chosen: bool) -> Option:
    line = Text(f"{'●' if is_chosen else ' '} {label}", no_wrap=True, overflow="ellipsis")
    if reason:
        line.append(f"  ✗ {reason}", style="dim")
    return Option(line)
