"""What a screen has called later, and the user leaves it first."""

from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.containers import Vertical
from textual.css.query import NoMatches
from textual.screen import ModalScreen, Screen
from textual.widgets import Label

from sda_tui.until_left import LeftOnce, UntilLeft


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


async def test_a_call_after_its_screen_was_left_does_not_end_the_app(monkeypatch: pytest.MonkeyPatch) -> None:
    app, screen = App[None](), Answering()
    async with app.run_test() as pilot:
        await app.push_screen(screen)
        panel = screen.query_one(Panel)
        posted: list[Any] = []
        with monkeypatch.context() as patched:
            for node in (screen, panel):
                patched.setattr(node, "post_message", posted.append)
                node.call_later(node.show)
                node.call_after_refresh(node.show)
        app.pop_screen()
        await pilot.pause()
        with pytest.raises(NoMatches):
            screen.show()
        assert len(posted) == 4
        for message in posted:
            message.callback()


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


class Question(LeftOnce, ModalScreen[str]):
    pass


async def test_a_second_answer_leaves_the_screen_below_and_a_covered_question_waits() -> None:
    app, below, answers = App[None](), Screen[None](), list[str | None]()
    async with app.run_test() as pilot:
        await app.push_screen(below)
        question = Question()
        await app.push_screen(question, answers.append)
        question.dismiss("yes")
        question.dismiss("no")
        await pilot.pause()
        assert (app.screen, answers) == (below, ["yes"])
        covered, above = Question(), Question()
        await app.push_screen(covered, answers.append)
        await app.push_screen(above)
        covered.dismiss("late")
        await pilot.pause()
        assert app.screen is above
        above.dismiss()
        await pilot.pause()
        assert (app.screen, answers) == (below, ["yes", "late"])
