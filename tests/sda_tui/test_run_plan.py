"""What is said of a run before it begins, and of what has the focus in its settings."""

import pytest

from core.config import PRESETS, SETTINGS
from core.events import DeviceInfo
from core.runs import TimeEstimate, estimate_run
from sda_tui.run_plan import plan_details, short_plan
from sda_tui.widgets.setting_help import explain_subject
from sda_tui.widgets.setting_row import SettingRow
from tests.core.runs.test_estimate import manifest

GPU = DeviceInfo("cuda:0", "GPU", 80_000)
DRUMS = TimeEstimate(1500.0, "drums-003", is_scaled=False)


@pytest.mark.parametrize(
    ("device", "time", "short", "long"),
    [
        (None, None, "", ""),
        (GPU, None, "time: the first epoch will tell", "no earlier run on GPU is like this one"),
        (GPU, DRUMS, "about 25 min by the speed of drums-003", "by the speed of drums-003 on GPU."),
        (
            GPU,
            TimeEstimate(12_600.0, "d" * 80, is_scaled=True),
            f"roughly 3.5 h by the speed of {'d' * 23}…",
            f"{'d' * 80} on GPU, scaled to the computing of this one.",
        ),
    ],
)
def test_a_plan_says_how_long_and_by_what(
    device: DeviceInfo | None, time: TimeEstimate | None, short: str, long: str
) -> None:
    planned = manifest()
    run = estimate_run(planned)
    line = short_plan(planned, run, device, time)
    assert line.startswith("80 steps: 10 epochs of 8, batches of 8; ")
    assert line.endswith(" MB on disk.")
    assert short in line
    assert len(line) < 160
    details = plan_details(planned, run, device, time)
    assert "32 training chunks, 32 for validation" in details
    assert long in details
    assert ("Time:" in details) is (device is not None)


def test_help_has_all_facts_beside_and_the_main_ones_in_four_lines_below() -> None:
    for name, setting in SETTINGS.items():
        row = SettingRow(setting)
        wide, narrow = (str(explain_subject(row, width)) for width in (120, 60))
        for part in (setting.title, name, setting.help, setting.unit, setting.range):
            assert part in wide
            assert part in narrow
        assert setting.fixed in wide
        assert ("fixed" in narrow) is bool(setting.fixed)
        assert len(narrow.splitlines()) == 3


@pytest.mark.parametrize("width", [20, 60, 80, 120])
def test_help_on_a_preset_begins_with_what_it_does(width: int) -> None:
    for preset in PRESETS.values():
        shown = str(explain_subject(preset, width))
        assert preset.description in shown
        assert ("gradient clip" in shown) or shown.endswith("…")
