"""Who may use the listener page: a browser on the user's own machine that has the token.

The port is on the loopback interface alone, but any user of the box, and any web page that the user's
browser has open, can reach it.  So each request needs the token, and the name and the origin of a local page.
"""

import hashlib
import hmac
import re
import secrets
from urllib.parse import urlsplit

LOOPBACK = "127.0.0.1"
TOKEN_BYTES = 32
_HOST = re.compile(r"(127\.0\.0\.1|localhost|\[::1\])(:\d{1,5})?", re.IGNORECASE)


def new_token() -> str:
    """A token that nobody can guess."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def is_token(text: object) -> bool:
    """Whether this has the form of what `new_token` gives."""
    return isinstance(text, str) and re.fullmatch(r"[\w-]{43,}", text, re.ASCII) is not None


def is_same(given: str, token: str) -> bool:
    """Compare in constant time."""
    return hmac.compare_digest(given.encode(errors="surrogatepass"), token.encode())


def sign(token: str, text: str) -> str:
    """A proof of knowing the token that does not give it away: HMAC-SHA256, in hexadecimal."""
    return hmac.new(token.encode(), text.encode(errors="surrogatepass"), hashlib.sha256).hexdigest()


def cookie_name(token: str) -> str:
    """Cookies are shared by all ports of a host: each token has a name of its own."""
    return f"sda-tui-{hashlib.sha256(token.encode()).hexdigest()[:16]}"


def is_local_host(host: str) -> bool:
    """Whether a Host header names this very machine, at any port: that of the tunnel is the browser's.

    A page elsewhere whose name was made to resolve to 127.0.0.1 (DNS rebinding) has another one.
    """
    return _HOST.fullmatch(host) is not None


def is_own_origin(origin: str, host: str) -> bool:
    """Whether an Origin header is of the page itself: a page at another local port is of another program."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and parts.netloc.lower() == host.lower()
