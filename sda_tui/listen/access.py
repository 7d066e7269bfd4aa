"""Who may use the listener page: a browser on the user's own machine that has the token.

The port is on the loopback interface alone, but any user of the box, and any web page that the user's
browser has open, can reach it.  So each request needs the token, and the name and the origin of a local page.
"""

import hashlib
import hmac
import re
import secrets
import time
from urllib.parse import urlsplit

LOOPBACK = "127.0.0.1"
TOKEN_BYTES = 32
PROOF_S = 30.0  # how old the proof of a page may be that knows the token
CODE_S = 60.0  # how long an address for one use is valid
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


def is_ours(host: str, origin: str | None) -> bool:
    """Whether a request names this machine, and comes from the page or from the address bar."""
    return is_local_host(host) and (origin is None or is_own_origin(origin, host))


class Admission:
    """Who is let in: a browser with the cookie of this start.

    It gets that for the token, for a code that is good for one use, or for proving to know the token.  The
    cookie is not the token, since browsers send it to every port of the machine.
    """

    def __init__(self, token: str) -> None:
        self.token = token
        self.cookie = new_token()
        self._codes: dict[str, float] = {}  # until when each is valid

    @property
    def cookie_name(self) -> str:
        return cookie_name(self.token)

    def admits(self, host: str, origin: str | None, cookie: str) -> bool:
        return is_ours(host, origin) and is_same(cookie, self.cookie)

    def new_code(self) -> str:
        """A code for an address that others may see, as they see the command which opens it."""
        code = new_token()
        self._codes[code] = time.monotonic() + CODE_S
        return code

    def opens(self, given: str) -> bool:
        """Whether this is the token, or a code that was not used yet."""
        now_s = time.monotonic()
        self._codes = {code: until_s for code, until_s in self._codes.items() if until_s > now_s}
        used = next((code for code in self._codes if is_same(given, code)), None)
        if used is not None:
            del self._codes[used]
        return used is not None or is_same(given, self.token)

    def proves(self, host: str, time_s: str, proof: str) -> bool:
        """Whether a page of an earlier start knows the token: it signs the time, which the answers have."""
        if not re.fullmatch(r"\d{1,12}", time_s) or abs(time.time() - int(time_s)) > PROOF_S:
            return False
        return is_same(proof, sign(self.token, f"{host} {time_s}"))
