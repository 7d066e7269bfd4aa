"""The whole way: an app in tmux on a machine without sound, an SSH tunnel, a browser at its other end."""

import asyncio
import getpass
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from core.events import PreviewReady, StateChanged
from core.runs import RunDirectory
from tests.browser import Browser, Chromium
from tests.conftest import need, read_wav
from tests.sda_tui.driving import a_step, write_run
from tests.sda_tui.listen.conftest import path_of
from tests.sda_tui.listen.test_page import PLAYING, decoded

SSHD = shutil.which("sshd") or "/usr/sbin/sshd"
LOCAL = ["-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes"]

pytestmark = pytest.mark.slow


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def wait_for_port(port: int) -> None:
    deadline_s = time.monotonic() + 30
    while time.monotonic() < deadline_s:
        with socket.socket() as connection:
            if connection.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail(f"nothing listens at port {port}")


@pytest.fixture
def ssh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """A real sshd on the loopback interface; the words with which a client connects to it."""
    need(Path(SSHD).exists() and shutil.which("ssh") is not None, "OpenSSH")
    folder, port = tmp_path_factory.mktemp("ssh"), free_port()
    for name in ("host", "user"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    if os.getuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    (folder / "config").write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder / 'host'}\nPidFile none\n"
        f"AuthorizedKeysFile {folder / 'user.pub'}\nStrictModes no\nUsePAM no\nPasswordAuthentication no\n"
        "AllowTcpForwarding yes\n"
    )
    server = subprocess.Popen([SSHD, "-D", "-e", "-f", folder / "config"], stderr=subprocess.DEVNULL)
    try:
        wait_for_port(port)
        yield ["ssh", *LOCAL, "-i", str(folder / "user"), "-p", str(port), f"{getpass.getuser()}@127.0.0.1"]
    finally:
        server.terminate()
        server.wait()


class Tmux:
    """The program in a terminal of tmux, as in a session over SSH on a machine without a sound card."""

    def __init__(self, folder: Path, *arguments: str | Path) -> None:
        need(shutil.which("tmux") is not None, "tmux")
        self._command = ["tmux", "-L", f"sda-{os.getpid()}", "-f", "/dev/null"]
        home = folder / "home"
        home.mkdir(exist_ok=True)
        environment = {
            **{name: value for name, value in os.environ.items() if name not in {"COLUMNS", "LINES"}},
            "HOME": str(home),
            "XDG_RUNTIME_DIR": str(home),
            "SSH_CONNECTION": "192.0.2.7 50000 192.0.2.1 22",
        }
        program = [sys.executable, "-m", "sda_tui", *map(str, arguments)]
        subprocess.run(
            [*self._command, "new-session", "-d", "-x", "120", "-y", "36", *program],
            cwd=folder,
            env=environment,
            check=True,
        )

    @property
    def text(self) -> str:
        return subprocess.run(
            [*self._command, "capture-pane", "-p"], capture_output=True, text=True, check=False
        ).stdout

    def press(self, *keys: str) -> None:
        subprocess.run([*self._command, "send-keys", *keys], check=True)

    def wait_for(self, *texts: str) -> str:
        deadline_s = time.monotonic() + 60
        while time.monotonic() < deadline_s:
            if all(each in (shown := self.text) for each in texts):
                return shown
            time.sleep(0.1)
        pytest.fail(f"{texts} did not appear:\n{self.text}")

    def wait_for_exit(self) -> None:
        deadline_s = time.monotonic() + 60
        while (
            subprocess.run([*self._command, "has-session"], capture_output=True, check=False).returncode == 0
        ):
            assert time.monotonic() < deadline_s, self.text
            time.sleep(0.1)

    def close(self) -> None:
        subprocess.run([*self._command, "kill-server"], capture_output=True, check=False)


async def test_a_key_in_the_terminal_sounds_at_the_other_end_of_the_tunnel(
    tmp_path: Path, run: RunDirectory, previews: list[PreviewReady], ssh: list[str], chromium: Chromium
) -> None:
    write_run(run, a_step(1, 1.0), *previews, StateChanged("finished", 1, 4, 1, 4))
    terminal = Tmux(tmp_path, "attach", run.path)
    tunnel = None
    try:
        await asyncio.to_thread(terminal.wait_for, "finished", "♪ l plays on your computer")
        terminal.press("Right")  # offers the way, as there is no sound card
        shown = await asyncio.to_thread(terminal.wait_for, "ssh -N -L", "?token=", "Waiting for the page")
        line = re.search(r"ssh -N -L (\d+):127\.0\.0\.1:\1 (\S+)", shown)
        assert line is not None
        assert line[2] == f"{getpass.getuser()}@192.0.2.1"
        address = re.search(r"http://127\.0\.0\.1:(\d+)(/\?token=[\w-]+)", shown)
        assert address is not None
        port, there = int(address[1]), free_port()
        tunnel = subprocess.Popen([*ssh[:-1], "-N", "-L", f"{there}:127.0.0.1:{port}", ssh[-1]])
        await asyncio.to_thread(wait_for_port, there)
        page = await chromium.new_page()
        await page.open(f"http://127.0.0.1:{there}{address[2]}")
        await asyncio.to_thread(terminal.wait_for, "A page is open; click")
        await page.click("#allow")
        await asyncio.to_thread(terminal.wait_for, "♪ page on your computer")

        await play_and_compare(terminal, page, run, previews)
        terminal.press("Left")
        await page.wait_for("playing === null")
        assert page.problems == []

        terminal.press("q")
        await asyncio.to_thread(terminal.wait_for_exit)
        await page.wait_for("byId('connection').textContent.startsWith('The terminal was left.')")
        terminal = Tmux(tmp_path, "attach", run.path)
        await asyncio.to_thread(terminal.wait_for, "finished", "♪ l plays on your computer")
        terminal.press("l")
        await page.wait_for("byId('connection').textContent === 'Connected.'")
        await asyncio.to_thread(terminal.wait_for, "♪ page on your computer")
        await play_and_compare(terminal, page, run, previews)

        terminal.close()  # with everything in it
        await page.wait_for("document.body.classList.contains('lost')")
    finally:
        terminal.close()
        if tunnel is not None:
            tunnel.terminate()
            tunnel.wait()


async def play_and_compare(
    terminal: Tmux, page: Browser, run: RunDirectory, previews: list[PreviewReady]
) -> None:
    """Play the newest reconstruction from the terminal; what the page has is that file, and moves."""
    terminal.press("Right")
    assert await page.wait_for(PLAYING) == "epoch-0004-reconstruction.wav"
    position = await page.evaluate("position()")
    assert await page.wait_for(f"position() > {position} + 0.1")
    await asyncio.to_thread(terminal.wait_for, "▶☆ reconstruction")
    number = next(n for n, each in enumerate(previews) if each.path.endswith("0004-reconstruction.wav"))
    samples, _ = read_wav(path_of(run, previews[number]))
    browser = await decoded(page, await page.evaluate("chosen"))
    assert np.corrcoef(browser, samples)[0, 1] > 0.99
