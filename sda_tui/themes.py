"""The app's colours.  Tests compute that every text is readable and all series differ, in each theme.

A theme's colours are, but for dark tints, ones that the palette of 256 colours has: with fewer colours than
all, a terminal then shows the same.
"""

from textual.theme import Theme

DEFAULT = "dark"
FOR_16_COLOURS = "16-colours"


def _theme(
    name: str,
    title: str,
    *,
    ground: tuple[str, str, str],
    text: tuple[str, str],
    cursor: tuple[str, str],
    blurred_cursor: tuple[str, str],
    tints: tuple[str, str],
    primary: str,
    accent: str,
    success: str,
    warning: str,
    error: str,
    line: str,
    is_dark: bool = True,
) -> Theme:
    """A theme, whose title is noted.

    `ground` is background, surface and panel, `text` the usual and the muted; a cursor has a colour of its
    text and one behind it; `tints` are behind warnings and errors; `line` is the colour of frames.
    """
    background, surface, panel = ground
    foreground, muted = text
    theme = Theme(
        name=name,
        primary=primary,
        secondary=primary,
        accent=accent,
        success=success,
        warning=warning,
        error=error,
        foreground=foreground,
        background=background,
        surface=surface,
        panel=panel,
        boost=panel,
        dark=is_dark,
        variables={
            "text": foreground,
            "text-muted": muted,
            "text-disabled": muted,
            "foreground-muted": muted,
            "text-primary": primary,
            "text-secondary": primary,
            "text-accent": accent,
            "text-success": success,
            "text-warning": warning,
            "text-error": error,
            "warning-muted": tints[0],
            "error-muted": tints[1],
            "block-cursor-foreground": cursor[0],
            "block-cursor-background": cursor[1],
            "block-cursor-text-style": "bold",
            "block-cursor-blurred-foreground": blurred_cursor[0],
            "block-cursor-blurred-background": blurred_cursor[1],
            "block-hover-background": panel,
            "panel-lighten-2": line,
            "border-blurred": line,
            "footer-key-foreground": primary,
            "button-foreground": foreground,
            "button-color-foreground": background,
            "input-cursor-foreground": background,
            "input-cursor-background": foreground,
            "input-selection-foreground": cursor[0],
            "input-selection-background": cursor[1],
            "scrollbar": line,
        },
    )
    TITLES[name] = title
    return theme


TITLES: dict[str, str] = {}

DARK = _theme(
    "dark",
    "Dark",
    ground=("#121212", "#1c1c1c", "#262626"),
    text=("#e4e4e4", "#a8a8a8"),
    cursor=("#ffffff", "#005f87"),
    blurred_cursor=("#e4e4e4", "#3a3a3a"),
    tints=("#303030", "#303030"),
    primary="#5fafff",
    accent="#ffd787",
    success="#5fd787",
    warning="#ffaf00",
    error="#ff8787",
    line="#585858",
)
LIGHT = _theme(
    "light",
    "Light",
    ground=("#ffffff", "#f4f4f4", "#e8e8e8"),
    text=("#1c1c1c", "#4e4e4e"),
    cursor=("#ffffff", "#005f87"),
    blurred_cursor=("#1c1c1c", "#d0d0d0"),
    tints=("#ffffd7", "#ffe4e4"),
    primary="#005faf",
    accent="#870087",
    success="#005f00",
    warning="#875f00",
    error="#af0000",
    line="#9e9e9e",
    is_dark=False,
)
HIGH_CONTRAST = _theme(
    "high-contrast",
    "High contrast",
    ground=("#000000", "#000000", "#262626"),
    text=("#ffffff", "#d0d0d0"),
    cursor=("#000000", "#ffff00"),
    blurred_cursor=("#ffffff", "#303030"),
    tints=("#000000", "#000000"),
    primary="#87d7ff",
    accent="#ffafff",
    success="#87ff87",
    warning="#ffd700",
    error="#ffafaf",
    line="#bcbcbc",
)
# The hues of Okabe and Ito, "Color Universal Design" (2008): sky blue, yellow, bluish green, vermilion, in
# those of 256 colours that are light enough and farthest from each other for each kind of colour vision.
COLOUR_BLIND = _theme(
    "colour-blind",
    "Colour-blind safe",
    ground=("#121212", "#1c1c1c", "#262626"),
    text=("#e4e4e4", "#a8a8a8"),
    cursor=("#ffffff", "#005f87"),
    blurred_cursor=("#e4e4e4", "#3a3a3a"),
    tints=("#303030", "#303030"),
    primary="#87afff",
    accent="#d7d787",
    success="#5fffd7",
    warning="#ffd700",
    error="#ff875f",
    line="#585858",
)
# Exactly colours of the palette that Rich takes for the one of 16.
SIXTEEN = _theme(
    FOR_16_COLOURS,
    "For 16 colours",
    ground=("#000000", "#000000", "#0000aa"),
    text=("#ffffff", "#aaaaaa"),
    cursor=("#000000", "#55ffff"),
    blurred_cursor=("#ffffff", "#0000aa"),
    tints=("#000000", "#000000"),
    primary="#55ffff",
    accent="#ff55ff",
    success="#55ff55",
    warning="#ffff55",
    error="#ff5555",
    line="#aaaaaa",
)

THEMES = {theme.name: theme for theme in (DARK, LIGHT, HIGH_CONTRAST, COLOUR_BLIND, SIXTEEN)}


def first_theme(configured: str, remembered: str, has_few_colours: bool) -> str:
    """The theme at the start: the configured one, else the one chosen last, else what suits the terminal."""
    for wanted in (configured, remembered):
        if wanted in THEMES:
            return wanted
    return FOR_16_COLOURS if has_few_colours else DEFAULT


def next_theme(name: str) -> str:
    """The one after this in the list, in a round."""
    names = list(THEMES)
    return names[(names.index(name) + 1) % len(names)] if name in THEMES else DEFAULT
