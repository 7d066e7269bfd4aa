"""What the commands print on stdout."""

import contextlib

from rich.console import Console


class Output(Console):
    """Ends quietly and well when the reader has seen enough: `sda-tui scan … | head`."""

    def on_broken_pipe(self) -> None:
        with contextlib.suppress(SystemExit):
            super().on_broken_pipe()
        raise SystemExit(0)
