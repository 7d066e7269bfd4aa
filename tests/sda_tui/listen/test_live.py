"""The connection over which a page follows the terminal."""

import asyncio
from typing import Any

import pytest

from core.events import PreviewReady, RunState
from core.runs import RunDirectory
from sda_tui.listen.handlers import MOST_PAGES
from sda_tui.listen.library import Library
from sda_tui.listen.server import LARGEST_MESSAGE_BYTES
from tests.sda_tui.listen.client import connect, cookie, receive
from tests.sda_tui.listen.conftest import Served, write_preview


async def test_a_page_gets_the_list_then_what_changes(
    serve: Served, library: Library, run: RunDirectory, previews: list[PreviewReady]
) -> None:
    server = serve()
    page = await connect(server)
    first = await receive(page)
    assert (first["type"], first["name"], first["state"], first["best"]) == ("run", "kicks", "training", 2)
    assert [each["number"] for each in first["previews"]] == list(range(len(previews)))
    new = write_preview(run, 6, "sample", "sample 1", 700.0)
    for message in library.show_run(run, RunState.TRAINING, 2, [*previews, new]):
        server.send(message)
    added = await receive(page)
    assert [each["label"] for each in added["previews"]] == ["sample 1"]
    assert library.show_run(run, RunState.TRAINING, 2, [*previews, new]) == []
    for message in library.show_run(run, RunState.FINISHED, 6, [*previews, new]):
        server.send(message)
    assert await receive(page) == {"type": "state", "state": "finished", "best": 6}


async def test_several_pages_get_the_same_and_may_leave(serve: Served) -> None:
    server = serve()
    pages = [await connect(server) for _ in range(3)]
    for page in pages:
        assert (await receive(page))["type"] == "run"
    pages[0].close()
    while len(server.pages) > 2:
        await asyncio.sleep(0.01)
    server.send({"type": "stop"})
    for page in pages[1:]:
        assert await receive(page) == {"type": "stop"}


async def test_more_pages_than_there_may_be_are_refused(serve: Served) -> None:
    server = serve()
    pages = [await connect(server) for _ in range(MOST_PAGES)]
    with pytest.raises(Exception, match="503"):
        await connect(server)
    pages[0].close()
    while len(server.pages) == MOST_PAGES:
        await asyncio.sleep(0.01)
    await connect(server)


async def test_what_a_page_sends_is_taken_as_data(serve: Served) -> None:
    received: list[dict[str, Any]] = []
    server = serve(on_message=lambda _page, message: received.append(message))
    page = await connect(server)
    for text in (
        "",
        "[",
        "[]",
        "7",
        "null",
        '"x"',
        "[" * 2000,
        '{"type": ["x"]}',
        '{"type": "ready", "ready": true}',
    ):
        await page.write_message(text)
    while not any(message.get("type") == "ready" for message in received):
        await asyncio.sleep(0.01)
    assert server.pages.ready == 1
    await page.write_message('{"type": "progress", "id": 1, "number": 0, "position": ' + "9" * 400 + "}")
    await page.write_message("x" * (LARGEST_MESSAGE_BYTES + 1))
    while server.pages:
        await asyncio.sleep(0.01)


async def test_a_page_that_does_not_read_is_left_behind(serve: Served) -> None:
    server = serve()
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, limit=1)
    key = "dGhlIHNhbXBsZSBub25jZQ=="
    writer.write(
        f"GET /live HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\nCookie: {cookie(server)}\r\n"
        f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n"
        "Sec-WebSocket-Version: 13\r\n\r\n".encode()
    )
    while not server.pages:
        await asyncio.sleep(0.01)
    for _ in range(4000):
        server.send({"type": "note", "text": "x" * 20_000})
        await asyncio.sleep(0)
        if not server.pages:
            break
    else:
        pytest.fail("it is still waited for")
    del reader
    writer.close()


async def test_a_page_gets_the_reason_why_the_server_ends(serve: Served) -> None:
    server = serve()
    page = await connect(server)
    await receive(page)
    server.stop("The terminal was left.")
    assert await receive(page) == {"type": "farewell", "reason": "The terminal was left."}
    assert await asyncio.wait_for(page.read_message(), 30) is None
