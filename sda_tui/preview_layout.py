"""How the panel of previews shares its room: the list first, then the figures, then the pictures."""

from dataclasses import dataclass

LEAST_LIST = 3  # rows
LEAST_PICTURE, MOST_PICTURE = 4, 13
LEAST_BESIDE = 50  # columns for the list and the pictures beside it
LOW = 14  # rows in which list and pictures do not fit above each other
WIDE_PICTURE = 60  # columns for two spectrograms
WIDE = 100  # columns in which a list as long as the panel leaves room for two beside it


@dataclass(frozen=True)
class PreviewLayout:
    """Rows of each part, 0 for none.

    `details_width` is in columns where the details are beside the list, and 0 where they are below.
    """

    picture: int
    waveform: int
    figures: int
    playback: int
    way: int
    details_width: int
    has_original: bool

    @property
    def details(self) -> int:
        return self.picture + self.waveform + self.figures


def plan_layout(width: int, height: int) -> PreviewLayout:
    """The layout in so many columns and rows."""
    playback = int(height > LEAST_LIST)
    way = int(height >= 9)
    rows = height - playback - way
    if width >= WIDE or (width >= LEAST_BESIDE and rows < LOW):
        details_width = width - max(24, width // 3 if width >= WIDE else width * 2 // 5)
        figures = int(rows >= 2)
        waveform = 0 if rows < 6 else 1 if rows < 9 else 2 if rows < LOW else 3
        picture = rows - figures - waveform if rows >= LEAST_LIST else 0
        has_original = rows >= LOW and details_width >= WIDE_PICTURE
        return PreviewLayout(picture, waveform, figures, playback, way, details_width, has_original)
    figures = int(rows > LEAST_LIST)
    waveform = 0 if rows < LOW else 3 if rows >= 24 else 2
    left = rows - figures - waveform - LEAST_LIST
    picture = min(MOST_PICTURE, max(LEAST_PICTURE, round(0.28 * rows)))
    if left < picture + 1:
        picture = 0
    has_original = width >= WIDE_PICTURE and picture > 0
    return PreviewLayout(picture, waveform, figures, playback, way, 0, has_original)
