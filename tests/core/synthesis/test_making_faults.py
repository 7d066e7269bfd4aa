"""Making sounds where something goes wrong: sources, folders, the disk, memory."""

import gc
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from core.config import (
    GenerateSettings,
    JourneySettings,
    MakingRequest,
    MakingSettings,
    MorphSettings,
    VarySettings,
)
from core.errors import Cancelled, CheckpointError, FileTakenError, OutputError, SourceError
from core.runs import RunDirectory, list_generated, read_provenance, repeat_request
from core.synthesis import ModelBundle
from core.synthesis import making as making_module
from core.synthesis.making import Made, Maker
from tests.conftest import file_size_limit
from tests.making import FLOAT, alike, log_mel, make, read

pytestmark = pytest.mark.slow


def test_files_that_exist_are_left_and_nothing_is_made(maker: Maker, tmp_path: Path) -> None:
    make(maker, tmp_path, GenerateSettings(count=2, seed=1))
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(FileTakenError, match=r"s1-002\.wav exists"):
        make(maker, tmp_path, GenerateSettings(count=3, first=2, seed=1))
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    again = make(maker, tmp_path, GenerateSettings(count=3, first=2, seed=1), is_replacing=True)
    assert len(again) == 3


def test_two_at_once_leave_whole_lines_and_all_their_sounds(trained: RunDirectory, tmp_path: Path) -> None:
    makers = [Maker(trained.path, device="cpu") for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        made = list(pool.map(lambda each: make(each, tmp_path, GenerateSettings(count=6)), makers))
    names = {name for each in made for name in each}
    assert len(names) == 12
    assert {record["file"] for record in read_provenance(tmp_path)} == names


def test_cancelling_keeps_what_is_complete(trained: RunDirectory, tmp_path: Path) -> None:
    made: list[Made] = []
    maker = Maker(trained.path, device="cpu", cancelled=lambda: len(made) >= 3)
    with pytest.raises(Cancelled):
        made.extend(maker.make(MakingRequest(GenerateSettings(count=50, seed=1)), FLOAT, tmp_path))
    assert 3 <= len(made) <= 5
    assert sorted(path.name for path in tmp_path.glob("*.wav")) == [each.path.name for each in made]
    assert len(read_provenance(tmp_path)) == len(made)
    assert all(len(read(each.path)) for each in made)


def test_cancelled_drift_is_kept_up_to_there(trained: RunDirectory, tmp_path: Path) -> None:
    reached: list[int] = []
    maker = Maker(
        trained.path,
        device="cpu",
        progress=lambda at: reached.append(at.done),
        cancelled=lambda: len(reached) >= 2,
    )
    request = MakingRequest(JourneySettings(seconds=3600.0, seed=1))
    made: list[Made] = []
    with pytest.raises(Cancelled):
        made.extend(maker.make(request, FLOAT, tmp_path))
    (record,) = read_provenance(tmp_path)
    assert 3 < record["duration_s"] < 60
    assert len(read(tmp_path / record["file"])) == round(48_000 * record["duration_s"])


@pytest.mark.parametrize(
    ("settings", "sources", "message"),
    [
        (VarySettings(), ("#0",), r"no training sound #0; this model has #1 to #"),
        (VarySettings(), ("#99",), r"no training sound #99"),
        (VarySettings(), ("nothing.wav",), r"nothing\.wav cannot be used: there is no such file"),
        (VarySettings(), ("text.wav",), r"text\.wav cannot be used: "),
        (VarySettings(), ("silent.wav",), r"silent\.wav cannot be used: it is silent"),
        (VarySettings(), ("empty.wav",), r"empty\.wav cannot be used: it is silent"),
        (JourneySettings(), ("#1",), r"goes between two or more sounds"),
        (JourneySettings(steps=4), (), r"go between two or more sounds"),
        (MorphSettings(), ("silent.wav",), r"silent\.wav cannot be used: it is silent"),
        (MorphSettings(), ("nothing.wav",), r"there is no such file"),
        (MorphSettings(), ("folder",), r"folder cannot be used: "),
    ],
)
def test_sounds_that_cannot_be_used_are_named(
    maker: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    settings: MakingSettings, sources: tuple[str, ...], message: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    Path("text.wav").write_text("no sound")
    Path("folder").mkdir()
    soundfile.write("silent.wav", np.zeros(48_000), 48_000)
    soundfile.write("empty.wav", np.zeros(0), 48_000)
    with pytest.raises(SourceError, match=message):
        make(maker, tmp_path / "out", settings, *sources)
    assert not list(tmp_path.glob("out/*"))


@pytest.mark.parametrize("seconds", [0.005, 0.1, 700.0])
def test_files_of_any_length_can_be_varied_and_short_ones_morphed(
    maker: Maker, tmp_path: Path, seconds: float
) -> None:
    rate = 8_000  # and at another rate
    sound = (
        0.3
        * np.sin(np.arange(round(rate * seconds)) * 0.3)
        * (1 + np.sin(np.arange(round(rate * seconds)) / 1e4))
    )
    soundfile.write(tmp_path / "a.wav", sound, rate)
    (varied,) = make(maker, tmp_path, VarySettings(count=1, seed=1), tmp_path / "a.wav").values()
    assert np.abs(read(varied.path)).max() > 0.01
    if seconds < 1:
        (result,) = make(maker, tmp_path, MorphSettings(), tmp_path / "a.wav").values()
        assert len(read(result.path)) == round(48_000 * seconds)


def test_run_without_checkpoints_is_named(tmp_path: Path, trained: RunDirectory) -> None:
    run = RunDirectory(Path(shutil.copytree(trained.path, tmp_path / "bare")))
    shutil.rmtree(run.checkpoints)
    with pytest.raises(CheckpointError, match=r"no checkpoint .* there is none"):
        Maker(run.path, device="cpu")


def test_damaged_checkpoint_is_named(tmp_path: Path, trained: RunDirectory) -> None:
    data = bytearray((trained.checkpoints / "best.pt").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "damaged.pt").write_bytes(data)
    with pytest.raises(CheckpointError, match=r"damaged\.pt is damaged"):
        Maker(tmp_path / "damaged.pt", device="cpu")


def test_newest_checkpoint_is_used_while_there_is_no_best(tmp_path: Path, trained: RunDirectory) -> None:
    run = RunDirectory(Path(shutil.copytree(trained.path, tmp_path / "early")))
    (run.checkpoints / "best.pt").unlink()
    assert Maker(run.path, device="cpu").bundle.provenance.checkpoint == "step-000000008.pt"


@pytest.mark.parametrize("name", ["taken", "taken/below"])
def test_output_that_is_no_folder_is_named(maker: Maker, tmp_path: Path, name: str) -> None:
    (tmp_path / "taken").write_text("mine")
    with pytest.raises(OutputError, match="is a file; choose a folder"):
        make(maker, tmp_path / name, GenerateSettings(count=1))


def test_name_of_one_file_is_for_one_sound_in_its_format(maker: Maker, tmp_path: Path) -> None:
    make(maker, tmp_path / "mine.wav", JourneySettings(seconds=0.5), "#1", "#2")
    assert len(read(tmp_path / "mine.wav")) == 24_000
    with pytest.raises(OutputError, match="names one file for 2 sounds"):
        make(maker, tmp_path / "two.wav", GenerateSettings(count=2))
    with pytest.raises(OutputError, match="would hold another format"):
        make(maker, tmp_path / "mine.flac", GenerateSettings(count=1))


def test_folder_that_may_not_be_written_is_reported(
    maker: Maker, open_path: Path, request: pytest.FixtureRequest
) -> None:
    locked = open_path / "locked"
    locked.mkdir()
    request.getfixturevalue("ordinary_user")
    with pytest.raises(OutputError, match=r"cannot be written \(Permission denied\); check its perm"):
        make(maker, locked, GenerateSettings(count=1))


def test_full_disk_keeps_what_was_complete(maker: Maker, tmp_path: Path) -> None:
    made: list[Made] = []
    with (
        file_size_limit(60_000),
        pytest.raises(OutputError, match=r"\.wav cannot be written \(File too large\)"),
    ):
        made.extend(maker.make(MakingRequest(GenerateSettings(count=12, seed=1)), FLOAT, tmp_path))
    assert sorted(path.name for path in tmp_path.glob("*.wav")) == [each.path.name for each in made]


def test_generated_folder_that_is_a_link_is_not_followed(tmp_path: Path, trained: RunDirectory) -> None:
    run = RunDirectory(Path(shutil.copytree(trained.path, tmp_path / "linked")))
    (tmp_path / "elsewhere").mkdir()
    (run.path / "generated").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="is a link"):
        list(Maker(run.path, device="cpu").make(MakingRequest(GenerateSettings(count=1)), FLOAT))
    assert not list((tmp_path / "elsewhere").iterdir())


@pytest.mark.parametrize(
    "message",
    [
        "CUDA error: out of memory",
        "cuFFT error: CUFFT_ALLOC_FAILED",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling",
    ],
)
def test_lack_of_memory_is_known_whatever_library_lacks_it(
    trained: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, message: str
) -> None:
    real, calls = ModelBundle.from_state.__func__, []  # type: ignore[attr-defined]

    def fail_once(cls: type[ModelBundle], *arguments: Any) -> ModelBundle:
        calls.append(1)
        if len(calls) == 1:
            raise RuntimeError(message)
        return real(cls, *arguments)

    monkeypatch.setattr(ModelBundle, "from_state", classmethod(fail_once))
    notes: list[str] = []
    maker = Maker(trained.path, device=None, notify=notes.append)
    assert len(make(maker, tmp_path, GenerateSettings(count=1, seed=1))) == 1
    assert notes == ["The device has too little free memory; the CPU is used instead."]


def lack_memory_at(monkeypatch: pytest.MonkeyPatch, name: str, times: int) -> None:
    """Let something in the module fail so often as a device does that has no memory left."""
    original: Callable[..., Any] = getattr(making_module, name)
    left = [times]

    def limited(*arguments: Any, **more: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise torch.OutOfMemoryError("CUDA out of memory")
        return original(*arguments, **more)

    monkeypatch.setattr(making_module, name, limited)


def test_cpu_takes_the_place_of_a_device_without_memory_for_the_model(
    trained: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lack_memory_at(monkeypatch, "load_bundle", 1)
    notes: list[str] = []
    maker = Maker(trained.path, device="cuda:0", notify=notes.append)
    assert len(make(maker, tmp_path, GenerateSettings(count=2, seed=1))) == 2
    assert notes == ["cuda:0 has too little free memory; the CPU is used instead."]


def test_cpu_continues_where_a_device_runs_out_of_memory(
    trained: RunDirectory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[str] = []
    maker = Maker(trained.path, device="cpu", notify=notes.append)
    expected = make(maker, tmp_path / "cpu", GenerateSettings(count=6, seed=1))

    class Limited(type(maker.bundle)):  # type: ignore[misc]
        rendered = 0

        @property
        def device(self) -> torch.device:
            return torch.device("cpu:0")  # that counts as another device than the CPU

        def render(self, *arguments: Any) -> list[np.ndarray]:
            if Limited.rendered:
                raise torch.OutOfMemoryError("CUDA out of memory")
            Limited.rendered += 1
            return super().render(*arguments)

    maker.bundle = Limited(**vars(maker.bundle))
    made = make(maker, tmp_path / "device", GenerateSettings(count=6, seed=1))
    assert len(notes) == 1
    assert [each.path.read_bytes() for each in made.values()] == [
        each.path.read_bytes() for each in expected.values()
    ]


def test_series_with_a_damaged_line_is_read_without_it(maker: Maker, tmp_path: Path) -> None:
    make(maker, tmp_path, GenerateSettings(count=2, seed=1))
    file = tmp_path / "provenance.jsonl"
    lines = file.read_text().splitlines()
    hostile = ['{"file": 3}', "no json", '{"file": "../a.wav"}', '{"file": "provenance.jsonl"}', "x" * 10**6]
    odd = (
        lines[1]
        .replace('"duration_s": ', '"duration_s": ' + "9" * 400)
        .replace('"number": 2', '"number": 1e999')
    )
    file.write_text("\n".join([lines[0], *hostile, odd, lines[1][:50], lines[1]]))
    maker_again = make(maker, tmp_path, GenerateSettings(count=1, first=3, seed=1))
    assert [sound.path.name for sound in list_generated(tmp_path)][-1:] == list(maker_again)
    records: list[Mapping[str, Any]] = read_provenance(tmp_path)
    assert [record["number"] for record in records if type(record["number"]) is int] == [1, 2, 3]
    with pytest.raises(SourceError, match=r"provenance\.jsonl is damaged"):
        repeat_request({**records[0], "kind": "nothing"})


def test_bundle_without_kept_sounds_makes_sounds_too(tmp_path: Path, trained: RunDirectory) -> None:
    maker = Maker(trained.path, device="cpu")
    maker.bundle = replace(maker.bundle, latents=replace(maker.bundle.latents, sounds=None))
    assert len(make(maker, tmp_path, GenerateSettings(count=2, seed=1))) == 2
    assert len(make(maker, tmp_path, VarySettings(count=1), "#1")) == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_sounds_made_on_a_gpu_do_not_depend_on_how_many_are_made(
    trained: RunDirectory, tmp_path: Path
) -> None:
    maker = Maker(trained.path, device="cuda")
    many = make(maker, tmp_path / "many", GenerateSettings(count=20, seed=2))
    one = make(maker, tmp_path / "one", GenerateSettings(count=1, first=18, seed=2))
    (name,) = one
    assert one[name].path.read_bytes() == many[name].path.read_bytes()
    on_cpu = make(
        Maker(trained.path, device="cpu"), tmp_path / "cpu", GenerateSettings(count=1, first=18, seed=2)
    )
    assert alike(log_mel(maker, read(one[name].path)), log_mel(maker, read(on_cpu[name].path))) > 0.98


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cpu_takes_over_when_the_gpu_is_full(trained: RunDirectory, tmp_path: Path) -> None:
    gc.collect()
    torch.cuda.empty_cache()  # what is reserved already is not limited
    torch.cuda.set_per_process_memory_fraction(1e-6)
    notes: list[str] = []
    try:
        maker = Maker(trained.path, device="cuda", notify=notes.append)
        made = make(maker, tmp_path, GenerateSettings(count=2, seed=2))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)
    assert len(made) == 2
    assert notes == ["cuda has too little free memory; the CPU is used instead."]
