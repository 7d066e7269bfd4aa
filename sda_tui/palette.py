"""The command palette: every command of the current screen, by name."""

from collections.abc import Iterable
from functools import partial

from textual.command import DiscoveryHit, Hit, Hits, Provider

from sda_tui.keymap import KEYMAP, Command


class KeyCommands(Provider):
    """Offers the commands of the key table, as "Dashboard: Save"."""

    async def discover(self) -> Hits:
        for title, command in self._commands():
            yield DiscoveryHit(title, partial(self._run, command), help=command.help)

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for title, command in self._commands():
            score = matcher.match(title)
            if score > 0:
                yield Hit(score, matcher.highlight(title), partial(self._run, command), help=command.help)

    def _commands(self) -> Iterable[tuple[str, Command]]:
        for name in (getattr(self.screen, "SCOPE", ""), "app"):
            if name in KEYMAP:
                scope = KEYMAP[name]
                for command in scope.commands:
                    if command.in_palette:
                        yield f"{scope.title}: {command.label}", command

    async def _run(self, command: Command) -> None:
        await self.screen.run_action(command.action)
