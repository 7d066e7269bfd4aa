"""`sda-tui listen`: the page of a run without the app."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import HTTPCookieProcessor, build_opener, urlopen

import pytest

from core.events import StateChanged
from tests.conftest import MakeRun
from tests.sda_tui.driving import a_step, write_run
from tests.sda_tui.listen.conftest import write_previews

Command = Callable[..., "subprocess.CompletedProcess[str]"]


@contextmanager
def listening(folder: Path, *arguments: str) -> Iterator[tuple["subprocess.Popen[str]", str, str]]:
    """The command while it serves, and the two lines that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-m", "sda_tui", "listen", *arguments],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip(), process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("given", [(), ("kicks",), ("kicks", "--runs", "runs")])
def test_the_page_of_a_run_is_served_until_it_is_interrupted(
    tmp_path: Path, make_run: MakeRun, given: tuple[str, ...]
) -> None:
    run = make_run("kicks")
    write_run(run, a_step(1, 1.0), *write_previews(run), StateChanged("finished", 1, 4, 1, 4))
    with listening(tmp_path, *given) as (process, tunnel, address):
        found = re.fullmatch(r"ssh -N -L (\d+):127\.0\.0\.1:\1 \S+", tunnel)
        assert found is not None
        assert address.startswith(f"http://127.0.0.1:{found[1]}/?token=")
        with pytest.raises(HTTPError, match="404"):
            urlopen(f"http://127.0.0.1:{found[1]}/")
        browser = build_opener(HTTPCookieProcessor())
        with browser.open(address) as page:
            assert page.url == f"http://127.0.0.1:{found[1]}/"
            assert b"Let the terminal play here" in page.read()
        deadline_s = time.monotonic() + 30
        while True:
            try:
                with browser.open(f"http://127.0.0.1:{found[1]}/sound/0") as sound:
                    assert sound.read() == (run.previews / "original.wav").read_bytes()
                break
            except HTTPError:
                assert time.monotonic() < deadline_s
                time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 0
        assert "Traceback" not in errors


def test_port_and_address_are_the_same_after_another_start(tmp_path: Path, make_run: MakeRun) -> None:
    make_run("kicks")
    with listening(tmp_path) as (_, _, first):
        pass
    with listening(tmp_path) as (_, _, second):
        assert second == first
        with listening(tmp_path) as (_, _, third):
            assert third.split("?")[0] != first.split("?")[0]


def test_what_cannot_be_served_is_one_sentence(tmp_path: Path, make_run: MakeRun, sda_tui: Command) -> None:
    import socket

    none = sda_tui("listen")
    assert none.returncode == 1
    assert none.stderr == "sda-tui: There is no run in runs; --runs names another folder.\n"
    make_run("kicks")
    assert "no run 'hats'" in sda_tui("listen", "hats").stderr
    for port in ("0", "70000", "x", "-1"):
        wrong = sda_tui("listen", "kicks", f"--port={port}")
        assert wrong.returncode == 2
        assert "is no port" in wrong.stderr
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        refused = sda_tui("listen", "kicks", "--port", port)
    assert refused.returncode == 1
    assert f"Cannot listen at port {port}" in refused.stderr
    (tmp_path / "runs" / "kicks" / "run.json").write_text("{")
    assert sda_tui("listen", "kicks").returncode == 1
