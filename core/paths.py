"""Paths as users write them."""

from pathlib import Path

from core.errors import SdaError


def expand(path: Path) -> Path:
    """Replace `~` and `~user` at the start.  Raises SdaError if there is no such user."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise SdaError(f"There is no user {path.parts[0][1:]!r}; write the path {path} in full.") from None
