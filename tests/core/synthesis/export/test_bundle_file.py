"""A model in one file: what travels, what does not, and what is refused."""

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.torch
import torch

from core.checkpoints.archive import serialise
from core.checkpoints.bundle_file import NO_HASH, read_bundle_file
from core.errors import CheckpointError, ExportError, FileTakenError
from core.runs import RunDirectory
from core.seeding import generator
from core.synthesis import load_bundle
from core.synthesis.export import ModelSource, open_source, write_bundle
from tests.core.synthesis.export.models import make_state, same_bundles, write_checkpoint


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_checkpoint(tmp_path_factory.mktemp("model") / "mine.pt")


@pytest.fixture(scope="module")
def source(checkpoint: Path) -> ModelSource:
    return open_source(checkpoint)


@pytest.fixture(scope="module")
def small_file(source: ModelSource, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle file."""
    return write_bundle(tmp_path_factory.mktemp("bundle") / "small.safetensors", source)


def header_of(path: Path) -> dict[str, Any]:
    data = path.read_bytes()
    found: dict[str, Any] = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return found


def rewrite(path: Path, target: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """The same file with another header, and a checksum that is right for it."""
    data = path.read_bytes()
    length = int.from_bytes(data[:8], "little")
    header, body = json.loads(data[8 : 8 + length]), data[8 + length :]
    header["__metadata__"]["sha256"] = NO_HASH
    change(header)
    text = json.dumps(header).encode("ascii")
    text += b" " * (-len(text) % 8)
    digest = hashlib.sha256(text + body).hexdigest().encode("ascii")
    text = text.replace(NO_HASH.encode("ascii"), digest, 1)
    target.write_bytes(len(text).to_bytes(8, "little") + text + body)
    return target


def change_state(change: Callable[[dict[str, Any]], object]) -> Callable[[dict[str, Any]], object]:
    """A change of the plain values, as `rewrite` takes it."""

    def changed(header: dict[str, Any]) -> None:
        state = json.loads(header["__metadata__"]["state"])
        change(state)
        header["__metadata__"]["state"] = json.dumps(state)

    return changed


def test_bundle_file_gives_the_model_of_its_run_bit_for_bit(
    uninterrupted: RunDirectory, tmp_path: Path
) -> None:
    file = write_bundle(tmp_path / "mine.safetensors", open_source(uninterrupted.path))
    of_run, of_file = load_bundle(uninterrupted.path), load_bundle(file)
    assert same_bundles(of_run, of_file)
    new = [bundle.sample(3, generator(0, "new")) for bundle in (of_run, of_file)]
    assert torch.equal(*new)
    sounds = [
        bundle.render(each[:1], [generator(0, "phase")])[0]
        for bundle, each in zip((of_run, of_file), new, strict=True)
    ]
    assert np.array_equal(*sounds)


def test_bundle_file_is_known_by_its_content(small_file: Path, tmp_path: Path) -> None:
    renamed = tmp_path / "model.pt"
    renamed.write_bytes(small_file.read_bytes())
    assert same_bundles(load_bundle(small_file), load_bundle(renamed))


def test_any_program_reads_the_weights_of_a_bundle_file(small_file: Path, checkpoint: Path) -> None:
    weights = torch.load(checkpoint, weights_only=True)["ema_model"]
    with safetensors.safe_open(small_file, "numpy") as file:
        for name, weight in weights.items():
            assert np.array_equal(file.get_tensor(f"ema_model.{name}"), weight.numpy())
        assert file.metadata()["format"] == "sda-tui bundle"


def test_bundle_file_says_which_checkpoint_it_is_of(uninterrupted: RunDirectory, tmp_path: Path) -> None:
    source = open_source(uninterrupted.path).licensed("mine alone", "CC0-1.0")
    file = write_bundle(tmp_path / "mine.safetensors", source)
    found = read_bundle_file(file).provenance
    best = uninterrupted.checkpoints / "best.pt"
    assert found.checkpoint_sha256 == hashlib.sha256(best.read_bytes()).hexdigest()
    assert (found.run, found.checkpoint, found.step) == ("run", "best.pt", source.state["step"])
    assert (found.sounds_licence, found.model_licence) == ("CC0-1.0", "mine alone")
    logged = [json.loads(line) for line in uninterrupted.events.read_text().splitlines()]
    (epoch,) = (each for each in logged if each["event"] == "epoch" and each["epoch"] == found.epoch)
    assert found.figures["held_out_rmse"] == epoch["validation_error"]
    assert found.figures["validation_loss"] == epoch["validation_loss"]
    assert (found.figures["files"], found.figures["held_out_files"]) == (8, 4)
    again = write_bundle(tmp_path / "again.safetensors", open_source(file))
    assert read_bundle_file(again).provenance == found
    assert again.read_bytes() == file.read_bytes()


def with_origins(tmp_path: Path) -> Path:
    """A checkpoint whose latents say which files they are of."""
    state = make_state(preview_clip="/music/secret clip.wav")
    state["task"]["latents"]["origins"] = [
        {"path": f"secret-{n}.wav", "length_samples": 100 + n} for n in range(12)
    ]
    del state["format_version"]
    path = tmp_path / "named.pt"
    path.write_bytes(serialise(state))
    return path


@pytest.mark.parametrize("names", [False, True])
def test_names_of_sounds_travel_only_if_asked_for(tmp_path: Path, names: bool) -> None:
    source = open_source(with_origins(tmp_path))
    file = write_bundle(tmp_path / "mine.safetensors", source, names=names)
    assert (b"secret" in file.read_bytes()) == names
    state = read_bundle_file(file).state
    origin = state["task"]["latents"]["origins"][3]
    assert origin == {"path": "secret-3.wav" if names else "", "length_samples": 103}


def test_sounds_can_stay_at_home(source: ModelSource, small_file: Path, tmp_path: Path) -> None:
    file = write_bundle(tmp_path / "mine.safetensors", source, sounds=False)
    whole, without = load_bundle(small_file), load_bundle(file)
    assert whole.latents.sounds is not None
    assert without.latents.sounds is None
    assert without.detail == 0
    assert torch.equal(whole.latents.means, without.latents.means)
    assert not any("sounds" in name for name in header_of(file) if name != "__metadata__")


def test_an_existing_file_is_overwritten_only_if_asked_for(source: ModelSource, tmp_path: Path) -> None:
    file = tmp_path / "mine.safetensors"
    file.write_bytes(b"precious")
    with pytest.raises(FileTakenError, match="exists, and is not overwritten"):
        write_bundle(file, source)
    assert file.read_bytes() == b"precious"
    write_bundle(file, source, overwrite=True)
    assert same_bundles(load_bundle(file), source.bundle)


@pytest.mark.parametrize(("name", "message"), [("", "is a folder"), ("missing/x.safetensors", "no folder")])
def test_place_that_takes_no_file_is_named(
    source: ModelSource, tmp_path: Path, name: str, message: str
) -> None:
    with pytest.raises(ExportError, match=message):
        write_bundle(tmp_path / name, source)


def test_folder_that_cannot_be_written_is_named(
    source: ModelSource, open_path: Path, ordinary_user: None
) -> None:
    with pytest.raises(ExportError, match=r"Cannot write .*mine\.safetensors .*check its permissions"):
        write_bundle(open_path / "mine.safetensors", source)


def test_a_flipped_bit_anywhere_in_a_bundle_file_is_noticed(small_file: Path, tmp_path: Path) -> None:
    data, file = small_file.read_bytes(), tmp_path / "flipped.safetensors"
    draws = np.random.default_rng(0)
    ends = [*range(12), *range(len(data) - 4, len(data))]
    header = 8 + int.from_bytes(data[:8], "little")
    places = [*ends, *draws.integers(header, size=100), *draws.integers(header, len(data), size=20)]
    for place in places:
        damaged = bytearray(data)
        damaged[place] ^= 1 << int(draws.integers(8))
        file.write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"^flipped\.safetensors .*\.$"):
            load_bundle(file)


@pytest.mark.parametrize("kept", [0, 5, 8, 9, 200, -5000, -1])
def test_a_bundle_file_that_is_cut_short_is_named(small_file: Path, tmp_path: Path, kept: int) -> None:
    file = tmp_path / "cut.safetensors"
    file.write_bytes(small_file.read_bytes()[:kept])
    with pytest.raises(CheckpointError, match=r"^cut\.safetensors is damaged"):
        load_bundle(file)


def test_a_bundle_file_with_bytes_behind_it_is_named(small_file: Path, tmp_path: Path) -> None:
    file = tmp_path / "longer.safetensors"
    file.write_bytes(small_file.read_bytes() + b"\0")
    with pytest.raises(CheckpointError, match=r"^longer\.safetensors is damaged"):
        load_bundle(file)


def test_a_safetensors_file_of_another_program_is_named(tmp_path: Path) -> None:
    file = tmp_path / "other.safetensors"
    safetensors.torch.save_file({"weight": torch.zeros(3)}, file, {"format": "pt"})
    with pytest.raises(CheckpointError, match=r"^other\.safetensors is a safetensors file of another"):
        load_bundle(file)


def test_a_bundle_file_of_a_newer_version_says_what_to_do(small_file: Path, tmp_path: Path) -> None:
    file = rewrite(
        small_file,
        tmp_path / "newer.safetensors",
        lambda header: header["__metadata__"].update(format_version="2"),
    )
    message = r"^newer\.safetensors was written by a newer version; update sda-tui\.$"
    with pytest.raises(CheckpointError, match=message):
        load_bundle(file)


@pytest.mark.parametrize("length", [1 << 63, 1 << 40, (16 << 20) + 8])
def test_a_header_of_absurd_length_takes_no_memory(small_file: Path, tmp_path: Path, length: int) -> None:
    file = tmp_path / "absurd.safetensors"
    file.write_bytes(length.to_bytes(8, "little") + small_file.read_bytes()[8:])
    os.truncate(file, 64 << 20)  # of which nothing is on the disk
    with pytest.raises(CheckpointError, match=f"its header would have {length} bytes"):
        load_bundle(file)


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header["ema_model.scale"].update(shape=[1 << 40]),
        lambda header: header["ema_model.scale"].update(data_offsets=[0, 1 << 50]),
        lambda header: header["ema_model.scale"].update(shape=[1 << 62, 1 << 62]),
        lambda header: header["ema_model.scale"].update(dtype="F9"),
        lambda header: header.update({"ema_model.scale": "huge"}),
        lambda header: header.pop("ema_model.scale"),
        lambda header: header["__metadata__"].pop("state"),
        lambda header: header["__metadata__"].update(state="[" * 100_000),
        lambda header: header["__metadata__"].update(step="many"),
        lambda header: header["__metadata__"].update(figures='{"x": NaN}'),
        change_state(lambda state: state["task"].update(gain="loud")),
        change_state(lambda state: state["config"].update(latent_dim=512, chunk_duration_s=4.0)),
        change_state(lambda state: state["config"].update(latent_dim=1 << 40)),
        change_state(lambda state: state["spectrogram"].update(n_fft=1 << 40)),
        change_state(lambda state: state["spectrogram"].update(hop_length=0)),
        change_state(lambda state: state.update(ema_model="none")),
        change_state(lambda state: state["task"].update(latents=None)),
        change_state(lambda state: state.update(task=[])),
        change_state(lambda state: state["task"]["latents"].update(bandwidth=1e9)),
    ],
)  # fmt: skip
def test_absurd_sizes_and_values_in_a_bundle_file_are_refused(
    small_file: Path, tmp_path: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    file = rewrite(small_file, tmp_path / "absurd.safetensors", change)
    with pytest.raises(CheckpointError, match=r"^absurd\.safetensors [^\n]*\.$"):
        load_bundle(file)


def test_a_model_larger_than_its_file_is_refused_before_it_is_built(
    small_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = change_state(lambda state: state["config"].update(latent_dim=512, chunk_duration_s=4.0))
    file = rewrite(small_file, tmp_path / "huge.safetensors", change)
    monkeypatch.setattr("core.synthesis.bundle.build_model", lambda *_: pytest.fail("it was built"))
    with pytest.raises(CheckpointError, match="fewer weights than its settings say"):
        load_bundle(file)


def test_weights_that_are_not_finite_are_refused(checkpoint: Path, tmp_path: Path) -> None:
    source = open_source(checkpoint)
    source.state["ema_model"]["scale"] = torch.tensor(float("nan"))
    with pytest.raises(CheckpointError, match="cannot be exported"):
        write_bundle(tmp_path / "mine.safetensors", source)
    assert list(tmp_path.iterdir()) == []


def test_run_and_folder_in_the_place_of_a_bundle_file_are_named(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "missing.safetensors"):
        with pytest.raises(CheckpointError, match="neither a run nor a checkpoint or bundle"):
            open_source(path)


def test_no_pickle_is_read_from_a_bundle_file(small_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pickle.Unpickler", None)
    monkeypatch.setattr(torch, "load", lambda *_, **__: pytest.fail("a pickle was read"))
    load_bundle(small_file)
