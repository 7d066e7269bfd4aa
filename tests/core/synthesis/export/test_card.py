"""The model card: true figures, names only if asked for, and what is in the files."""

from pathlib import Path

import numpy as np
import pytest
import yaml

from core.checkpoints.archive import serialise
from core.errors import FileTakenError
from core.runs import RunDirectory
from core.synthesis.export import open_source, write_bundle, write_card
from core.synthesis.export.card import model_card
from tests.core.synthesis.export.models import make_state, write_checkpoint


def test_card_of_a_run_has_its_numbers_and_no_names(uninterrupted: RunDirectory) -> None:
    source = open_source(uninterrupted.path)
    text = model_card(source, [], names=False, sounds=True)
    assert "| files | 8 |" in text
    assert "| of these held out for validation | 4 |" in text
    assert f"{source.provenance.figures['held_out_rmse']:.4g}" in text
    assert source.provenance.checkpoint_sha256 in text
    assert "| `chunk_duration_s` | `0.25` | `1` |" in text
    assert "`learning_rate`" not in text  # has its default
    assert "tone-" not in text


def test_names_of_the_training_files_are_in_the_card_if_asked_for(uninterrupted: RunDirectory) -> None:
    text = model_card(open_source(uninterrupted.path), [], names=True, sounds=True)
    split = uninterrupted.read_manifest().split
    for excerpt in split.train:
        assert f"- `{excerpt.path}`" in text
    assert not any(path in text for path in split.validation_paths)


def test_names_come_from_the_latents_where_there_is_no_run(tmp_path: Path) -> None:
    state = make_state(preview_clip="/music/clip.wav")
    paths = ["b.wav", "a|`.wav", "", "b.wav", "../c\n.wav"]
    paths += ["b.wav"] * (len(state["task"]["latents"]["means"]) - len(paths))
    state["task"]["latents"]["origins"] = [{"path": path, "length_samples": 100} for path in paths]
    del state["format_version"]
    (tmp_path / "mine.pt").write_bytes(serialise(state))
    source = open_source(tmp_path / "mine.pt")
    text = model_card(source, [], names=True, sounds=True)
    assert text.count("- `b.wav`") == 1
    assert "- `a|'.wav`" in text
    assert "- `../c�.wav`" in text
    assert "`/music/clip.wav`" in text
    without = model_card(source, [], names=False, sounds=True)
    assert "b.wav" not in without
    assert "clip.wav" not in without


@pytest.mark.parametrize("licence", ["CC-BY-4.0", 'mine: "all" of it\n# no comment', ""])
def test_the_head_is_yaml_whatever_the_licence_says(tmp_path: Path, licence: str) -> None:
    source = open_source(write_checkpoint(tmp_path / "mine.pt")).licensed(licence, "CC0-1.0")
    text = write_card(tmp_path / "mine.md", source).read_text()
    head = yaml.safe_load(text.split("---\n")[1])
    assert head["license"] == (licence or "unknown")
    assert head["library_name"] == "sda-tui"
    assert "audio" in head["tags"]
    assert "- Licence of the sounds it was trained on: CC0-1.0" in text
    with pytest.raises(FileTakenError):
        write_card(tmp_path / "mine.md", source)


@pytest.mark.parametrize("sounds", [False, True])
def test_card_says_whether_the_files_contain_sounds(tmp_path: Path, sounds: bool) -> None:
    source = open_source(write_checkpoint(tmp_path / "mine.pt"))
    assert ("contains training sounds" in model_card(source, [], names=False, sounds=sounds)) == sounds
    bundle = write_bundle(tmp_path / "mine.safetensors", source, sounds=sounds)
    again = model_card(open_source(bundle), [], names=False, sounds=True)
    assert ("contains training sounds" in again) == sounds


def test_every_file_that_is_exported_is_explained(tmp_path: Path) -> None:
    source = open_source(write_checkpoint(tmp_path / "mine.pt"))
    names = ["m.safetensors", "m-encoder.onnx", "m-decoder.onnx", "m-encoder.pt2", "m-decoder.pt2", "m.ts"]
    text = model_card(source, [Path("there") / name for name in names], names=False, sounds=True)
    for name in names:
        assert f"### `{name}`\n\n" in text
    assert "[batch, 12000]" in text
    assert "8192 samples (0.17 s)" in text
    assert "there" not in text.replace("whether", "")


@pytest.mark.slow
def test_python_of_the_card_makes_sounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = open_source(write_checkpoint(tmp_path / "mine.pt"))
    file = write_bundle(tmp_path / "mine.safetensors", source)
    text = model_card(source, [file], names=False, sounds=True)
    code = text.split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(tmp_path)
    found: dict[str, object] = {}
    exec(code, found)
    sounds = found["sounds"]
    assert isinstance(sounds, list)
    assert len(sounds) == 4
    assert all(np.isfinite(sound).all() for sound in sounds)
