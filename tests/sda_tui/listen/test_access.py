"""Who may use the page."""

import pytest

from sda_tui.listen.access import cookie_name, is_local_host, is_own_origin, is_same, is_token, new_token


def test_a_token_has_32_random_bytes() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert all(is_token(token) and len(token) >= 43 for token in tokens)


@pytest.mark.parametrize("text", ["", "short", None, 7, "a" * 42, "ä" * 50, "a" * 50 + "\n"])
def test_what_is_no_token_is_recognised(text: object) -> None:
    assert not is_token(text)


def test_any_text_can_be_compared_with_a_token() -> None:
    token = new_token()
    assert is_same(token, token)
    for given in ("", token[:-1], token + "a", "\udcff", "ü" * 43):
        assert not is_same(given, token)


def test_the_cookie_does_not_name_its_token() -> None:
    token = new_token()
    assert token not in cookie_name(token)
    assert cookie_name(token) != cookie_name(new_token())


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        ("127.0.0.1", True),
        ("127.0.0.1:8765", True),
        ("localhost:1", True),
        ("LOCALHOST:1", True),
        ("[::1]:8765", True),
        ("", False),
        ("127.0.0.1.evil.example", False),
        ("evil.example:8765", False),
        ("localhost.evil.example", False),
        ("127.0.0.1:8765@evil.example", False),
        ("127.0.0.1:", False),
        ("127.0.0.1:80\n", False),
        ("127.0.0.2", False),
        ("0.0.0.0:8765", False),
    ],
)
def test_only_the_loopback_interface_is_a_local_host(host: str, is_local: bool) -> None:
    assert is_local_host(host) is is_local


@pytest.mark.parametrize(
    ("origin", "is_own"),
    [
        ("http://127.0.0.1:8765", True),
        ("http://127.0.0.1:9999", False),
        ("http://localhost:8765", False),
        ("null", False),
        ("", False),
        ("file://127.0.0.1:8765", False),
        ("http://evil.example", False),
        ("http://[", False),
    ],
)
def test_a_page_at_another_port_or_host_is_not_our_own(origin: str, is_own: bool) -> None:
    assert is_own_origin(origin, "127.0.0.1:8765") is is_own
