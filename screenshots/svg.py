"""A screen of the app as an SVG, as small as it goes."""

import re
from pathlib import Path

from sda_tui.app import SdaApp

FRAME = ' shape-rendering="crispEdges"'


def save(app: SdaApp, path: Path, title: str) -> None:
    path.write_text(minify(app.export_screenshot(title=title)), encoding="utf-8")
    print(path)


def minify(svg: str) -> str:
    """The same picture in about half the bytes.

    The fonts of the reader's own terminal do: a picture should not load anything.  Each line of text is
    clipped to itself by Rich, which a line of the right length does not need.  The ids, drawn by chance, are
    always the same, so that a picture that looks the same is the same.
    """
    svg = re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"terminal-\d+-", "t-", svg)
    svg = re.sub(r'<clipPath id="t-line-\d+">.*?</clipPath>\s*', "", svg, flags=re.DOTALL)
    svg = re.sub(r' clip-path="url\(#t-line-\d+\)"', "", svg)
    svg = svg.replace(FRAME, "").replace("<svg ", f"<svg{FRAME} ", 1)
    # Twice as exact as a screen: a cell is 12.2 wide and 24.4 high.
    svg = re.sub(
        r'(?<= )(x|y|width|height|textLength)="(\d+\.\d+)"', lambda m: f'{m[1]}="{float(m[2]):.5g}"', svg
    )
    # Blanks without a background are nothing to see.
    svg = re.sub(r"<text [^>]*>(?:&#160;|\s)*</text>", "", svg)
    return re.sub(r"\n\s*", "\n", svg).strip() + "\n"
