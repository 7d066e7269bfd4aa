"""The command palette: every command that is possible now, with its key, and the themes."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from textual.actions import parse
from textual.command import DiscoveryHit, Hit, Hits, Provider
from textual.content import Content
from textual.screen import Screen

from sda_tui.keymap import KEYMAP, show_keys
from sda_tui.themes import TITLES


@dataclass(frozen=True)
class Offer:
    """An entry: its title, as in "Dashboard: Save", the keys beside it, and what it does."""

    title: str
    keys: str
    action: str
    help: str


class KeyCommands(Provider):
    """Offers the commands of the current screen and of the app, from the table of keys; and the themes."""

    async def discover(self) -> Hits:
        for offer in self._offers():
            yield DiscoveryHit(
                _with_keys(Content(offer.title), offer.keys),
                partial(self._run, offer.action),
                text=offer.title,
                help=offer.help,
            )

    async def search(self, query: str) -> Hits:
        matcher = self.matcher(query)
        for offer in self._offers():
            score = matcher.match(offer.title)
            if score > 0:
                yield Hit(
                    score,
                    _with_keys(matcher.highlight(offer.title), offer.keys),
                    partial(self._run, offer.action),
                    text=offer.title,
                    help=offer.help,
                )

    def _offers(self) -> Iterable[Offer]:
        for name in (getattr(self.screen, "SCOPE", ""), "app"):
            if name in KEYMAP:
                scope = KEYMAP[name]
                for command in scope.commands:
                    if command.in_palette and is_possible(self.screen, command.action):
                        title = f"{scope.title}: {command.label}"
                        yield Offer(title, show_keys(command), command.action, command.help)
        for name, title in TITLES.items():
            if name != self.app.theme:
                help = "Use these colours from now on."
                yield Offer(f"Theme: {title}", "", f"app.choose_theme('{name}')", help)

    async def _run(self, action: str) -> None:
        await self.screen.run_action(action)


def is_possible(screen: Screen[Any], action: str) -> bool:
    """Whether the screen, or the app, says that the action can be done now."""
    namespace, name, parameters = parse(action)
    node = screen.app if namespace == "app" else screen
    return node.check_action(name, parameters) is True


def _with_keys(title: Content, keys: str) -> Content:
    return Content.assemble(title, "  ", (keys, "$text-primary")) if keys else title
