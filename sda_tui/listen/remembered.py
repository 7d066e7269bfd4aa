"""What stays from one start to the next, so that a tunnel and an open page work again."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from sda_tui.listen.access import is_token, new_token
from sda_tui.listen.tunnel import is_login
from sda_tui.remembered import LARGEST_BYTES, read_remembered, write_remembered

FILE_NAME = "listening.json"


@dataclass(frozen=True)
class Remembered:
    """`token` and `port` of the page, `login` for the tunnel, and the `player` and `device` that were chosen.

    An empty or zero one was not chosen.
    """

    token: str = ""
    port: int = 0
    login: str = ""
    player: str = ""
    device: str = ""

    @classmethod
    def load(cls) -> Self:
        """What was remembered, as far as it makes sense, with a token in any case."""
        found = read_remembered(FILE_NAME)
        port, login = found.get("port"), found.get("login")
        token = found.get("token")
        texts = {name: str(found.get(name, ""))[:LARGEST_BYTES] for name in ("player", "device")}
        return cls(
            token=token if isinstance(token, str) and is_token(token) else new_token(),
            port=port if type(port) is int and 0 < port < 1 << 16 else 0,
            login=login if isinstance(login, str) and is_login(login) else "",
            **texts,
        )

    def change(self, **values: Any) -> Self:
        """With these values, which are remembered where that is possible, for the user alone: whoever has the
        token may use the page."""
        changed = replace(self, **values)
        write_remembered(FILE_NAME, asdict(changed))
        return changed
