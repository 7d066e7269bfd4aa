"""Where the commands print: stdout, or the terminal on stderr."""

import contextlib
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path

import platformdirs
from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment

from sda_tui.safe_text import safe_segments


class Output(Console):
    """Prints nothing that steers the terminal, except for what rich itself does with it.

    Ends with status 0, and no message, when the reader closes the pipe: `sda-tui scan … | head`.
    """

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        return safe_segments(super().render(renderable, options))

    def on_broken_pipe(self) -> None:
        with contextlib.suppress(SystemExit):
            super().on_broken_pipe()
        raise SystemExit(0)


def log_path() -> Path | None:
    """The file for what libraries write while a command has the terminal; None if there can be none."""
    try:
        return platformdirs.user_log_path("sda-tui", ensure_exists=True) / "app.log"
    except OSError:
        return None


@contextlib.contextmanager
def logging_to(path: Path | None) -> Iterator[None]:
    """Write what the engine logs to this file, not to the terminal."""
    handler = logging.FileHandler(path, encoding="utf-8", delay=True) if path else logging.NullHandler()
    logging.getLogger("core").addHandler(handler)
    try:
        yield
    finally:
        logging.getLogger("core").removeHandler(handler)
        handler.close()
