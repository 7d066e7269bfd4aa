"""What stays from one start to the next, so that a tunnel and an open page work again."""

import contextlib
import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from sda_tui.configuration.location import user_folder
from sda_tui.listen.access import is_token, new_token
from sda_tui.listen.tunnel import is_login
from sda_tui.remembered import write_privately

LARGEST_BYTES = 1 << 16


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
        found = _read()
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
        """With these values, which are remembered where that is possible."""
        changed = replace(self, **values)
        changed._save()
        return changed

    def _save(self) -> None:
        """Write it for the user alone: whoever has the token may use the page."""
        path = _path()
        if path is None:
            return
        with contextlib.suppress(OSError):
            write_privately(path, json.dumps(asdict(self), indent=1).encode())


def _path() -> Path | None:
    folder = user_folder()
    return folder / "listening.json" if folder else None


def _read() -> dict[str, Any]:
    path = _path()
    if path is None:
        return {}
    try:
        with path.open("rb") as file:
            found = json.loads(file.read(LARGEST_BYTES))
    except (OSError, RecursionError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
