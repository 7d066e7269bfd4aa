"""New sounds from a trained model: their files, and what is known of how they were made."""

import json
import shutil
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
    MorphSettings,
    OutputSettings,
    VarySettings,
)
from core.errors import Cancelled, SourceError
from core.runs import RunDirectory, read_provenance, repeat_request
from core.synthesis.encoded import training_sound
from core.synthesis.making import Maker
from tests.making import FLOAT, log_mel, make, read
from tests.sounds import tone

pytestmark = pytest.mark.slow


def test_new_sounds_are_audible_and_as_long_as_what_they_are_near_to(maker: Maker, tmp_path: Path) -> None:
    made = make(maker, tmp_path, GenerateSettings(count=20, seed=3))
    assert sorted(made) == [f"hits-e0002-s3-{number:03}.wav" for number in range(1, 21)]
    for each in made.values():
        sound = read(each.path)
        assert np.isfinite(sound).all()
        assert 0.01 < np.abs(sound).max() <= 1
        for what in ("near", "source"):
            longest = maker.bundle.origin(each.record[what]["number"] - 1).length_samples
            assert len(sound) <= longest


def test_new_sounds_are_drawn_around_all_training_sounds_in_turn(maker: Maker, tmp_path: Path) -> None:
    chunks = len(maker.bundle.latents)
    made = make(maker, tmp_path, GenerateSettings(count=2 * chunks, seed=1))
    drawn = [(each.record["source"]["number"], each.record["partner"]["number"]) for each in made.values()]
    assert sorted(source for source, _ in drawn[:chunks]) == list(range(1, chunks + 1))
    assert len(set(drawn)) == 2 * chunks


def test_no_two_new_sounds_are_nearly_the_same(maker: Maker, tmp_path: Path) -> None:
    bundle = maker.bundle
    made = make(maker, tmp_path, GenerateSettings(count=24, seed=5))
    width = bundle.chunk_samples
    padded = [np.pad(sound, (0, width - len(sound))) for sound in (read(each.path) for each in made.values())]
    new = torch.stack([log_mel(maker, sound * np.float32(bundle.level.gain)) for sound in padded])
    assert bundle.latents.sounds is not None
    kept = bundle.latents.sounds.log_mel(torch.arange(len(bundle.latents)))
    nearest = [float(torch.pdist(each.flatten(1)).min()) for each in (new, kept)]
    assert nearest[0] > 0.3 * nearest[1]  # three to a training sound, of a model of eight steps


def test_same_seed_gives_the_same_bytes_however_many_are_made(maker: Maker, tmp_path: Path) -> None:
    many = make(maker, tmp_path / "a", GenerateSettings(count=5, seed=9))
    one = make(maker, tmp_path / "b", GenerateSettings(count=1, first=4, seed=9))
    (name,) = one
    assert one[name].path.read_bytes() == many[name].path.read_bytes()
    other = make(maker, tmp_path / "c", GenerateSettings(count=1, first=4, seed=10))
    assert one[name].path.read_bytes() != next(iter(other.values())).path.read_bytes()


def test_temperature_and_detail_change_the_sound(maker: Maker, tmp_path: Path) -> None:
    def distance(**settings: Any) -> float:
        name = "-".join(map(str, settings.values()))
        made = make(maker, tmp_path / name, GenerateSettings(count=6, seed=2, **settings))
        total = 0.0
        for each in made.values():
            source = training_sound(maker.bundle, each.record["source"]["number"] - 1)
            total += float((torch.tensor(each.record["latent"]) - source.latent)[0, :32].norm())
        return total

    cold, usual, hot = (distance(temperature=value) for value in (0.0, 1.0, 2.0))
    assert cold == 0
    assert hot == pytest.approx(2 * usual, rel=1e-3)
    with_detail, without = (
        next(iter(make(maker, tmp_path / f"d{d}", GenerateSettings(count=1, seed=2, detail=d)).values()))
        for d in (1.0, 0.0)
    )
    assert with_detail.record["latent"] == without.record["latent"]
    assert with_detail.path.read_bytes() != without.path.read_bytes()


def test_given_length_is_kept_whether_shorter_or_longer_than_a_chunk(maker: Maker, tmp_path: Path) -> None:
    for seconds in (0.05, 0.3, 2.5):
        made = make(maker, tmp_path / str(seconds), GenerateSettings(count=1, seed=1, seconds=seconds))
        (each,) = made.values()
        assert len(read(each.path)) == round(48_000 * seconds)
        assert each.duration_s == pytest.approx(seconds)


def test_sounds_are_made_again_from_their_line_of_provenance(
    maker: Maker, trained: RunDirectory, tmp_path: Path
) -> None:
    hit = tmp_path / "mine.wav"
    soundfile.write(hit, 0.3 * tone(300.0, 0.4), 48_000)
    made = {
        **make(maker, tmp_path / "a", GenerateSettings(count=3), output=OutputSettings(format="wav16")),
        **make(maker, tmp_path / "a", VarySettings(count=2, seed=4), hit, "#2"),
        **make(maker, tmp_path / "a", JourneySettings(seconds=1.0), "#1", hit),
        **make(maker, tmp_path / "a", MorphSettings(amount=0.5), hit, plus=("#3",)),
    }
    records = read_provenance(tmp_path / "a")
    assert [record["file"] for record in records] == list(made)
    for record in records:
        request, output = repeat_request(record)
        (again,) = Maker(trained.path, device="cpu").make(request, output, tmp_path / "b")
        assert again.path.read_bytes() == made[record["file"]].path.read_bytes()


def test_provenance_is_complete(maker: Maker, tmp_path: Path, trained: RunDirectory) -> None:
    (made,) = make(maker, tmp_path, GenerateSettings(count=1, seed=3)).values()
    (record,) = [json.loads(line) for line in (tmp_path / "provenance.jsonl").read_text().splitlines()]
    assert record == made.record
    assert record["run"] == "hits"
    assert record["checkpoint"] == "best.pt"
    assert len(record["checkpoint_sha256"]) == 64
    assert (record["epoch"], record["step"], record["seed"], record["number"]) == (2, 8, 3, 1)
    near = record["near"]
    assert maker.bundle.origin(near["number"] - 1).path == near["path"]
    assert near["path"].startswith("hit-")
    assert len(record["latent"]) == 40
    assert record["settings"]["temperature"] == 1.0
    assert record["output"]["format"] == "float"


def test_sound_of_another_checkpoint_is_not_made_again(
    maker: Maker, tmp_path: Path, trained: RunDirectory
) -> None:
    (made,) = make(maker, tmp_path / "a", GenerateSettings(count=1)).values()
    request, output = repeat_request(made.record)
    other = Maker(trained.path, 0, device="cpu")
    with pytest.raises(SourceError, match="another checkpoint"):
        list(other.make(request, output, tmp_path / "b"))


def test_seed_that_was_not_given_is_one_that_was_not_used(
    maker: Maker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("core.synthesis.plan.SEEDS", 3)
    seeds = {
        next(iter(make(maker, tmp_path, GenerateSettings(count=1)).values())).record["seed"] for _ in range(3)
    }
    assert seeds == {0, 1, 2}


def test_sounds_are_written_into_the_run(trained: RunDirectory, tmp_path: Path) -> None:
    run = RunDirectory(Path(shutil.copytree(trained.path, tmp_path / "mine")))
    (made,) = Maker(run.path, device="cpu").make(MakingRequest(GenerateSettings(count=1)), FLOAT)
    assert made.path.parent == run.path / "generated"
    file = shutil.copy(run.checkpoints / "best.pt", tmp_path / "travels.pt")
    (made,) = Maker(Path(file), device="cpu").make(MakingRequest(GenerateSettings(count=1)), FLOAT)
    assert made.path.parent == tmp_path / "generated"
    assert made.path.name.startswith("travels-e0002-")


def test_a_variation_of_a_made_sound_does_not_repeat_where_that_comes_from(
    maker: Maker, tmp_path: Path
) -> None:
    (first,) = make(maker, tmp_path, GenerateSettings(count=1, seed=3)).values()
    (second,) = make(maker, tmp_path, VarySettings(count=1, seed=4), first.path).values()
    (third,) = make(maker, tmp_path, VarySettings(count=1, seed=5), second.path).values()
    names = [each.path.stem.partition("-e0002-")[2] for each in (first, second, third)]
    assert names == ["s3-001", "s3-001-s4-001", "s3-001-s4-001-s5-001"]


@pytest.mark.parametrize("run", ["../../evil", "/evil", "a/b", "", "...", "x" * 300, "e\nvil"])
def test_name_of_a_run_in_a_file_leads_nowhere(maker: Maker, tmp_path: Path, run: str) -> None:
    bundle = maker.bundle
    maker.bundle = replace(bundle, provenance=replace(bundle.provenance, run=run))
    made = make(maker, tmp_path / "out", GenerateSettings(count=1, seed=1))
    assert [path.name for path in (tmp_path / "out").glob("*.wav")] == list(made)
    assert all(
        path.name.endswith("-e0002-s1-001.wav") and len(path.name) < 100 for path in tmp_path.rglob("*.wav")
    )


def test_sound_is_not_made_again_from_a_source_that_changed(maker: Maker, tmp_path: Path) -> None:
    hit = tmp_path / "mine.wav"
    soundfile.write(hit, 0.3 * tone(300.0, 0.4), 48_000)
    (made,) = make(maker, tmp_path / "a", VarySettings(count=1, seed=4), hit).values()
    soundfile.write(hit, 0.3 * tone(400.0, 0.4), 48_000)
    with pytest.raises(SourceError, match=r"mine\.wav is not the sound any more that it was made from"):
        repeat_request(made.record)


def test_sound_of_a_model_with_kept_sounds_is_not_made_again_without(maker: Maker, tmp_path: Path) -> None:
    (made,) = make(maker, tmp_path / "a", GenerateSettings(count=1)).values()
    request, output = repeat_request(made.record)
    bundle = maker.bundle
    maker.bundle = replace(bundle, latents=replace(bundle.latents, sounds=None))
    with pytest.raises(SourceError, match="with its training sounds, and this one is not so"):
        list(maker.make(request, output, tmp_path / "b"))


def test_sound_that_was_cut_short_is_made_again_as_it_was(trained: RunDirectory, tmp_path: Path) -> None:
    reached: list[int] = []
    maker = Maker(
        trained.path,
        device="cpu",
        progress=lambda at: reached.append(at.done),
        cancelled=lambda: len(reached) == 1,
    )
    request = MakingRequest(JourneySettings(seconds=60.0, seed=1), ("#1", "#4"))
    with pytest.raises(Cancelled):
        list(maker.make(request, FLOAT, tmp_path / "a"))
    (record,) = read_provenance(tmp_path / "a")
    assert record["cut_short"]
    again, output = repeat_request(record)
    (made,) = Maker(trained.path, device="cpu").make(again, output, tmp_path / "b")
    assert made.path.read_bytes() == (tmp_path / "a" / record["file"]).read_bytes()


def test_sounds_of_the_same_name_get_names_of_their_own(maker: Maker, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        soundfile.write(tmp_path / folder / "kick.wav", 0.3 * tone(300.0, 0.2), 48_000)
    both = tmp_path / "a" / "kick.wav", tmp_path / "b" / "kick.wav"
    varied = make(maker, tmp_path / "out", VarySettings(count=2, seed=1), *both)
    assert len(varied) == 4
    plain = make(maker, tmp_path / "out", MorphSettings(), both[0])
    other = make(maker, tmp_path / "out", MorphSettings(follow="level"), both[0])
    assert plain.keys().isdisjoint(other)
