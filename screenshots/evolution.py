"""One preview through the epochs of a run, as a single SVG with its spectrograms inside."""

import base64
import re
import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from core.events import EpochFinished, PreviewKind, PreviewReady
from core.runs import RunDirectory, read_events, read_spectrogram
from sda_tui.preview_catalogue import PreviewCatalogue
from sda_tui.widgets.spectrogram import LOUDEST, PALETTE

SHOWN = 7  # epochs; the original is the eighth
COLUMNS = 4
TILE = (280, 200)
GAP, MARGIN, LABEL = 16, 24, 34
# A card of its own colours, as the page behind it may be light or dark.
BACKGROUND, BRIGHT, ORIGINAL = "#121212", "#e0e0e0", "#8ad4a1"
FONT = "ui-monospace, SFMono-Regular, Menlo, Consolas, monospace"


def write_evolution(run: RunDirectory, path: Path) -> None:
    """Draw the reconstruction of the run's clip, from the untrained model to the best one, and the clip."""
    previews = [preview for preview, _ in read_events(run.events, PreviewReady)]
    epochs = [epoch for epoch, _ in read_events(run.events, EpochFinished)]
    best = epochs[-1].best_epoch
    catalogue = PreviewCatalogue(previews)
    last = catalogue.nearest(best, next(p for p in previews if p.kind == PreviewKind.RECONSTRUCTION))
    assert last is not None
    through = [each for each in catalogue.through_epochs(last) if each.epoch <= last.epoch]
    original = catalogue.original_of(last)
    assert original is not None
    tiles: list[tuple[PreviewReady, str, str]] = []
    for each in spread(through):
        label = f"epoch {each.epoch}" if each.epoch else "untrained"
        tiles.append((each, f"{label}, the best" if each.epoch == best else label, BRIGHT))
    clip = re.search(r"[^ ]+\.\w+", original.label)
    tiles.append((original, f"original, {clip[0]}" if clip else "original", ORIGINAL))
    path.write_text(
        _draw([(read_spectrogram(run, p.path), label, colour) for p, label, colour in tiles]),
        encoding="utf-8",
    )
    print(path)


def spread(previews: Sequence[PreviewReady]) -> list[PreviewReady]:
    """The first, the last, and some between, closer to each other where more changes: at the beginning."""
    if len(previews) <= SHOWN:
        return list(previews)
    last = len(previews) - 1
    chosen = {0, last}
    for index in np.geomspace(1, last, SHOWN - 1):
        chosen.add(next(i for i in range(round(index), last + 1) if i not in chosen or i == last))
    return [previews[index] for index in sorted(chosen)]


def _draw(tiles: Sequence[tuple[npt.NDArray[np.uint8], str, str]]) -> str:
    width, height = TILE
    rows = -(-len(tiles) // COLUMNS)
    total = (2 * MARGIN + COLUMNS * (width + GAP) - GAP, 2 * MARGIN + rows * (height + LABEL + GAP) - GAP)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total[0]} {total[1]}" '
        f'font-family="{FONT}" font-size="17">',
        f'<rect width="{total[0]}" height="{total[1]}" rx="8" fill="{BACKGROUND}"/>',
    ]
    for number, (levels, label, colour) in enumerate(tiles):
        x = MARGIN + number % COLUMNS * (width + GAP)
        y = MARGIN + number // COLUMNS * (height + LABEL + GAP)
        image = base64.b64encode(png(levels[::-1])).decode()
        parts += [
            f'<text x="{x}" y="{y + 18}" fill="{colour}">{label}</text>',
            f'<image x="{x}" y="{y + LABEL - 6}" width="{width}" height="{height}" '
            f'preserveAspectRatio="none" href="data:image/png;base64,{image}"/>',
        ]
    return "\n".join([*parts, "</svg>\n"])


def png(levels: npt.NDArray[np.uint8]) -> bytes:
    """Levels [rows, columns] in the colours of the app's spectrograms, a byte each."""
    rows, columns = levels.shape
    at = np.linspace(0, len(PALETTE) - 1, LOUDEST + 1)
    palette = np.array(PALETTE, dtype=float)
    colours = np.stack([np.interp(at, range(len(PALETTE)), channel) for channel in palette.T], axis=1)
    lines = np.pad(levels, ((0, 0), (1, 0)))  # each begins with its filter: 0, none
    header = struct.pack(">IIBBBBB", columns, rows, 8, 3, 0, 0, 0)
    chunks = (
        (b"IHDR", header),
        (b"PLTE", colours.round().astype(np.uint8).tobytes()),
        (b"IDAT", zlib.compress(lines.tobytes(), 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
