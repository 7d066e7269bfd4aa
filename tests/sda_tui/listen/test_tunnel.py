"""The lines that a user pastes."""

import getpass
import socket
from pathlib import Path

import pytest

from sda_tui.listen.tunnel import copy_line, guess_login, is_login, tunnel_line

USER = getpass.getuser()


@pytest.mark.parametrize(
    ("connection", "login"),
    [
        ("192.0.2.7 50000 192.0.2.1 22", f"{USER}@192.0.2.1"),
        ("192.0.2.7 50000 192.0.2.1 2222", f"-p 2222 {USER}@192.0.2.1"),
        ("2001:db8::7 50000 2001:db8::1 22", f"{USER}@2001:db8::1"),
        ("", f"{USER}@{socket.gethostname()}"),
        ("nonsense", f"{USER}@{socket.gethostname()}"),
    ],
)
def test_the_host_is_the_one_that_ssh_connected_to(connection: str, login: str) -> None:
    assert guess_login({"SSH_CONNECTION": connection}) == login
    assert is_login(login)


def test_a_tunnel_has_the_same_port_at_both_ends() -> None:
    assert tunnel_line(4321, "ada@box") == "ssh -N -L 4321:127.0.0.1:4321 ada@box"


@pytest.mark.parametrize(
    ("login", "line"),
    [
        ("ada@box", "scp ada@box:/runs/a.wav ."),
        ("-p 2222 ada@box", "scp -P 2222 ada@box:/runs/a.wav ."),
        ("ada@2001:db8::1", "scp 'ada@[2001:db8::1]:/runs/a.wav' ."),
    ],
)
def test_a_copy_is_written_as_scp_takes_it(login: str, line: str) -> None:
    assert copy_line(login, Path("/runs/a.wav")) == line


def test_a_path_with_spaces_is_quoted() -> None:
    assert copy_line("box", Path("/my runs/a.wav")) == "scp 'box:/my runs/a.wav' ."


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a;b",
        "a\nb",
        "$(x)",
        "a|b",
        "`x`",
        "a&b",
        "'a'",
        "x" * 201,
        "a\x1b[0m",
        "-p2222 box",
        "box -p 2222",
        "-l ada box",
        "-oProxyCommand=x",
    ],
)
def test_what_a_shell_would_execute_is_no_login(text: str) -> None:
    assert not is_login(text)


def test_one_line_copies_several_files() -> None:
    assert copy_line("box", Path("/a b.ts"), Path("/c.md")) == "scp 'box:/a b.ts' box:/c.md ."
