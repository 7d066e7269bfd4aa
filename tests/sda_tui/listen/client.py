"""Requests as no browser tidies them, and the connection of a page."""

import asyncio
import json
from typing import Any

from tornado.httpclient import HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

from sda_tui.listen.server import ListenServer


async def ask(
    server: ListenServer, path: str, method: str = "GET", body: bytes = b"", **headers: str
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of one request, written as it is given: no client tidies it."""
    given = {"Host": f"127.0.0.1:{server.port}", "Connection": "close", **headers}
    lines = [
        f"{method} {path} HTTP/1.1",
        *(f"{name.replace('_', '-')}: {value}" for name, value in given.items()),
    ]
    return await send(server, "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)


async def send(server: ListenServer, data: bytes) -> tuple[int, dict[str, str], bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.write(data)
    answer = await asyncio.wait_for(reader.read(), 30)
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    if not head:
        return 0, {}, b""
    status, *lines = head.decode().split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return int(status.split()[1]), headers, body


def cookie(server: ListenServer, value: str | None = None) -> str:
    """What a browser sends that has opened the address, or another value of that name."""
    return f"{server.admission.cookie_name}={server.admission.cookie if value is None else value}"


async def connect(server: ListenServer, **headers: str) -> WebSocketClientConnection:
    origin = f"http://127.0.0.1:{server.port}"
    return await websocket_connect(
        HTTPRequest(
            f"ws://127.0.0.1:{server.port}/live",
            headers={"Origin": origin, "Cookie": cookie(server), **headers},
        )
    )


async def receive(connection: WebSocketClientConnection) -> dict[str, Any]:
    text = await asyncio.wait_for(connection.read_message(), 30)
    assert text is not None
    message: dict[str, Any] = json.loads(text)
    return message
