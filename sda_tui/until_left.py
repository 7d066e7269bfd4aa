"""Calls that come too late: what they are about has left the screen."""

import contextlib
from inspect import isawaitable
from typing import TYPE_CHECKING, cast

from textual.css.query import NoMatches
from textual.dom import NoScreen
from textual.events import Callback, Timer

if TYPE_CHECKING:
    from textual.widget import Widget


def is_left(node: object) -> bool:
    """Whether a screen, or the one that a widget is on, was left, so that its parts may be gone."""
    widget = cast("Widget", node)
    if not widget.is_attached:
        return True
    try:
        screen, app = widget.screen, widget.app
    except NoScreen:
        return True
    return screen not in app.screen_stack and not app.is_screen_installed(screen)


class UntilLeft:
    """For screens and widgets whose calls may come too late.

    A screen that is left loses its parts first.  What was to be called later then finds none, which would end
    the app, and need not.  What is called again and again is called no more.
    """

    async def on_callback(self, event: Callback) -> None:
        if is_left(self):
            event.prevent_default()
            with contextlib.suppress(NoMatches):
                if isawaitable(answer := event.callback()):
                    await answer

    async def on_timer(self, event: Timer) -> None:
        if is_left(self):
            event.prevent_default()
