"""Textual's driver of a terminal, more tolerant of what terminals send, and which writes fewer bytes."""

import codecs
import contextlib
import signal
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from textual.drivers import linux_driver

from sda_tui.sgr import shorten
from sda_tui.terminal import swallow_reports

if TYPE_CHECKING:
    from textual.app import App


class TerminalDriver(linux_driver.LinuxDriver):
    """Ignores noise on the line, and leaves no report of the terminal's to be typed into the shell.

    Does not stop with its job: the training would stop too.  After the base class's own way of stopping no
    key is read any more.
    """

    def __init__(self, app: "App[Any]", *, debug: bool, mouse: bool, size: tuple[int, int] | None) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        signal.signal(signal.SIGTSTP, signal.SIG_IGN)
        signal.signal(signal.SIGCONT, signal.SIG_DFL)

    def run_input_thread(self) -> None:
        # The base class decodes strictly, with a decoder that it makes itself: one byte of noise on the line,
        # or a key of a terminal set to Latin-1, would end the app.  A test notices if it no longer does so.
        linux_driver.getincrementaldecoder = _lenient_decoder  # type: ignore[attr-defined,assignment]
        while not self.exit_event.is_set():
            # The parser fails at control sequences that are none, such as "ESC [ : u".  What came with one is
            # lost, and the rest is read by a new parser.
            with contextlib.suppress(ValueError, OverflowError):
                super().run_input_thread()

    def write(self, data: str) -> None:
        super().write(shorten(data))

    def stop_application_mode(self) -> None:
        self.disable_input()  # otherwise the input thread reads the answer
        swallow_reports(self.fileno, self.write)
        super().stop_application_mode()


def _lenient_decoder(encoding: str) -> Callable[[], codecs.IncrementalDecoder]:
    return partial(codecs.getincrementaldecoder(encoding), errors="ignore")
