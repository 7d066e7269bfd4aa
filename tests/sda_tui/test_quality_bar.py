"""The quality bar: what it draws, says and colours."""

from dataclasses import replace

import pytest
from textual.app import App, ComposeResult

from sda_tui.look import Tone
from sda_tui.widgets.quality_bar import QualityBar, Reading, draw_bar, judge

HEALTHY = Reading(quality=0.12, best=0.12, gap=1.4, is_improving=True, is_overfitting=False)


@pytest.mark.parametrize(
    ("quality", "bar"),
    [
        (0.0, "░░░░"),
        (-3.0, "░░░░"),
        (0.03, "▏░░░"),
        (0.125, "▌░░░"),
        (0.5, "██░░"),
        (0.99, "████"),
        (1.0, "████"),
    ],
)
def test_the_bar_is_as_full_as_the_quality_is_high(quality: float, bar: str) -> None:
    assert draw_bar(quality, 4) == bar


@pytest.mark.parametrize(
    ("reading", "word", "tone"),
    [
        (HEALTHY, "improving", Tone.GOOD),
        (replace(HEALTHY, quality=0.0), "improving", Tone.GOOD),
        (replace(HEALTHY, quality=None), "improving", Tone.GOOD),
        (replace(HEALTHY, is_improving=False), "steady", Tone.NEUTRAL),
        (replace(HEALTHY, quality=-0.01, is_improving=False), "steady", Tone.NEUTRAL),
        (replace(HEALTHY, quality=-0.03), "worse than untrained", Tone.CAUTION),
        (replace(HEALTHY, is_overfitting=True), "overfitting", Tone.BAD),
    ],
)
def test_only_what_is_wrong_has_a_colour_of_warning(reading: Reading, word: str, tone: Tone) -> None:
    assert judge(reading) == (word, tone)


class BarApp(App[None]):
    def compose(self) -> ComposeResult:
        yield QualityBar()


async def drawn(reading: Reading | None, width: int) -> str:
    async with BarApp().run_test(size=(width, 3)) as pilot:
        bar = pilot.app.query_one(QualityBar)
        bar.reading = reading
        await pilot.pause()
        return str(bar.render())


@pytest.mark.parametrize(
    ("reading", "width", "line"),
    [
        (None, 46, "Quality    ░░░░░░░░░░ after epoch 1"),
        (HEALTHY, 46, "Quality    █▎░░░░░░░░ 12% improving · gap 140%"),
        (HEALTHY, 42, "Quality    ▊░░░░░ 12% improving · gap 140%"),
        (HEALTHY, 30, "Quality    ▋░░░░ 12% improving"),
        (replace(HEALTHY, best=0.2), 60, "Quality    █▎░░░░░░░░ 12% improving · gap 140% · best 20%"),
        (replace(HEALTHY, quality=0.0, best=0.0), 46, "Quality    ░░░░░░░░░░ 0% improving · gap 140%"),
        (replace(HEALTHY, quality=-0.4, best=0.0), 60,
         "Quality    ░░░░░░░░░░ −40% worse than untrained · gap 140%"),
        (replace(HEALTHY, quality=None, best=None), 46, "Quality    ░░░░░░░░░░ – improving · gap 140%"),
    ],
)  # fmt: skip
async def test_the_line_says_what_fits_its_width(reading: Reading | None, width: int, line: str) -> None:
    assert await drawn(reading, width) == line
