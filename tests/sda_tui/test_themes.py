"""Colours: each text is readable, and what differs looks different, also to the colour-blind."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
import pytest
from rich.color import ColorSystem
from textual.color import Color

from sda_tui.configuration.fields import THEMES as CONFIGURABLE
from sda_tui.themes import DEFAULT, FOR_16_COLOURS, THEMES, TITLES, first_theme, next_theme

TEXTS = ("foreground", "text", "text-muted", "text-primary", "text-accent", "text-success", "text-warning")
COLOURED = ("text-primary", "text-accent", "text-success", "text-warning", "text-error")
SERIES = ("text-primary", "text-accent", "text-success")  # training, validation, best
PAIRS = [
    *((text, ground) for text in (*TEXTS, "text-error") for ground in ("background", "surface", "boost")),
    *((text, "panel") for text in ("foreground", "text-muted", "footer-key-foreground")),
    ("block-cursor-foreground", "block-cursor-background"),
    ("block-cursor-blurred-foreground", "block-cursor-blurred-background"),
    ("foreground", "block-cursor-blurred-background"),
    ("input-selection-foreground", "input-selection-background"),
    ("button-foreground", "surface"),
    ("button-color-foreground", "primary"),
    ("text-warning", "warning-muted"),
    ("text-error", "error-muted"),
]
# How colours look to those who lack a kind of cones, in linear RGB (Machado, Oliveira and Fernandes 2009).
VISION = {
    "usual": np.eye(3),
    "protanopia": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deuteranopia": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
    "tritanopia": np.array(
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]]
    ),
}
XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
Rgb = tuple[int, int, int]


def colours(theme: str, system: ColorSystem = ColorSystem.TRUECOLOR) -> dict[str, Rgb]:
    """The theme's variables as a terminal with so many colours shows them."""
    variables = {**THEMES[theme].to_color_system().generate(), **THEMES[theme].variables}
    background = Color.parse(variables["background"])
    shown = {}
    for name in {name for pair in PAIRS for name in pair} | {"primary", "panel-lighten-2"}:
        colour = background + Color.parse(variables[name])
        shown[name] = tuple(colour.rich_color.downgrade(system).get_truecolor())
    return shown


def linear(rgb: Rgb) -> np.ndarray:
    value = np.array(rgb) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def contrast(one: Rgb, other: Rgb) -> float:
    """WCAG 2's ratio, from 1 to 21."""
    dark, light = sorted(float(XYZ[1] @ linear(each)) for each in (one, other))
    return (light + 0.05) / (dark + 0.05)


def lab(rgb: Rgb, vision: str) -> np.ndarray:
    xyz = XYZ @ np.clip(VISION[vision] @ linear(rgb), 0, 1) / (XYZ @ np.ones(3))
    f = np.where(xyz > (6 / 29) ** 3, np.cbrt(xyz), xyz / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def distances(theme: str, names: tuple[str, ...], vision: str) -> Iterator[tuple[str, str, float]]:
    """CIE 1976 distances of each two of these colours."""
    shown = colours(theme)
    for one, other in combinations(names, 2):
        yield one, other, float(np.linalg.norm(lab(shown[one], vision) - lab(shown[other], vision)))


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("system", [ColorSystem.TRUECOLOR, ColorSystem.EIGHT_BIT])
def test_every_text_is_readable_on_what_is_behind_it(theme: str, system: ColorSystem) -> None:
    least = 7.0 if theme == "high-contrast" else 4.5
    shown = colours(theme, system)
    found = {pair: round(contrast(*(shown[name] for name in pair)), 2) for pair in PAIRS}
    assert {pair: ratio for pair, ratio in found.items() if ratio < least} == {}


def test_the_theme_for_16_colours_is_readable_in_16() -> None:
    shown = colours(FOR_16_COLOURS, ColorSystem.STANDARD)
    assert {pair for pair in PAIRS if contrast(*(shown[name] for name in pair)) < 4.5} == set()
    assert len({shown[name] for name in COLOURED}) == len(COLOURED)


@pytest.mark.parametrize("theme", THEMES)
def test_what_means_different_things_has_different_colours(theme: str) -> None:
    assert [each for each in distances(theme, COLOURED, "usual") if each[2] < 20] == []


@pytest.mark.parametrize("vision", VISION)
def test_the_colour_blind_tell_series_and_verdicts_apart(vision: str) -> None:
    assert [each for each in distances("colour-blind", SERIES, vision) if each[2] < 25] == []
    verdicts = ("text-success", "text-warning", "text-error")
    assert [each for each in distances("colour-blind", verdicts, vision) if each[2] < 25] == []


def test_the_first_theme_is_the_configured_then_the_remembered_then_what_suits() -> None:
    assert first_theme("light", "high-contrast", True) == "light"
    assert first_theme("auto", "high-contrast", True) == "high-contrast"
    assert first_theme("auto", "gone", True) == FOR_16_COLOURS
    assert first_theme("auto", "", False) == DEFAULT


def test_the_list_of_themes_is_the_configurable_one_and_goes_round() -> None:
    assert tuple(THEMES) == CONFIGURABLE == tuple(TITLES)
    name = DEFAULT
    for _ in THEMES:
        name = next_theme(name)
    assert name == DEFAULT
    assert next_theme("gone") == DEFAULT
