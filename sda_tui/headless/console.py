"""How the commands print: on stdout, or on the terminal on stderr."""

import contextlib
import logging
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TextIO

from rich.console import Console, ConsoleOptions, RenderableType
from rich.segment import Segment
from rich.text import Text

from sda_tui.safe_text import safe_segments

PIPE_WIDTH = 10_000  # a file has no margin that a table has to fit into


def print_line(console: Console, line: str) -> None:
    """Print a line as it is.  Were it broken here, a command in it could not be copied; terminals join lines
    that they broke."""
    console.print(Text(line), soft_wrap=True)


class Output(Console):
    """Prints nothing that steers the terminal, except for what rich itself does with it.

    Ends with status 0, and no message, when the reader closes the pipe: `sda-tui scan … | head`.
    """

    def __init__(self, file: TextIO | None = None) -> None:
        is_terminal = (file or sys.stdout).isatty()
        super().__init__(file=file, width=None if is_terminal else PIPE_WIDTH, highlight=False)

    def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterable[Segment]:
        return safe_segments(super().render(renderable, options))

    def on_broken_pipe(self) -> None:
        with contextlib.suppress(SystemExit):
            super().on_broken_pipe()
        raise SystemExit(0)


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
