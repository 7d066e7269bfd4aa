"""The pages, sounds and pictures that the listener page's server gives, and who gets them."""

import asyncio
import contextlib
import json
import logging
import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from typing import Any, NoReturn

from tornado.http1connection import HTTP1Connection
from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, RequestHandler
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from core.errors import RunError
from sda_tui.listen.access import Admission, is_ours, is_own_origin
from sda_tui.listen.library import Library, Message

logger = logging.getLogger(__name__)

MOST_PAGES = 16
MOST_UNSENT = 64  # messages for one page: a slower one is disconnected
SLOWEST_WRITE_S = 20.0
BLOCK_BYTES = 64 << 10

HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
PARTS = {
    "": ("index.html", "text/html; charset=utf-8"),
    "page.js": ("page.js", "text/javascript; charset=utf-8"),
    "page.css": ("page.css", "text/css; charset=utf-8"),
}


class Pages:
    """The pages that are open.

    `on_message` gets each message of one, and its number; `on_change` is called when one has come, gone, or
    got ready to sound.
    """

    def __init__(
        self,
        library: Library,
        on_message: Callable[[int, dict[str, Any]], object],
        on_change: Callable[[], object],
    ) -> None:
        self._library = library
        self._on_message = on_message
        self._on_change = on_change
        self._open: dict[int, Live] = {}
        self._count = 0

    def __len__(self) -> int:
        return len(self._open)

    @property
    def ready(self) -> int:
        """How many may sound: the browser wants a click in the page first."""
        return sum(page.is_ready for page in self._open.values())

    def send(self, message: Message) -> None:
        """Send to all; to one that reads too slowly no more than it can take."""
        if self._open:
            text = json.dumps(message)
            for page in list(self._open.values()):
                page.send(text)

    def close(self) -> None:
        for page in list(self._open.values()):
            page.close(1001, "closed")

    def join(self, page: "Live") -> int:
        """Send the library to a page that was opened, and return its number."""
        self._count += 1
        self._open[self._count] = page
        page.send(json.dumps(self._library.description()))
        self._on_change()
        return self._count

    def leave(self, number: int) -> None:
        if self._open.pop(number, None) is not None:
            self._on_change()

    def receive(self, number: int, message: dict[str, Any]) -> None:
        page = self._open.get(number)
        if page is None:
            return
        if message.get("type") == "ready":
            page.is_ready = message.get("ready") is True
            self._on_change()
        self._on_message(number, message)


@dataclass(frozen=True)
class Served:
    """What the handlers serve, and to whom."""

    admission: Admission
    library: Library
    pages: Pages


class Guarded(RequestHandler):
    """Lets nobody in without the token, and says nothing about what there is."""

    def initialize(self, served: Served) -> None:
        self.served = served

    @property
    def is_ours(self) -> bool:
        """Whether the request names this machine, and comes from the page or from the address bar."""
        return is_ours(self.request.host, self.request.headers.get("Origin"))

    @property
    def is_admitted(self) -> bool:
        admission = self.served.admission
        cookie = self.request.cookies.get(admission.cookie_name)
        origin = self.request.headers.get("Origin")
        return cookie is not None and admission.admits(self.request.host, origin, cookie.value)

    def admit(self) -> None:
        """Give the browser the cookie."""
        admission = self.served.admission
        self.set_cookie(admission.cookie_name, admission.cookie, path="/", httponly=True, samesite="Strict")

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        for name, value in HEADERS.items():
            self.set_header(name, value)

    def prepare(self) -> None:
        if not self.is_admitted:
            raise HTTPError(404)

    def on_finish(self) -> None:
        """Answer who has no token once for each connection: opening one costs them more than asking again."""
        connection = self.request.connection
        if isinstance(connection, HTTP1Connection) and not self.is_admitted:
            connection.close()

    def write_error(self, status_code: int, **_: Any) -> None:
        """Always the same for who may not know what there is."""
        if not self.is_admitted:
            status_code = 404
            self.set_status(status_code)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish("Not found\n" if status_code == 404 else f"{status_code}\n")

    def log_exception(self, kind: Any, value: Any, trace: Any) -> None:
        """Without the request, whose address may hold the token."""
        if not isinstance(value, HTTPError | StreamClosedError):
            logger.error("a request of the listener page failed", exc_info=(kind, value, trace))


class Nothing(Guarded):
    """Every other address and method."""

    def prepare(self) -> NoReturn:
        raise HTTPError(404)


class Part(Guarded):
    """The page itself.  The first address has the token, which is exchanged for a cookie."""

    def prepare(self) -> None:
        if not self._is_first():
            super().prepare()

    def get(self, name: str) -> None:
        if self._is_first():
            self.admit()
            self.redirect("/", status=303)
            return
        file, kind = PARTS[name]
        self.set_header("Content-Type", kind)
        self.write(resources.files("sda_tui.listen").joinpath("page", file).read_bytes())

    def _is_first(self) -> bool:
        """Whether the address has the token, which is not asked twice: a code is used up."""
        if not hasattr(self, "_has_token"):
            given = self.get_query_argument("token", "") if self.request.path == "/" else ""
            self._has_token = bool(given) and self.is_ours and self.served.admission.opens(given)
        return self._has_token


class Key(Guarded):
    """The token, for the page to come back after another start; its script alone keeps it."""

    def get(self) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.write(self.served.admission.token)


class Again(Guarded):
    """A new cookie for a page of an earlier start that proves to know the token."""

    def prepare(self) -> None:
        time_s, proof = (self.get_query_argument(name, "") for name in ("time", "proof"))
        if not (self.is_ours and self.served.admission.proves(self.request.host, time_s, proof)):
            raise HTTPError(404)

    def get(self) -> None:
        self.admit()
        self.set_status(204)


class Sound(Guarded):
    """A WAV file, in whole or one range of it."""

    async def get(self, number: str) -> None:
        try:
            data = self.served.library.read_sound(int(number))
        except RunError:
            raise HTTPError(404) from None
        first, stop = _range(self.request.headers.get("Range"), len(data))
        self.set_header("Content-Type", "audio/wav")
        self.set_header("Accept-Ranges", "bytes")
        self.set_header("Content-Length", str(stop - first))
        if "Range" in self.request.headers:
            self.set_status(206)
            self.set_header("Content-Range", f"bytes {first}-{stop - 1}/{len(data)}")
        for begin in range(first, stop, BLOCK_BYTES):
            self.write(data[begin : min(stop, begin + BLOCK_BYTES)])
            try:
                await asyncio.wait_for(self.flush(), SLOWEST_WRITE_S)
            except TimeoutError:  # a reader that does not read
                self.detach().close()
                return


class Spectrogram(Guarded):
    """A byte for each cell, row by row from the lowest band."""

    def get(self, number: str) -> None:
        try:
            data, mels, frames = self.served.library.read_spectrogram(int(number))
        except RunError:
            raise HTTPError(404) from None
        self.set_header("Content-Type", "application/octet-stream")
        self.set_header("X-Mels", str(mels))
        self.set_header("X-Frames", str(frames))
        self.write(data)


class Live(Guarded, WebSocketHandler):
    """The connection over which a page follows the terminal."""

    def initialize(self, served: Served) -> None:
        super().initialize(served)
        self.is_ready = False  # to sound: browsers want a click in the page first
        self._number = 0
        self._unsent = 0

    def prepare(self) -> None:
        super().prepare()
        if self.request.headers.get("Upgrade", "").lower() != "websocket":
            raise HTTPError(404)
        if len(self.served.pages) >= MOST_PAGES:
            raise HTTPError(503, reason="Too many pages")

    def check_origin(self, origin: str) -> bool:
        return is_own_origin(origin, self.request.host)

    def open(self, *_: str, **__: str) -> None:
        self.set_nodelay(True)
        self._number = self.served.pages.join(self)

    def on_message(self, text: str | bytes) -> None:
        try:
            message = json.loads(text)
        except (RecursionError, ValueError):
            return
        if isinstance(message, dict):
            self.served.pages.receive(self._number, message)

    def on_close(self) -> None:
        self.served.pages.leave(self._number)

    def send(self, text: str) -> None:
        if self._unsent >= MOST_UNSENT:
            self.close(1013, "too slow")  # it connects again when it can
            self.served.pages.leave(self._number)
            return
        with contextlib.suppress(WebSocketClosedError):
            self._unsent += 1
            asyncio.ensure_future(self.write_message(text)).add_done_callback(self._count_sent)

    def _count_sent(self, sent: "asyncio.Future[None]") -> None:
        self._unsent -= 1
        if not sent.cancelled():
            sent.exception()  # a page that is gone is noticed by `on_close`


def _range(header: str | None, length: int) -> tuple[int, int]:
    """The first byte of a range and the one after its last.  Raises HTTPError for anything but one range."""
    if header is None:
        return 0, length
    found = re.fullmatch(r"bytes=(\d{0,15})-(\d{0,15})", header.strip())
    if found is None or found.group(0) == "bytes=-":
        raise HTTPError(416)
    begin, end = found.groups()
    if not begin:
        first, stop = max(0, length - int(end)), length
    else:
        first, stop = int(begin), min(length, int(end) + 1) if end else length
    if first >= stop:
        raise HTTPError(416)
    return first, stop
