"""Reading beside the screen, on threads that the app does not wait for when it is left."""

import contextlib
import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from textual.message_pump import MessagePump

from core.errors import SdaError
from core.text import one_line
from sda_tui.advice import explain

logger = logging.getLogger(__name__)
Result = TypeVar("Result")
FOLLOW_INTERVAL_S = 5.0  # between two looks at runs that train, here or elsewhere


def read_beside(
    screen: MessagePump,
    read: Callable[[], Result],
    show: Callable[[Result], object],
    fail: Callable[[str], object],
) -> None:
    """Call `read` on a thread of its own, then on the app's `show` with its result, or `fail` with a message.

    A worker of Textual is waited for at the end, also where it hangs on a disk that does not answer.
    """

    def work() -> None:
        try:
            answer = partial(show, read())
        except SdaError as error:
            answer = partial(fail, explain(error))
        except Exception as error:
            logger.exception("reading failed")
            answer = partial(fail, one_line(f"{type(error).__name__}: {error}"))
        with contextlib.suppress(RuntimeError):  # the app is being left
            screen.call_later(answer)

    threading.Thread(target=work, name="reader", daemon=True).start()
