"""Where the terminal is: beyond SSH, in tmux or screen."""

import os
from collections.abc import Mapping

SSH_VARIABLES = ("SSH_CONNECTION", "SSH_CLIENT", "SSH_TTY")  # sudo and su keep some of them


def is_remote(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the user is at another machine, connected by SSH."""
    return any(environment.get(name) for name in SSH_VARIABLES)


def multiplexer(environment: Mapping[str, str] = os.environ) -> str:
    """The program that keeps the terminal when a connection is lost; empty if there is none."""
    if environment.get("TMUX"):
        return "tmux"
    if environment.get("STY"):
        return "screen"
    return "zellij" if environment.get("ZELLIJ") else ""
