"""Playing through the listener page."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.text import printable
from sda_tui.listen.library import Library
from sda_tui.listen.remembered import Remembered
from sda_tui.playback import Playing, Problem

if TYPE_CHECKING:
    from sda_tui.listen.server import ListenServer

NAME = "listener page"
LONGEST_S = 1e6
SILENT_S = 3.0  # after which a page that says nothing of a sound does not play it


@dataclass
class _Asked:
    """A sound that the pages were asked to play, and what one of them says of it."""

    id: int
    number: int
    path: Path
    reported_s: float
    position_s: float = 0.0
    duration_s: float = 0.0
    page: int = 0  # the one whose reports count: the first that reported
    failures: int = 0  # of pages, before one reported that it plays


class PagePlayer:
    """Asks all open pages to play; the server is started when it is first needed.

    `remembered` is where the page was served last, `port` where the user wants it.  `on_offer` is called
    instead of playing where no page may sound yet, `on_change` when pages have come, gone or got ready.  All
    on the thread of one event loop.
    """

    def __init__(
        self,
        remembered: Remembered,
        port: int | None,
        on_problem: Callable[[Problem], object],
        on_offer: Callable[[], object],
        on_change: Callable[[], object],
        library: Library | None = None,
    ) -> None:
        self.remembered = remembered
        self.library = library or Library()
        self._port = port
        self._on_problem = on_problem
        self._on_offer = on_offer
        self._on_change = on_change
        self._server: ListenServer | None = None
        self._asked: _Asked | None = None
        self._count = 0

    @property
    def name(self) -> str:
        return NAME

    def probe(self) -> str:
        return ""

    @property
    def ready_pages(self) -> int:
        """How many may sound."""
        return self._server.pages.ready if self._server else 0

    @property
    def pages(self) -> int:
        """How many are open."""
        return len(self._server.pages) if self._server else 0

    @property
    def is_elsewhere(self) -> bool:
        """Whether the usual port was taken, so that tunnels and pages of before do not lead here."""
        return self._server is not None and self._port is None and self._server.port != self.remembered.port

    def serve(self) -> "ListenServer":
        """Start serving the page, unless it is served.  Raises PortTakenError."""
        if self._server is None:
            from sda_tui.listen.server import ListenServer  # takes 90 ms, so not before it is wanted

            server = ListenServer(self.library, self.remembered.token, self._receive, self._on_change)
            server.start(self._port, self.remembered.port)
            self._server = server
            is_first = self._port is None and not self.remembered.port
            self.remembered = self.remembered.change(port=server.port if is_first else self.remembered.port)
        return self._server

    def show(self, messages: list[Any]) -> None:
        """Send what changed in the library."""
        if self._server is not None:
            for message in messages:
                self._server.send(message)

    def choose(self, path: Path) -> None:
        """Have the pages load what may be played next."""
        number = self.library.find(path)
        if number is not None and self.ready_pages and self._server:
            self._server.send({"type": "choose", "number": number})

    def play(self, path: Path, is_switch: bool = False) -> None:
        if not self.ready_pages or self._server is None:
            self._on_offer()
            return
        number = self.library.find(path)
        if number is None:
            why = f"The run is still being read; play {printable(path.name)} again in a moment."
            self._on_problem(Problem(NAME, why, is_of_player=False))
            return
        self._count += 1
        self._asked = _Asked(self._count, number, path, time.monotonic())
        self._server.send(
            {
                "type": "switch" if is_switch else "play",
                "id": self._count,
                "number": number,
                "sound": self.library.describe_sound(number),
            }
        )

    def stop(self) -> None:
        if self._server is not None:
            self._server.send({"type": "stop"})  # also what was begun in a page
        self._asked = None

    @property
    def playing(self) -> Playing | None:
        asked = self._asked
        if asked is None or time.monotonic() - asked.reported_s > SILENT_S or not self.ready_pages:
            return None
        return Playing(asked.path, asked.position_s, asked.duration_s)

    def close(self, farewell: str) -> None:
        """Say why to the pages, and stop serving them."""
        if self._server is not None:
            self._server.stop(farewell)
            self._server = None

    def _receive(self, page: int, message: dict[str, Any]) -> None:
        asked = self._asked
        if asked is None or message.get("id") != asked.id or message.get("number") != asked.number:
            return
        match message.get("type"):
            case "progress" if asked.page in (0, page):
                asked.page, asked.reported_s = page, time.monotonic()
                asked.position_s = _seconds(message.get("position"))
                asked.duration_s = _seconds(message.get("duration"))
            case "ended" if asked.page in (0, page):
                self._asked = None
            case "failed" if asked.page == 0:
                asked.failures += 1
                if asked.failures < self.ready_pages:
                    return
                self._asked = None
                reason = printable(str(message.get("reason", "")))[:200]
                shown = printable(asked.path.name)
                self._on_problem(Problem(NAME, f"The page cannot play {shown}: {reason}", is_of_player=False))


def _seconds(value: object) -> float:
    """A time from a page, which may send anything."""
    is_number = isinstance(value, int | float) and 0 <= value <= LONGEST_S
    return float(value) if is_number and isinstance(value, int | float) else 0.0
