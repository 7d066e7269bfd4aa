"""Shorter styles draw the same: compared on a terminal emulator."""

import random
from pathlib import Path

import pyte
import pytest
from rich.style import Style

from sda_tui.sgr import shorten

SNAPSHOTS = Path(__file__).parent / "__snapshots__"
COLOURS = ("default", "red", "bright_green", "color(110)", "color(233)", "#4e8ecd", "#121212")
WIDTH, HEIGHT = 120, 36


def cells(data: str) -> list[object]:
    """What a terminal emulator shows."""
    screen = pyte.Screen(WIDTH, HEIGHT)
    pyte.Stream(screen).feed(data)
    return [screen.buffer[row][column] for row in range(HEIGHT) for column in range(WIDTH)]


def some_output(seed: int) -> str:
    """As Textual writes it: pieces of text with and without a style, and moves of the cursor."""
    draws = random.Random(seed)
    pieces = []
    for _ in range(60):
        attributes = {name: draws.random() < 0.3 for name in ("bold", "italic", "underline", "reverse")}
        style = Style(color=draws.choice(COLOURS), bgcolor=draws.choice(COLOURS), **attributes)
        text = draws.choice(("", " ", "a", "▅▅▅", "loss −1.2"))
        if draws.random() < 0.3:
            pieces.append(f"\x1b[{draws.randint(1, HEIGHT)};{draws.randint(1, WIDTH)}H")
        pieces.append(text if draws.random() < 0.2 else style.render(text))
    return "".join(pieces)


@pytest.mark.parametrize("seed", range(30))
def test_what_is_shown_is_the_same_and_shorter(seed: int) -> None:
    written = some_output(seed)
    shortened = shorten(written)
    assert cells(shortened) == cells(written)
    assert len(shortened) < len(written)
    assert cells(shortened + "x") == cells(written + "x"), "what follows is plain again"


@pytest.mark.parametrize("name", ["truecolor", "256", "standard", "none"])
def test_a_screen_is_the_same_in_all_colours(name: str) -> None:
    (file,) = SNAPSHOTS.glob(f"test_dashboard_snapshots/test_training_with_warnings[[]{name}[]]*120x36*.ansi")
    written = file.read_text().removesuffix("\n").replace("\n", "\r\n")
    shortened = shorten(written)
    assert cells(shortened) == cells(written)
    assert len(shortened) < 0.8 * len(written)


def test_bold_that_ends_leaves_dim() -> None:
    """One code ends both."""
    assert shorten("\x1b[1;2ma\x1b[0m\x1b[2mb\x1b[0m") == "\x1b[1;2ma\x1b[0;2mb\x1b[0m"


@pytest.mark.parametrize(
    "data", ["", "plain", "\x1b[?25l\x1b[2J", "\x1b[7;1H\x1b[38;9;1mx", "\x1b[58;5;1mx\x1b[0m"]
)
def test_what_is_not_known_is_written_as_it_is(data: str) -> None:
    assert shorten(data) == data
