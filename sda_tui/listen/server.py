"""The web server behind the listener page, on the event loop of whoever starts it.

It listens on the loopback interface alone, and without the token every request is answered alike: not found.
"""

import socket
from collections.abc import Callable
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.ioloop import PeriodicCallback
from tornado.iostream import IOStream
from tornado.web import Application

from core.errors import SdaError
from sda_tui.listen.access import LOOPBACK, Admission
from sda_tui.listen.handlers import Again, Key, Live, Nothing, Pages, Part, Served, Sound, Spectrogram
from sda_tui.listen.library import Library, Message

MOST_CONNECTIONS = 64
LARGEST_MESSAGE_BYTES = 4096  # from a page
LARGEST_HEADER_BYTES = 16 << 10
IDLE_S = 10.0  # until a connection has sent its request
ALIVE_S = 5.0  # between two messages that say no more than that the connection is alive
PING_S = 15.0


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
        self.admission = Admission(token)
        self.pages = Pages(library, on_message, on_pages)
        self.port = 0
        self._served = Served(self.admission, library, self.pages)
        self._http: _BoundedServer | None = None

    def start(self, port: int | None, usual_port: int | None = None) -> None:
        """Listen at `port`; without one at the usual one, or if that is taken at any that is free.

        Raises PortTakenError.
        """
        found = _listen_at(port) if port else (_try(usual_port) or _listen_at(0))
        found.setblocking(False)
        self.port = found.getsockname()[1]
        routes = [
            (r"/(|page\.js|page\.css)", Part, {"served": self._served}),
            (r"/sound/(\d{1,9})", Sound, {"served": self._served}),
            (r"/spectrogram/(\d{1,9})", Spectrogram, {"served": self._served}),
            (r"/key", Key, {"served": self._served}),
            (r"/again", Again, {"served": self._served}),
            (r"/live", Live, {"served": self._served}),
            (r".*", Nothing, {"served": self._served}),
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
        return f"http://{LOOPBACK}:{self.port}/?token={self.admission.token}"

    def new_address(self) -> str:
        """The same for one use within a minute: others may see the command that opens it."""
        return f"http://{LOOPBACK}:{self.port}/?token={self.admission.new_code()}"

    def send(self, message: Message) -> None:
        """Send to all pages."""
        self.pages.send(message)

    def stop(self, farewell: str) -> None:
        """Say why, and close everything."""
        self.send({"type": "farewell", "reason": farewell})
        self.pages.close()
        if self._http is not None:
            self._heartbeat.stop()
            self._http.stop()
            self._http.close_streams()


class _BoundedServer(HTTPServer):
    """Refuses connections beyond a number: they must not take the descriptors that training needs."""

    def initialize(self, *arguments: Any, **options: Any) -> None:
        super().initialize(*arguments, **options)
        self._open: list[IOStream] = []

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        self._open = [each for each in self._open if not each.closed()]
        if len(self._open) >= MOST_CONNECTIONS:
            stream.close()
            return
        self._open.append(stream)
        super().handle_stream(stream, address)

    def close_streams(self) -> None:
        """Close all connections at once; the loop may end before it could wait for anything."""
        for stream in self._open:
            stream.close()


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
