"""What a screen has called later, and the user leaves it first."""

import pytest
from textual.app import App, ComposeResult
from textual.containers import Vertical
from textual.css.query import NoMatches
from textual.events import Callback
from textual.screen import Screen
from textual.widgets import Label

from sda_tui.until_left import UntilLeft


class Panel(UntilLeft, Vertical):
    def compose(self) -> ComposeResult:
        yield Label("", id="shown")

    def show(self) -> None:
        self.query_one("#shown", Label).update("now")


class Answering(UntilLeft, Screen[None]):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def compose(self) -> ComposeResult:
        yield Panel()

    def show(self) -> None:
        self.calls += 1
        self.query_one(Panel).show()


async def test_a_call_after_its_screen_was_left_does_not_end_the_app() -> None:
    app, screen = App[None](), Answering()
    async with app.run_test() as pilot:
        await app.push_screen(screen)
        panel = screen.query_one(Panel)
        app.pop_screen()
        await pilot.pause()
        with pytest.raises(NoMatches):
            screen.show()
        for node, call in ((screen, screen.show), (panel, panel.show)):
            await node.on_event(Callback(callback=call))


async def test_calls_are_made_on_a_screen_that_is_covered_or_kept_for_later() -> None:
    app, screen = App[None](), Answering()
    app.install_screen(screen, "kept")
    async with app.run_test() as pilot:
        await app.push_screen("kept")
        await app.push_screen(Screen[None]())
        screen.call_later(screen.show)
        await pilot.pause()
        assert screen.calls == 1
        app.pop_screen()
        app.pop_screen()
        screen.call_later(screen.show)
        await pilot.pause()
        assert screen.calls == 2
