"""Answers and calls that come too late: what they are about has left the screen."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from textual.await_complete import AwaitComplete
from textual.css.query import NoMatches
from textual.dom import NoScreen
from textual.events import Timer

if TYPE_CHECKING:
    from textual.message_pump import MessagePump as _Base
    from textual.screen import Screen
    from textual.widget import Widget

    _ScreenBase = Screen[Any]
else:
    _Base = _ScreenBase = object


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


class LeftOnce(_ScreenBase):
    """For screens: they are left once, however many answers come, and only what they are is left.

    Textual's own leaves whatever screen is on top: a second answer to a question closes what is below it.
    """

    _late: tuple[Any, ...] = ()  # the answer of a screen that another one covers

    def dismiss(self, result: Any = None) -> AwaitComplete:
        if self.is_active:
            return super().dismiss(result)
        if self in self.app.screen_stack:
            self._late = (result,)
        return AwaitComplete()

    def on_screen_resume(self) -> None:
        if self._late:
            (result,), self._late = self._late, ()
            self.dismiss(result)


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
