"""What the page's server gives to whom: real connections to a real server."""

import asyncio
import contextlib
import logging
import os
import re
import socket
import subprocess
import time
from pathlib import Path

import pytest

from core.errors import SdaError
from core.events import PreviewReady, RunState
from core.runs import RunDirectory
from sda_tui.listen.access import new_token, sign
from sda_tui.listen.library import Library
from sda_tui.listen.server import LARGEST_MESSAGE_BYTES, MOST_CONNECTIONS, ListenServer, PortTakenError
from tests.conftest import MakeRun, need
from tests.sda_tui.listen.client import ask, connect, cookie, send
from tests.sda_tui.listen.conftest import Served, path_of, write_preview

PATHS = (
    "/",
    "/page.js",
    "/page.css",
    "/sound/0",
    "/spectrogram/1",
    "/live",
    "/key",
    "/again",
    "/again?time=0&proof=0",
    "/nothing",
    "/sound/../run.json",
)


async def test_the_token_is_exchanged_for_a_cookie_and_leaves_the_address(serve: Served) -> None:
    server = serve()
    status, headers, _ = await ask(server, server.address.split(str(server.port))[1])
    assert status == 303
    assert headers["location"] == "/"
    given = headers["set-cookie"]
    assert given.startswith(cookie(server))
    assert server.admission.token not in given
    for flag in ("HttpOnly", "SameSite=Strict", "Path=/"):
        assert flag in given
    status, headers, body = await ask(server, "/", Cookie=given.split(";")[0])
    assert status == 200
    assert b"Let the terminal play here" in body
    assert server.admission.token.encode() not in body


async def test_without_the_token_every_address_answers_alike(serve: Served) -> None:
    server = serve()
    wrong = new_token()
    answers = set()
    for path in PATHS:
        for headers in ({}, {"Cookie": cookie(server, wrong)}, {"Cookie": cookie(server, "")}):
            status, got, body = await ask(server, path, **headers)
            got.pop("date")
            answers.add((status, tuple(sorted(got.items())), body))
    for path, method in (
        (f"/?token={wrong}", "GET"),
        ("/", "FOO"),
        ("/sound/0", "POST"),
        ("/sound/0", "HEAD"),
    ):
        status, got, body = await ask(server, path, method, Content_Length="0")
        got.pop("date")
        answers.add((status, tuple(sorted(got.items())), body or b"Not found\n"))
    assert len(answers) == 1
    status, headers, body = answers.pop()
    assert (status, body) == (404, b"Not found\n")
    assert "sda" not in str(headers).lower()
    assert "tornado" not in str(headers).lower()


async def test_who_has_no_token_gets_one_answer_for_each_connection(serve: Served) -> None:
    server = serve()
    request = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n{{}}\r\n".format
    assert (await send(server, 5 * request("").encode()))[2].count(b"Not found") == 1
    admitted = request(f"Cookie: {cookie(server)}\r\n") + request(
        f"Connection: close\r\nCookie: {cookie(server)}\r\n"
    )
    assert (await send(server, admitted.encode()))[2].count(b"<!doctype html>") == 2


async def test_the_token_itself_is_no_cookie(serve: Served) -> None:
    """Browsers send cookies to every port of a machine: another program there must not get the token."""
    server = serve()
    assert (await ask(server, "/", Cookie=cookie(server, server.admission.token)))[0] == 404


async def test_an_address_for_one_use_is_good_for_one_use(serve: Served) -> None:
    server = serve()
    address = server.new_address()
    assert server.admission.token not in address
    path = address.split(str(server.port))[1]
    assert (await ask(server, path, Host="evil.example"))[0] in (400, 404)
    assert (await ask(server, path))[0] == 303
    assert (await ask(server, path))[0] == 404


async def test_a_page_of_an_earlier_start_proves_to_know_the_token(serve: Served) -> None:
    server = serve()
    assert (await ask(server, "/key", Cookie=cookie(server)))[2].decode() == server.admission.token
    host, now = f"127.0.0.1:{server.port}", round(time.time())

    async def again(host: str, now: int, proof: str) -> int:
        status, headers, _ = await ask(server, f"/again?time={now}&proof={proof}", Host=host)
        assert ("set-cookie" in headers) == (status == 204)
        return status

    assert await again(host, now, sign(server.admission.token, f"{host} {now}")) == 204
    for given_host, given_time, proof in (
        (host, now, sign(new_token(), f"{host} {now}")),
        (host, now - 120, sign(server.admission.token, f"{host} {now - 120}")),
        (host, now + 120, sign(server.admission.token, f"{host} {now + 120}")),
        ("localhost:1", now, sign(server.admission.token, f"{host} {now}")),
        (host, now, server.admission.token),
        (host, now, ""),
    ):
        assert await again(given_host, given_time, proof) == 404


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.168.0.1", ""])
async def test_another_host_name_gets_nothing(serve: Served, host: str) -> None:
    """A page elsewhere whose name resolves to 127.0.0.1 (DNS rebinding) sends its own name."""
    server = serve()
    for path in ("/", "/sound/0", f"/?token={server.admission.token}"):
        status, headers, _ = await ask(server, path, Host=host, Cookie=cookie(server))
        assert status in (400, 404)
        assert "set-cookie" not in headers


async def test_any_port_of_the_tunnel_works(serve: Served) -> None:
    server = serve()
    for host in ("localhost:1234", "127.0.0.1", "[::1]:99"):
        assert (await ask(server, "/", Host=host, Cookie=cookie(server)))[0] == 200


async def test_a_foreign_origin_gets_nothing_and_no_socket(serve: Served) -> None:
    server = serve()
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1"):
        assert (await ask(server, "/sound/0", Cookie=cookie(server), Origin=origin))[0] == 404
        with pytest.raises(Exception, match="404"):
            await connect(server, Origin=origin)
    with pytest.raises(Exception, match="404"):
        await connect(server, Cookie="")
    assert len(server.pages) == 0


async def test_the_page_may_load_nothing_from_elsewhere(serve: Served) -> None:
    server = serve()
    for path in ("/", "/page.js", "/page.css", "/sound/0", "/missing"):
        _, headers, body = await ask(server, path, Cookie=cookie(server))
        policy = headers["content-security-policy"]
        assert policy.startswith(
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'"
        )
        assert "frame-ancestors 'none'" in policy
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
        assert headers["x-content-type-options"] == "nosniff"
        if path in ("/", "/page.js", "/page.css"):
            assert not re.search(rb"(https?:)?//[a-z]", re.sub(rb"// .*|ws://\$", b"", body))


@pytest.mark.parametrize(
    "path",
    [
        "/sound/..",
        "/sound/../../run.json",
        "/sound/%2e%2e%2frun.json",
        "/sound/..%2f..%2frun.json",
        "/sound/0/../../run.json",
        "/sound/0%00",
        "/sound/0%00.wav",
        "/sound//etc/passwd",
        "//etc/passwd",
        "/page.js/../../server.py",
        "/%70age.js%00",
        "/sound/99",
        "/sound/-1",
        "/sound/999999999999999999",
        "/sound/٣",
        "/spectrogram/99",
    ],
)
async def test_no_path_reaches_the_disk(serve: Served, path: str) -> None:
    server = serve()
    quoted = path.encode().decode("latin-1")
    status, _, body = await ask(server, quoted, Cookie=cookie(server))
    assert status in (400, 404)
    assert b"format_version" not in body
    assert b"root:" not in body


async def test_a_sound_is_the_file_in_whole_and_in_part(
    serve: Served, run: RunDirectory, previews: list[PreviewReady]
) -> None:
    server = serve()
    data = path_of(run, previews[2]).read_bytes()
    status, headers, body = await ask(server, "/sound/2", Cookie=cookie(server))
    assert (status, headers["content-type"], body) == (200, "audio/wav", data)
    for asked, first, stop in (
        ("bytes=0-99", 0, 100),
        ("bytes=1000-", 1000, len(data)),
        ("bytes=-50", len(data) - 50, len(data)),
        ("bytes=10-999999999999999", 10, len(data)),
    ):
        status, headers, body = await ask(server, "/sound/2", Cookie=cookie(server), Range=asked)
        assert (status, body) == (206, data[first:stop])
        assert headers["content-range"] == f"bytes {first}-{stop - 1}/{len(data)}"


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=0-1,2-3",
        "bytes=" + ",".join(f"{n}-{n}" for n in range(500)),
        "bytes=-",
        "bytes=-0",
        "bytes=5-2",
        "bytes=99999999999-",
        "bytes=99999999999999999999999999-",
        "lines=0-1",
        "bytes=a-b",
    ],
    ids=range(9),
)
async def test_many_and_senseless_ranges_are_refused(serve: Served, asked: str) -> None:
    server = serve()
    status, _, body = await ask(server, "/sound/2", Cookie=cookie(server), Range=asked)
    assert status == 416
    assert len(body) < 100


async def test_other_methods_and_large_bodies_are_refused(serve: Served) -> None:
    server = serve()
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        status, _, _ = await ask(server, "/sound/2", method, Cookie=cookie(server), Content_Length="0")
        assert status in (403, 404, 405)
    body = b"x" * (LARGEST_MESSAGE_BYTES + 1)
    status, _, _ = await ask(server, "/", "POST", body, Cookie=cookie(server), Content_Length=str(len(body)))
    assert status in (0, 400, 413)


async def test_what_is_no_request_is_refused_and_the_next_one_answered(serve: Served) -> None:
    server = serve()
    for data in (
        b"\x16\x03\x01\x02",
        b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 9000 + b"\r\n",
        b"\0" * 100 + b"\r\n\r\n",
    ):
        with contextlib.suppress(ConnectionError, TimeoutError):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(data)
            writer.write_eof()
            await asyncio.wait_for(reader.read(), 10)
            writer.close()
    assert (await ask(server, "/", Cookie=cookie(server)))[0] == 200


async def test_a_preview_that_is_gone_or_a_link_is_not_served(
    serve: Served, run: RunDirectory, previews: list[PreviewReady], tmp_path: Path
) -> None:
    server = serve()
    secret = tmp_path / "secret.wav"
    secret.write_bytes(path_of(run, previews[0]).read_bytes())
    first, second = path_of(run, previews[2]), path_of(run, previews[3])
    first.unlink()
    second.unlink()
    second.symlink_to(secret)
    for number in (2, 3):
        assert (await ask(server, f"/sound/{number}", Cookie=cookie(server)))[0] == 404
    second.unlink()
    os.mkfifo(second)
    assert (await ask(server, "/sound/3", Cookie=cookie(server)))[0] == 404


async def test_a_run_that_was_deleted_leaves_the_page_standing(serve: Served, run: RunDirectory) -> None:
    import shutil

    server = serve()
    shutil.rmtree(run.path)
    assert (await ask(server, "/", Cookie=cookie(server)))[0] == 200
    assert (await ask(server, "/sound/0", Cookie=cookie(server)))[0] == 404
    assert (await ask(server, "/spectrogram/2", Cookie=cookie(server)))[0] == 404


async def test_a_spectrogram_has_a_byte_for_each_cell(serve: Served) -> None:
    server = serve()
    status, headers, body = await ask(server, "/spectrogram/2", Cookie=cookie(server))
    assert (status, headers["x-mels"], headers["x-frames"]) == (200, "128", "94")
    assert len(body) == 128 * 94
    assert body[0] == 0
    assert max(body) == 255


async def test_the_sounds_of_another_run_are_served_no_more(
    serve: Served, library: Library, make_run: MakeRun, previews: list[PreviewReady]
) -> None:
    server = serve()
    other = make_run("hats")
    shown = library.show_run(
        other, RunState.TRAINING, 0, [write_preview(other, 0, "sample", "sample 1", 900.0)]
    )
    assert [message["type"] for message in shown] == ["run"]
    (listed,) = shown[0]["previews"]
    assert listed["number"] == len(previews)
    assert (await ask(server, f"/sound/{listed['number']}", Cookie=cookie(server)))[0] == 200
    for number in range(len(previews)):
        assert (await ask(server, f"/sound/{number}", Cookie=cookie(server)))[0] == 404


async def test_of_two_hundred_connections_few_are_open_and_not_for_long(
    serve: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sda_tui.listen.server.IDLE_S", 1.0)
    server = serve()
    many = []
    for _ in range(200):
        with contextlib.suppress(OSError):
            many.append(socket.create_connection(("127.0.0.1", server.port), timeout=10))
        await asyncio.sleep(0)
    await asyncio.sleep(0.2)
    open_ones = sum(_is_open(each) for each in many)
    assert open_ones <= MOST_CONNECTIONS
    await asyncio.sleep(1.5)  # those that ask nothing are closed
    assert (await ask(server, "/", Cookie=cookie(server)))[0] == 200
    for each in many:
        each.close()


async def test_nothing_stays_open_when_the_server_ends(serve: Served) -> None:
    server = serve()
    idle = [socket.create_connection(("127.0.0.1", server.port), timeout=10) for _ in range(10)]
    await connect(server)
    await asyncio.sleep(0.1)
    server.stop("The terminal was left.")
    await asyncio.sleep(0)
    assert not any(_is_open(each) for each in idle)
    for each in idle:
        each.close()


def _is_open(connection: socket.socket) -> bool:
    connection.setblocking(False)
    try:
        return connection.recv(1) != b""
    except BlockingIOError:
        return True
    except OSError:
        return False


async def test_no_log_has_the_token(
    serve: Served, library: Library, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = serve()
    with caplog.at_level(logging.DEBUG):
        logging.getLogger("tornado").setLevel(logging.DEBUG)
        await ask(server, f"/?token={server.admission.token}")
        await ask(server, f"/?token={server.admission.token}", Host="evil.example")
        await ask(server, f"/missing?token={server.admission.token}", Cookie=cookie(server))
        await ask(
            server, f"/sound/2?token={server.admission.token}&x=%", Cookie=cookie(server), Range="bytes=9-1"
        )
        monkeypatch.setattr(library, "read_sound", lambda _: 1 / 0)
        assert (await ask(server, f"/sound/2?token={server.admission.token}", Cookie=cookie(server)))[
            0
        ] == 500
    assert "ZeroDivisionError" in caplog.text
    assert server.admission.token not in caplog.text


async def test_only_the_loopback_interface_is_listened_at(serve: Served) -> None:
    server = serve()
    found = (
        subprocess.run(["ss", "-ltnH"], capture_output=True, text=True, check=False) if _has_ss() else None
    )
    need(found is not None, "ss")
    assert found is not None
    ours = [
        line.split()[3] for line in found.stdout.splitlines() if line.split()[3].endswith(f":{server.port}")
    ]
    assert ours == [f"127.0.0.1:{server.port}"]


def _has_ss() -> bool:
    import shutil

    return shutil.which("ss") is not None


async def test_a_port_that_is_taken_is_named(serve: Served) -> None:
    server = serve()
    with pytest.raises(PortTakenError, match=f"port {server.port} .*choose another"):
        serve(server.port)
    with pytest.raises(SdaError):
        serve(70_000)


async def test_the_usual_port_is_left_when_it_is_taken(library: Library, serve: Served) -> None:
    server = serve()
    second = ListenServer(library, server.admission.token)
    second.start(None, server.port)
    assert second.port not in (0, server.port)
    second.stop("")
