"""The lines that a user pastes on the own machine."""

import getpass
import os
import re
import shlex
import socket
from collections.abc import Mapping
from pathlib import Path

from sda_tui.listen.access import LOOPBACK

LONGEST_LOGIN = 200
# The options that scp has too: a port, a jump host, a key.
_LOGIN = re.compile(r"(-p \d{1,5} |-[Ji] [\w@.:,/~][\w@.:,/~-]* )*([\w.+-]+@)?[\w\[][\w.:%\[\]-]*")


def guess_login(environment: Mapping[str, str] = os.environ) -> str:
    """This machine as `ssh` on the user's own machine may know it: the address that it connected to.

    Behind a jump host or in a container it is another one, which only the user knows.
    """
    words = environment.get("SSH_CONNECTION", "").split()
    host, port = (words[2], words[3]) if len(words) == 4 else (socket.gethostname(), "22")
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container whose user has no name
        user = "root"
    return f"{user}@{host}" if port == "22" else f"-p {port} {user}@{host}"


def is_login(text: str) -> bool:
    """Whether this may stand in a command: a host, perhaps with a user, `-p`, `-J` or `-i` before it."""
    return len(text) <= LONGEST_LOGIN and _LOGIN.fullmatch(text) is not None


def tunnel_line(port: int, login: str) -> str:
    """The command that connects a port of the user's machine to the page's."""
    return f"ssh -N -L {port}:{LOOPBACK}:{port} {login}"


def copy_line(login: str, *paths: Path) -> str:
    """The command that copies files to the user's machine."""
    *options, host = login.split(" ")
    words = ["-P" if word == "-p" else word for word in options]
    sources = [shlex.quote(f"{_bracketed(host)}:{path}") for path in paths]
    return " ".join(["scp", *words, *sources, "."])


def _bracketed(host: str) -> str:
    """A host as scp writes it: an IPv6 address in brackets."""
    user, at, name = host.rpartition("@")
    return f"{user}{at}[{name}]" if ":" in name and not name.startswith("[") else host
