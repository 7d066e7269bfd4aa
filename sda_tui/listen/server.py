"""The web server behind the listener page, on the event loop of whoever starts it.

It listens on the loopback interface alone, and without the token every request is answered alike: not found.
"""

import asyncio
import contextlib
import json
import logging
import re
import socket
import time
from collections.abc import Callable
from importlib import resources
from typing import Any, NoReturn

from tornado.http1connection import HTTP1Connection
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest
from tornado.ioloop import PeriodicCallback
from tornado.iostream import IOStream, StreamClosedError
from tornado.web import Application, HTTPError, RequestHandler
from tornado.websocket import WebSocketClosedError, WebSocketHandler

from core.errors import RunError, SdaError
from sda_tui.listen.access import (
    LOOPBACK,
    cookie_name,
    is_local_host,
    is_own_origin,
    is_same,
    new_token,
    sign,
)
from sda_tui.listen.library import Library, Message

logger = logging.getLogger(__name__)


MOST_PAGES = 16
MOST_CONNECTIONS = 64
MOST_UNSENT = 64  # messages for one page: a slower one is disconnected
LARGEST_MESSAGE_BYTES = 4096  # from a page
LARGEST_HEADER_BYTES = 16 << 10
IDLE_S = 10.0  # until a connection has sent its request
ALIVE_S = 5.0  # between two messages that say no more than that the connection is alive
PROOF_S = 30.0  # how old the proof of a page may be that knows the token
CODE_S = 60.0  # how long an address for one use is valid
SLOWEST_WRITE_S = 20.0
PING_S = 15.0
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


class PortTakenError(SdaError):
    """The port that was asked for cannot be had."""


class ListenServer:
    """Serves a library to pages, and passes messages between them and the program.

    `on_message` gets each message of a page, as a mapping, and the number of that page; `on_pages` is called
    when one has come, gone, or got ready to sound.  All on the thread of the loop.
    """

    def __init__(
        self,
        library: Library,
        token: str,
        on_message: Callable[[int, dict[str, Any]], object] = lambda _page, _message: None,
        on_pages: Callable[[], object] = lambda: None,
    ) -> None:
        self.library = library
        self.token = token
        self.port = 0
        self._on_message = on_message
        self._on_pages = on_pages
        self._session = new_token()
        self._codes: dict[str, float] = {}  # addresses for one use, and until when they are valid
        self._pages: dict[int, _Live] = {}
        self._count = 0
        self._http: _BoundedServer | None = None

    def start(self, port: int | None, usual_port: int | None = None) -> None:
        """Listen at `port`; without one at the usual one, or if that is taken at any that is free.

        Raises PortTakenError.
        """
        found = _listen_at(port) if port else (_try(usual_port) or _listen_at(0))
        found.setblocking(False)
        self.port = found.getsockname()[1]
        routes = [
            (r"/(|page\.js|page\.css)", _Part, {"server": self}),
            (r"/sound/(\d{1,9})", _Sound, {"server": self}),
            (r"/spectrogram/(\d{1,9})", _Spectrogram, {"server": self}),
            (r"/key", _Key, {"server": self}),
            (r"/again", _Again, {"server": self}),
            (r"/live", _Live, {"server": self}),
            (r".*", _Nothing, {"server": self}),
        ]
        application = Application(
            routes,
            log_function=lambda _handler: None,
            websocket_max_message_size=LARGEST_MESSAGE_BYTES,
            websocket_ping_interval=PING_S,
            websocket_ping_timeout=PING_S,
        )
        self._http = _BoundedServer(
            application,
            max_body_size=LARGEST_MESSAGE_BYTES,
            max_header_size=LARGEST_HEADER_BYTES,
            idle_connection_timeout=IDLE_S,
            body_timeout=IDLE_S,
        )
        self._http.add_sockets([found])
        self._heartbeat = PeriodicCallback(lambda: self.send({"type": "alive"}), 1000 * ALIVE_S)
        self._heartbeat.start()

    @property
    def address(self) -> str:
        """What to open in the browser the first time, through a tunnel with the same port at both ends."""
        return f"http://{LOOPBACK}:{self.port}/?token={self.token}"

    def new_address(self) -> str:
        """The same for one use within a minute: others may see the command that opens it."""
        code = new_token()
        self._codes[code] = time.monotonic() + CODE_S
        return f"http://{LOOPBACK}:{self.port}/?token={code}"

    @property
    def pages(self) -> int:
        return len(self._pages)

    @property
    def ready_pages(self) -> int:
        """How many may sound: the browser wants a click in the page first."""
        return sum(page.is_ready for page in self._pages.values())

    def send(self, message: Message) -> None:
        """Send to all pages; to one that reads too slowly no more than it can take."""
        if self._pages:
            text = json.dumps(message)
            for page in list(self._pages.values()):
                page.send(text)

    def stop(self, farewell: str) -> None:
        """Say why, and close everything."""
        self.send({"type": "farewell", "reason": farewell})
        for page in list(self._pages.values()):
            page.close(1001, "closed")
        if self._http is not None:
            self._heartbeat.stop()
            self._http.stop()
            self._http.close_streams()

    # -- called by the handlers -------------------------------------------------------------------------

    def admits(self, request: HTTPServerRequest) -> bool:
        """Whether a request names this machine, comes from the page or the address bar, and has the cookie.

        The cookie is of this start alone: browsers send it to every port of the machine.
        """
        cookie = request.cookies.get(cookie_name(self.token))
        return is_ours(request) and cookie is not None and is_same(cookie.value, self._session)

    def opens(self, given: str) -> bool:
        """Whether this is the token, or a code that was not used yet."""
        now_s = time.monotonic()
        self._codes = {code: until_s for code, until_s in self._codes.items() if until_s > now_s}
        used = next((code for code in self._codes if is_same(given, code)), None)
        if used is not None:
            del self._codes[used]
        return used is not None or is_same(given, self.token)

    def proves(self, host: str, time_s: str, proof: str) -> bool:
        """Whether a page of an earlier start knows the token: it signs the time, which the answers have."""
        if not re.fullmatch(r"\d{1,12}", time_s) or abs(time.time() - int(time_s)) > PROOF_S:
            return False
        return is_same(proof, sign(self.token, f"{host} {time_s}"))

    def give_cookie(self, handler: RequestHandler) -> None:
        name = cookie_name(self.token)
        handler.set_cookie(name, self._session, path="/", httponly=True, samesite="Strict")

    def join(self, page: "_Live") -> int:
        """Send the library to a page that was opened, and return its number."""
        self._count += 1
        self._pages[self._count] = page
        page.send(json.dumps(self.library.description()))
        self._on_pages()
        return self._count

    def leave(self, number: int) -> None:
        if self._pages.pop(number, None) is not None:
            self._on_pages()

    def receive(self, number: int, message: dict[str, Any]) -> None:
        page = self._pages.get(number)
        if page is None:
            return
        if message.get("type") == "ready":
            page.is_ready = message.get("ready") is True
            self._on_pages()
        self._on_message(number, message)


class _BoundedServer(HTTPServer):
    """Refuses connections beyond a number: they must not take the descriptors that training needs."""

    _open: list[IOStream]

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        self._open = [each for each in getattr(self, "_open", []) if not each.closed()]
        if len(self._open) >= MOST_CONNECTIONS:
            stream.close()
            return
        self._open.append(stream)
        super().handle_stream(stream, address)

    def close_streams(self) -> None:
        """Close all connections at once; the loop may end before it could wait for anything."""
        for stream in getattr(self, "_open", []):
            stream.close()


class _Guarded(RequestHandler):
    """Lets nobody in without the token, and says nothing about what there is."""

    def initialize(self, server: ListenServer) -> None:
        self.server = server

    def set_default_headers(self) -> None:
        self.clear_header("Server")
        for name, value in HEADERS.items():
            self.set_header(name, value)

    def prepare(self) -> None:
        if not self.server.admits(self.request):
            raise HTTPError(404)

    def on_finish(self) -> None:
        """Answer who has no token once for each connection: opening one costs them more than asking again."""
        connection = self.request.connection
        if isinstance(connection, HTTP1Connection) and not self.server.admits(self.request):
            connection.close()

    def write_error(self, status_code: int, **_: Any) -> None:
        """Always the same for who may not know what there is."""
        if not self.server.admits(self.request):
            status_code = 404
            self.set_status(status_code)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish("Not found\n" if status_code == 404 else f"{status_code}\n")

    def log_exception(self, kind: Any, value: Any, trace: Any) -> None:
        """Without the request, whose address may hold the token."""
        if not isinstance(value, HTTPError | StreamClosedError):
            logger.error("a request of the listener page failed", exc_info=(kind, value, trace))


class _Nothing(_Guarded):
    """Every other address and method."""

    def prepare(self) -> NoReturn:
        raise HTTPError(404)


class _Part(_Guarded):
    """The page itself.  The first address has the token, which is exchanged for a cookie."""

    def prepare(self) -> None:
        if not self._is_first():
            super().prepare()

    def get(self, name: str) -> None:
        if self._is_first():
            self.server.give_cookie(self)
            self.redirect("/", status=303)
            return
        file, kind = PARTS[name]
        self.set_header("Content-Type", kind)
        self.write(resources.files("sda_tui.listen").joinpath("page", file).read_bytes())

    def _is_first(self) -> bool:
        """Whether the address has the token, which is not asked twice: a code is used up."""
        if not hasattr(self, "_has_token"):
            given = self.get_query_argument("token", "") if self.request.path == "/" else ""
            self._has_token = bool(given) and is_ours(self.request) and self.server.opens(given)
        return self._has_token


class _Key(_Guarded):
    """The token, for the page to come back after another start; its script alone keeps it."""

    def get(self) -> None:
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.write(self.server.token)


class _Again(_Guarded):
    """A new cookie for a page of an earlier start that proves to know the token."""

    def prepare(self) -> None:
        time_s, proof = (self.get_query_argument(name, "") for name in ("time", "proof"))
        if not (is_ours(self.request) and self.server.proves(self.request.host, time_s, proof)):
            raise HTTPError(404)

    def get(self) -> None:
        self.server.give_cookie(self)
        self.set_status(204)


class _Sound(_Guarded):
    """A WAV file, in whole or one range of it."""

    async def get(self, number: str) -> None:
        try:
            data = self.server.library.read_sound(int(number))
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


class _Spectrogram(_Guarded):
    """A byte for each cell, row by row from the lowest band."""

    def get(self, number: str) -> None:
        try:
            data, mels, frames = self.server.library.read_spectrogram(int(number))
        except RunError:
            raise HTTPError(404) from None
        self.set_header("Content-Type", "application/octet-stream")
        self.set_header("X-Mels", str(mels))
        self.set_header("X-Frames", str(frames))
        self.write(data)


class _Live(_Guarded, WebSocketHandler):
    """The connection over which a page follows the terminal."""

    def initialize(self, server: ListenServer) -> None:
        super().initialize(server)
        self.is_ready = False  # to sound: browsers want a click in the page first
        self._number = 0
        self._unsent = 0

    def prepare(self) -> None:
        super().prepare()
        if self.request.headers.get("Upgrade", "").lower() != "websocket":
            raise HTTPError(404)
        if self.server.pages >= MOST_PAGES:
            raise HTTPError(503, reason="Too many pages")

    def check_origin(self, origin: str) -> bool:
        return is_own_origin(origin, self.request.host)

    def open(self, *_: str, **__: str) -> None:
        self.set_nodelay(True)
        self._number = self.server.join(self)

    def on_message(self, text: str | bytes) -> None:
        try:
            message = json.loads(text)
        except (RecursionError, ValueError):
            return
        if isinstance(message, dict):
            self.server.receive(self._number, message)

    def on_close(self) -> None:
        self.server.leave(self._number)

    def send(self, text: str) -> None:
        if self._unsent >= MOST_UNSENT:
            self.close(1013, "too slow")  # it connects again when it can
            self.server.leave(self._number)
            return
        with contextlib.suppress(WebSocketClosedError):
            self._unsent += 1
            asyncio.ensure_future(self.write_message(text)).add_done_callback(self._count_sent)

    def _count_sent(self, sent: "asyncio.Future[None]") -> None:
        self._unsent -= 1
        if not sent.cancelled():
            sent.exception()  # a page that is gone is noticed by `on_close`


def is_ours(request: HTTPServerRequest) -> bool:
    """Whether a request names this machine, and comes from the page or from the address bar."""
    origin = request.headers.get("Origin")
    return is_local_host(request.host) and (origin is None or is_own_origin(origin, request.host))


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


def _listen_at(port: int) -> socket.socket:
    """A socket at a port of the loopback interface; 0 is any.  Raises PortTakenError."""
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((LOOPBACK, port))
        found.listen(MOST_CONNECTIONS)
    except (OSError, OverflowError) as error:
        found.close()
        reason = error.strerror if isinstance(error, OSError) else "there is no such port"
        raise PortTakenError(
            f"Cannot listen at port {port} ({reason}); choose another, from 1024 to 65535."
        ) from error
    return found


def _try(port: int | None) -> socket.socket | None:
    """A socket at this port, if it can be had."""
    if port is None:
        return None
    try:
        return _listen_at(port)
    except PortTakenError:
        return None
