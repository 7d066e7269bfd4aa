"""Dividing sounds between training and validation."""

import dataclasses

import pytest

from core.data.report import FileReport, Split, Verdict
from core.data.split import chunk_starts, split_files, validation_fraction


def a_file(name: str, duration_s: float, silent_from_s: float = 1e9) -> FileReport:
    intervals = max(1, round(duration_s / 0.25))
    peaks = tuple(0.5 if index * 0.25 < silent_from_s else 0.0 for index in range(intervals))
    return FileReport(
        name,
        Verdict.USED,
        "",
        usable=True,
        duration_s=duration_s,
        content_hash=f"hash of {name}",
        peaks=peaks,
    )


def files(count: int, duration_s: float = 2.0) -> list[FileReport]:
    return [a_file(f"{index:04}.wav", duration_s) for index in range(count)]


@pytest.mark.parametrize(
    ("count", "held_out"),
    [(5, 2), (6, 3), (9, 4), (10, 3), (12, 4), (49, 15), (50, 10), (165, 33), (199, 40), (200, 20)],
)  # fmt: skip
def test_the_share_held_out_follows_from_the_number_of_files(count: int, held_out: int) -> None:
    split = split_files(files(count), 1.0, seed=0)
    assert split.method == "file"
    assert len(split.validation) == held_out
    assert len(split.train) == count - held_out
    assert f"{held_out} of {count} files" in split.note


def test_a_renamed_file_stays_on_its_side() -> None:
    before = files(60)
    after = [dataclasses.replace(file, path=f"take {file.path}") for file in before]
    held_out, again = (
        {each.path for each in split_files(side, 1.0, seed=0).validation} for side in (before, after)
    )
    assert again == {f"take {path}" for path in held_out}


def test_no_file_is_on_both_sides() -> None:
    split = split_files(files(60, 7.3), 1.0, seed=0)
    train = {excerpt.path for excerpt in split.train}
    validation = {excerpt.path for excerpt in split.validation}
    assert not train & validation
    assert len(train | validation) == 60


def test_the_split_follows_from_content_and_seed_not_from_order() -> None:
    def held_out(split: Split) -> set[str]:
        return {excerpt.path for excerpt in split.validation}

    forwards, backwards = split_files(files(20), 1.0, 0), split_files(files(20)[::-1], 1.0, 0)
    assert held_out(forwards) == held_out(backwards)
    assert held_out(forwards) != held_out(split_files(files(20), 1.0, 1))


def test_most_files_keep_their_side_when_the_folder_grows() -> None:
    before = {excerpt.path for excerpt in split_files(files(60), 1.0, 0).train}
    after = {excerpt.path for excerpt in split_files(files(63), 1.0, 0).train}
    assert len(before - after) <= 3


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_few_files_have_their_ends_held_out_after_a_gap(count: int) -> None:
    split = split_files(files(count, 10.0), 1.0, seed=0)
    assert split.method == "time"
    assert "Fewer than 5 files" in split.note
    for train, validation in zip(split.train, split.validation, strict=True):
        assert train.path == validation.path
        assert validation.stop_s == 10.0
        assert validation.start_s - train.stop_s >= 1.0
        assert max(train.chunk_starts_s) + 1.0 <= train.stop_s
        assert min(validation.chunk_starts_s) >= validation.start_s


def test_silence_at_the_end_is_not_held_out() -> None:
    (validation,) = split_files([a_file("decay.wav", 10.0, silent_from_s=6.0)], 1.0, seed=0).validation
    assert (validation.start_s, validation.stop_s) == (4.8, 6.0)
    late = dataclasses.replace(a_file("late.wav", 10.0), peaks=(0.0,) * 34 + (0.5,) * 6)
    assert split_files([late], 1.0, seed=0).method == "none"


def test_few_short_files_are_split_by_file_and_one_is_not_split() -> None:
    split = split_files(files(2, 0.3), 1.0, seed=0)
    assert split.method == "file"
    assert len(split.train) == len(split.validation) == 1
    alone = split_files(files(1, 0.3), 1.0, seed=0)
    assert alone.method == "none"
    assert alone.train == alone.validation
    assert "validation repeats the training sound" in alone.note


def test_a_long_file_beside_short_ones_is_the_one_that_is_divided() -> None:
    split = split_files([a_file("long.wav", 20.0), a_file("short.wav", 0.2)], 1.0, seed=0)
    assert [excerpt.path for excerpt in split.validation] == ["long.wav"]
    assert len(split.train) == 2


@pytest.mark.parametrize(
    ("duration_s", "starts"),
    [
        (0.3, (0.0,)),
        (1.0, (0.0,)),
        (1.1, (0.0,)),  # a tail under a quarter of a chunk is left to the random crops
        (1.5, (0.0, 0.5)),
        (3.0, (0.0, 1.0, 2.0)),
        (3.4, (0.0, 1.0, 2.0, 2.4)),
    ],
)
def test_chunks_cover_a_file(duration_s: float, starts: tuple[float, ...]) -> None:
    assert chunk_starts(a_file("a", duration_s), 0.0, duration_s, 1.0) == pytest.approx(starts)


def test_silent_chunks_are_left_out_but_one_remains() -> None:
    assert chunk_starts(a_file("a", 5.0, silent_from_s=2.0), 0.0, 5.0, 1.0) == (0.0, 1.0)
    assert chunk_starts(a_file("a", 5.0, silent_from_s=0.0), 0.0, 5.0, 1.0) == (0.0,)
    assert chunk_starts(a_file("a", 5.0, silent_from_s=1.0), 2.0, 5.0, 1.0) == (2.0,)


def test_nothing_usable_gives_an_empty_split() -> None:
    split = split_files([], 1.0, 0)
    assert (split.train, split.validation, split.training_chunks) == ((), (), 0)


def test_fractions_are_those_of_the_design() -> None:
    assert [validation_fraction(n) for n in (5, 9, 10, 49, 50, 199, 200, 500)] == [
        0.5, 0.5, 0.3, 0.3, 0.2, 0.2, 0.1, 0.1,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("count", "duration_s", "note"),
    [
        (7, 2.0, ""),
        (5, 2.0, "Only 2 files held out: take validation as a hint."),
        (2, 0.5, "Only 1 file held out: take validation as a hint."),
        (3, 10.0, "Only the end of 3 files held out: take validation as a hint."),
        (1, 1.0, "Nothing is held out: validation cannot show overfitting."),
    ],
)  # fmt: skip
def test_few_held_out_files_are_noted(count: int, duration_s: float, note: str) -> None:
    assert split_files(files(count, duration_s), 1.0, seed=0).confidence_note == note


def test_what_is_60_db_below_the_loudest_is_silence_at_any_level() -> None:
    def starts(level: float) -> tuple[float, ...]:
        peaks = tuple(level * part for part in (1.0, 0.01, 0.0005, 0.002) for _ in range(4))
        file = dataclasses.replace(a_file("a", 4.0), peaks=peaks)
        return chunk_starts(file, 0.0, 4.0, 1.0)

    assert starts(1.0) == starts(0.001) == (0.0, 1.0, 3.0)
