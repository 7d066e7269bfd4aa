"""Calls that come too late: what they are about has left the screen."""

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from textual.css.query import NoMatches
from textual.dom import NoScreen
from textual.events import Timer

if TYPE_CHECKING:
    from textual.message_pump import MessagePump as _Base
    from textual.widget import Widget
else:
    _Base = object


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


class UntilLeft(_Base):
    """For screens and widgets whose calls may come too late.

    A screen that is left loses its parts first.  What was to be called later then finds none, which would end
    the app, and need not.  What is called again and again is called no more.
    """

    def call_later(self, callback: Callable[..., object], *args: object, **options: object) -> bool:
        return super().call_later(self._call, callback, *args, **options)

    def call_after_refresh(self, callback: Callable[..., object], *args: object, **options: object) -> bool:
        return super().call_after_refresh(self._call, callback, *args, **options)

    def _call(self, callback: Callable[..., object], *args: object, **options: object) -> object:
        try:
            return callback(*args, **options)
        except NoMatches:
            if is_left(self):
                return None
            raise

    async def on_timer(self, event: Timer) -> None:
        if is_left(self):
            event.prevent_default()
