"""Calls that come too late: what they are about has left the screen."""

from typing import TYPE_CHECKING, cast

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
    """For screens and widgets: what they have called later, or again and again, is called until then.

    A screen that is left loses its parts first; a call that is due then would find none, and end the app.
    """

    def on_callback(self, event: Callback) -> None:
        if is_left(self):
            event.prevent_default()

    def on_timer(self, event: Timer) -> None:
        if is_left(self):
            event.prevent_default()
