"""Shorter styles look the same: compared by a reading of the codes that shares nothing with the program's."""

import random
import re
from pathlib import Path

import pytest
from rich.style import Style

from sda_tui.sgr import shorten

SNAPSHOTS = Path(__file__).parent / "__snapshots__"
COLOURS = ("default", "red", "bright_green", "color(110)", "color(233)", "#4e8ecd", "#121212")
ATTRIBUTES = ("bold", "dim", "italic", "underline", "blink", "reverse", "strike")
OFF = {"22": "12", "23": "3", "24": "4", "25": "5", "27": "7", "29": "9"}
PIECES = re.compile(r"\x1b\[([\d;]*)m|(\x1b\[\d+;\d+H)|(.)", re.DOTALL)


def drawn(data: str) -> list[tuple[str, str]]:
    """Each character, and each move of the cursor, that with its rendition as it is when it comes."""
    shown: dict[str, str] = {}
    found = []
    for piece in PIECES.finditer(data):
        codes, move, character = piece.groups()
        if codes is None:
            found.append((move or character, "" if move else str(sorted(shown.items()))))
            continue
        numbers = codes.split(";")
        while numbers:
            number = numbers.pop(0)
            if number in ("", "0"):
                shown.clear()
            elif number in OFF:
                for each in OFF[number]:
                    shown.pop(each, None)
            elif number in ("38", "48"):
                count = {"5": 2, "2": 4}[numbers[0]]
                shown[number] = ";".join(numbers[:count])
                del numbers[:count]
            elif number in ("39", "49"):
                shown.pop(f"{number[0]}8", None)
            elif int(number) >= 30:
                kind = "38" if number[0] in "39" else "48"
                shown[kind] = number
            else:
                shown[number] = ""
    return found


def some_output(seed: int) -> str:
    """As Textual writes it: pieces of text with and without a style, and moves of the cursor."""
    draws = random.Random(seed)
    pieces = []
    for _ in range(60):
        attributes = {name: draws.random() < 0.3 for name in ATTRIBUTES}
        style = Style(color=draws.choice(COLOURS), bgcolor=draws.choice(COLOURS), **attributes)
        text = draws.choice(("", " ", "a", "▅▅▅", "loss −1.2"))
        if draws.random() < 0.3:
            pieces.append(f"\x1b[{draws.randint(1, 36)};{draws.randint(1, 120)}H")
        pieces.append(text if draws.random() < 0.2 else style.render(text))
    return "".join(pieces)


@pytest.mark.parametrize("seed", range(100))
def test_what_is_drawn_is_the_same_and_shorter(seed: int) -> None:
    written = some_output(seed)
    shortened = shorten(written)
    assert drawn(f"{shortened}x") == drawn(f"{written}x"), "and what follows is plain again"
    assert len(shortened) <= len(written)


@pytest.mark.parametrize("name", ["truecolor", "256", "standard", "none"])
def test_a_screen_is_the_same_in_all_colours(name: str) -> None:
    (file,) = SNAPSHOTS.glob(f"test_dashboard_snapshots/test_training_with_warnings[[]{name}[]]*120x36*.ansi")
    written = file.read_text()
    shortened = shorten(written)
    assert drawn(shortened) == drawn(written)
    assert len(shortened) < 0.8 * len(written)


@pytest.mark.parametrize(
    ("written", "shortened"),
    [
        ("\x1b[1ma\x1b[0m\x1b[1mb\x1b[0m", "\x1b[0;1mab\x1b[0m"),
        ("\x1b[1ma\x1b[0m\x1b[2;1H\x1b[1mb\x1b[0m", "\x1b[0;1ma\x1b[2;1Hb\x1b[0m"),
        ("\x1b[1;2ma\x1b[0m\x1b[2mb\x1b[0m", "\x1b[0;1;2ma\x1b[0;2mb\x1b[0m"),  # one code ends bold and dim
        ("\x1b[31;44ma\x1b[0m\x1b[32;44mb\x1b[0m", "\x1b[0;31;44ma\x1b[32mb\x1b[0m"),
        ("\x1b[1;9mA\x1b[0m\x1b[1mB\x1b[0m", "\x1b[0;1;9mA\x1b[29mB\x1b[0m"),
    ],
)
def test_only_what_changes_is_written(written: str, shortened: str) -> None:
    assert shorten(written) == shortened


def test_a_style_may_last_from_one_write_to_the_next() -> None:
    writes = ["\x1b[1mA", "B", "\x1b[0mC", "\x1b[31m", "D", "\x1b[0m", "E"]
    assert drawn("".join(map(shorten, writes))) == drawn("".join(writes))


@pytest.mark.parametrize(
    "data",
    [
        "",
        "plain",
        "\x1b[?25l\x1b[2J",
        "\x1b[7;1H\x1b[38;9;1mx",
        "\x1b[38;2;1;2mx",
        "\x1b[58;5;1mx\x1b[0m",
        "\x1b[31m\x1b[98mx",
        "\x1b[4:3mcurly\x1b[0m",
        "\x1b[38:2::255:0:0mx\x1b[0m",
    ],
)
def test_what_is_not_known_is_written_as_it_is(data: str) -> None:
    assert shorten(data) == data
