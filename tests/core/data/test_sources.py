"""Which files a dataset has, from the files and folders that were chosen."""

from pathlib import Path

import pytest

from core.data.report import ScanReport
from core.data.scan import scan
from core.data.sources import Sources
from core.errors import DatasetError
from tests.sounds import write_tone


@pytest.fixture
def music(tmp_path: Path) -> Path:
    """`take.wav` and two folders of a sound each; one has another below it."""
    folder = tmp_path / "music"
    for index, name in enumerate(("take.wav", "more/a.wav", "more/deep/b.wav", "other/c.wav", "rest/d.wav")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_tone(folder / name, 110.0 * (index + 1), 0.5)
    return folder


def files(*chosen: Path) -> list[str]:
    return sorted(Sources.choose(chosen).walk([], lambda: False))


def scanned(*chosen: Path) -> ScanReport:
    *_, report = scan(chosen, 1.0)
    assert isinstance(report, ScanReport)
    return report


def test_a_single_file_is_a_dataset(music: Path) -> None:
    assert Sources.choose([music / "take.wav"]) == Sources(music, ("take.wav",))
    report = scanned(music / "take.wav")
    assert [file.path for file in report.usable_files] == ["take.wav"]
    assert report.source_paths == (music / "take.wav",)


def test_files_and_folders_are_one_dataset_below_their_deepest_common_folder(music: Path) -> None:
    report = scanned(music / "take.wav", music / "more", music / "other")
    assert (report.folder, report.sources) == (str(music), ("take.wav", "more", "other"))
    assert [file.path for file in report.files] == [
        "more/a.wav",
        "more/deep/b.wav",
        "other/c.wav",
        "take.wav",
    ]
    assert all((Path(report.folder) / file.path).is_file() for file in report.files)


def test_one_folder_is_all_of_itself(music: Path) -> None:
    assert Sources.choose([music]) == Sources.choose([music, music]) == Sources(music)
    assert len(files(music)) == 5


def test_sources_that_overlap_count_each_file_once(music: Path) -> None:
    assert files(music / "more" / "deep", music / "more", music / "more" / "a.wav") == ["a.wav", "deep/b.wav"]
    assert len(files(music, music / "take.wav")) == 5


def test_folder_that_is_also_reached_by_a_link_counts_once(music: Path) -> None:
    (music / "link").symlink_to(music / "more")
    assert files(music / "more", music / "link") == ["more/a.wav", "more/deep/b.wav"]


def test_hidden_folder_is_entered_when_it_was_chosen_itself(music: Path) -> None:
    (music / "other").rename(music / ".other")
    assert files(music / "rest", music / ".other") == [".other/c.wav", "rest/d.wav"]


def test_sources_without_a_common_folder_work(music: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    sources = Sources(Path("/"), (str(music / "more")[1:], str(music / "take.wav")[1:]))
    assert sorted(sources.walk([], lambda: False)) == [
        str(music / name)[1:] for name in ("more/a.wav", "more/deep/b.wav", "take.wav")
    ]


def test_parent_folders_in_a_path_are_resolved(music: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(music / "more")
    assert Sources.choose([Path("../take.wav"), Path()]) == Sources(music, ("take.wav", "more"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("gone.wav", r"There is no file or folder .*gone\.wav; check the path"),
        ("take.wav/x", r"take\.wav/x cannot be opened \(Not a directory\)"),
        ("a\0b", "cannot be opened"),
    ],
)
def test_source_that_cannot_be_read_is_refused_by_name(music: Path, name: str, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        Sources.choose([music / "more", music / name])


def test_source_that_is_gone_later_has_no_files(music: Path) -> None:
    sources = Sources.choose([music / "take.wav", music / "more"])
    (music / "take.wav").unlink()
    assert list(sources.walk([], lambda: False)) == ["more/a.wav", "more/deep/b.wav"]
