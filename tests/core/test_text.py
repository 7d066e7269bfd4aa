"""What may go to a terminal."""

import os

import pytest

from core.errors import RunError
from core.text import one_line, printable

STEERING = (
    0x00, 0x07, 0x0A, 0x1B, 0x7F, 0x84, 0x9B, 0x9D, 0xAD, 0x61C, 0x200E, 0x200F, 0x2028, 0x2029, 0x202A,
    0x202E, 0x2066, 0x2069, 0xD800, 0xDCE9, 0xFEFF,
)  # fmt: skip


@pytest.mark.parametrize("code", STEERING)
def test_a_character_that_steers_or_hides_text_is_replaced(code: int) -> None:
    assert printable(f"a{chr(code)}b") == "a�b"


@pytest.mark.parametrize("text", ["Grüße ö", "नमस्ते क्‍ष", "👩‍👩‍👧 ❤️", "می‌خواهم", "日本 ソ", "[red]x[/]"])
def test_letters_of_all_scripts_and_emoji_stay(text: str) -> None:
    assert printable(text) == text


def test_a_name_that_is_not_utf8_can_be_shown() -> None:
    assert printable(os.fsdecode(b"latin-\xe9.wav")) == "latin-�.wav"


def test_a_message_is_one_line_of_bounded_length() -> None:
    assert one_line("Out of memory.\n  Tried\x1b[2J 3 GB.\n") == "Out of memory. Tried�[2J 3 GB."
    assert one_line("x" * 1_000_000 + " Free some space.").endswith("…" + "x" * 983 + " Free some space.")
    assert str(RunError("a\x1b]0;owned\x07")) == "a�]0;owned�"
