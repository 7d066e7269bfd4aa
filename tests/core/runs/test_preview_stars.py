"""Stars of previews: kept beside them."""

import pytest

from core.errors import RunError
from core.runs import read_stars, star_preview
from tests.conftest import MakeRun

FIRST, SECOND = "previews/epoch-0001-sample-1.wav", "previews/epoch-0005-sample-2.wav"


def test_stars_are_kept_with_the_run_until_they_are_taken_away(make_run: MakeRun) -> None:
    run = make_run()
    assert read_stars(run) == frozenset()
    star_preview(run, FIRST, True)
    star_preview(run, SECOND, True)
    assert read_stars(run) == {FIRST, SECOND}
    assert star_preview(run, FIRST, False) == {SECOND} == read_stars(run)


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b'{"format_version": 2, "starred": []}', b'{"format_version": 1, "starred": 3}',
     b'{"format_version": 1}', b'{"format_version": 1, "starred": [1]}', b"\xff"],
)  # fmt: skip
def test_damaged_stars_are_named_and_replaced_by_the_next_one(make_run: MakeRun, content: bytes) -> None:
    run = make_run()
    run.preview_stars.write_bytes(content)
    with pytest.raises(RunError, match=r"previews\.json cannot be read .*the next star replaces them"):
        read_stars(run)
    assert star_preview(run, FIRST, True) == {FIRST} == read_stars(run)


def test_no_link_is_followed_for_stars(make_run: MakeRun) -> None:
    run = make_run()
    elsewhere = run.path.parent / "elsewhere.json"
    elsewhere.write_text('{"format_version": 1, "starred": ["x"]}')
    run.preview_stars.symlink_to(elsewhere)
    with pytest.raises(RunError, match="is a link"):
        read_stars(run)
    star_preview(run, FIRST, True)
    assert read_stars(run) == {FIRST}
    assert '"x"' in elsewhere.read_text()
