"""Sounds made from a trained model, read back from the files they are in."""

import gc
import json
import shutil
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
import torch

from core.audio.spectrogram import LogMelSpectrogram
from core.audio.streaming import BLOCK_FRAMES
from core.config import (
    GenerateSettings,
    JourneySettings,
    MakingRequest,
    MakingSettings,
    MorphSettings,
    OutputSettings,
    VarySettings,
)
from core.errors import Cancelled, CheckpointError, FileTakenError, OutputError, SourceError
from core.runs import RunDirectory, list_generated, read_provenance, repeat_request
from core.synthesis import ModelBundle
from core.synthesis import making as making_module
from core.synthesis.encoded import training_sound
from core.synthesis.making import Made, Maker
from tests.conftest import file_size_limit
from tests.sounds import tone

pytestmark = pytest.mark.slow

FLOAT = OutputSettings(format="float")


@pytest.fixture
def maker(trained: RunDirectory) -> Maker:
    return Maker(trained.path, device="cpu")


def make(
    maker: Maker, to: Path, settings: MakingSettings, *sources: str | Path, **more: Any
) -> dict[str, Made]:
    """What is made, by the names of the files."""
    output = more.pop("output", FLOAT)
    is_replacing = more.pop("is_replacing", False)
    request = MakingRequest(settings, tuple(map(str, sources)), **more)
    return {made.path.name: made for made in maker.make(request, output, to, is_replacing)}


def read(path: Path) -> np.ndarray:
    samples, rate = soundfile.read(path, dtype="float32")
    assert rate == 48_000
    return samples


def log_mel(maker: Maker, samples: np.ndarray) -> torch.Tensor:
    return LogMelSpectrogram(maker.bundle.spectrogram)(torch.from_numpy(samples)[None])[0, 0]


def alike(first: torch.Tensor, second: torch.Tensor) -> float:
    frames = min(first.shape[1], second.shape[1])
    return float(np.corrcoef(first[:, :frames].flatten(), second[:, :frames].flatten())[0, 1])


# -- new sounds -------------------------------------------------------------------------------------------


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


# -- variations and ways ----------------------------------------------------------------------------------


def test_variation_of_amount_0_is_the_sound(maker: Maker, tmp_path: Path) -> None:
    hit = (0.3 * tone(300.0, 0.4)).astype(np.float32)
    soundfile.write(tmp_path / "mine.wav", hit, 48_000, subtype="FLOAT")
    near, free = (
        next(iter(make(maker, tmp_path / str(a), VarySettings(1, 1, 1, a), tmp_path / "mine.wav").values()))
        for a in (0.0, 1.0)
    )
    original = log_mel(maker, hit)
    assert abs(len(read(near.path)) - len(hit)) <= 1
    assert alike(log_mel(maker, read(near.path)), original) > 0.97
    assert alike(log_mel(maker, read(free.path)), original) < 0.95


def test_variations_move_away_with_the_amount(maker: Maker, tmp_path: Path) -> None:
    source = training_sound(maker.bundle, 4)

    def distance(amount: float) -> float:
        made = make(maker, tmp_path / str(amount), VarySettings(4, 1, 8, amount), "#5")
        latents = torch.tensor([each.record["latent"] for each in made.values()])
        return float((latents - source.latent).norm(dim=1).mean())

    distances = [distance(amount) for amount in (0.0, 0.25, 0.5, 1.0)]
    assert distances[0] == 0
    assert distances == sorted(distances)


def test_generated_sound_is_taken_as_it_was_drawn(maker: Maker, tmp_path: Path) -> None:
    (made,) = make(maker, tmp_path, GenerateSettings(count=1, seed=6)).values()
    (varied,) = make(maker, tmp_path, VarySettings(1, 1, 1, 0.0), made.path).values()
    assert varied.record["latent"] == made.record["latent"]
    copied = Path(shutil.copy(made.path, tmp_path / "copied.wav"))  # nothing says how this one was made
    (varied,) = make(maker, tmp_path, VarySettings(1, 1, 1, 0.0), copied).values()
    assert varied.record["latent"] != made.record["latent"]


def test_steps_of_a_journey_begin_and_end_with_its_sounds(maker: Maker, tmp_path: Path) -> None:
    made = list(make(maker, tmp_path, JourneySettings(steps=5), "#1", "#6").values())
    first, last = (training_sound(maker.bundle, number) for number in (0, 5))
    for each, sound in ((made[0], first), (made[-1], last)):
        assert torch.allclose(torch.tensor(each.record["latent"]), sound.latent[0], atol=1e-6)
    between = [torch.tensor(each.record["latent"]) for each in made]
    steps = torch.stack([(b - a).norm() for a, b in pairwise(between)])
    assert torch.allclose(steps, steps.mean().expand(4), rtol=1e-4)


def test_continuous_journey_goes_from_sound_to_sound(maker: Maker, tmp_path: Path) -> None:
    (made,) = make(maker, tmp_path, JourneySettings(seconds=6.0, seed=1), "#1", "#8").values()
    sound = read(made.path)
    assert len(sound) == 6 * 48_000
    pitches = []
    for part in (sound[:48_000], sound[-48_000:]):
        spectrum = np.abs(np.fft.rfft(part))[100:]
        pitches.append((100 + int(np.argmax(spectrum))) * 48_000 / len(part))
    ends = [200.0 * 1.2 ** (int(maker.bundle.origin(number).path[4:6])) for number in (0, 7)]
    assert pitches == pytest.approx(ends, rel=0.06)
    assert np.abs(sound).max() <= 1


def test_journey_without_sounds_drifts_and_never_falls_silent(maker: Maker, tmp_path: Path) -> None:
    (made,) = make(maker, tmp_path, JourneySettings(seconds=12.0, seed=1, every=2.0)).values()
    sound = read(made.path)
    loudness = [float(np.abs(part).max()) for part in np.array_split(sound, 24)]
    assert min(loudness) > 0.01
    halves = [log_mel(maker, half).mean(1) for half in np.array_split(sound, 2)]
    assert float((halves[0] - halves[1]).abs().mean()) > 0.05


def test_joints_of_a_long_sound_are_no_rougher_than_the_rest(maker: Maker, tmp_path: Path) -> None:
    (made,) = make(maker, tmp_path, JourneySettings(seconds=20.0, seed=3), "#5", "#6", "#8").values()
    sound = read(made.path)
    flux = log_mel(maker, sound).diff(dim=1).abs().mean(0)
    step = np.abs(np.diff(sound))
    hop = maker.bundle.spectrogram.hop_length
    steps = np.array([part.max() for part in np.split(step, range(hop, len(step), hop))])[: len(flux)]
    chunk = maker.bundle.model.config.n_frames // 2
    for every in (BLOCK_FRAMES, chunk):
        at = np.zeros(len(flux), bool)
        for joint in range(every, len(flux), every):
            at[joint - 2 : joint + 2] = True
        assert flux[at].max() <= flux[~at].max()
        assert steps[at].max() <= steps[~at].max()


# -- morphs -----------------------------------------------------------------------------------------------


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """Three seconds of hits that are not the model's own, stereo at 44.1 kHz."""
    rate = 44_100
    sound = np.zeros(3 * rate)
    for number in range(9):
        hit = tone(250.0 * 1.15**number, 0.5, rate)
        at = number * rate // 3
        sound[at : at + len(hit)] += 0.4 * hit[: len(sound) - at]
    soundfile.write(tmp_path / "played.wav", np.stack([sound, 0.9 * sound], axis=1), rate, subtype="FLOAT")
    return tmp_path / "played.wav"


def morphed(maker: Maker, to: Path, recording: Path, **settings: Any) -> tuple[np.ndarray, torch.Tensor]:
    plus = settings.pop("plus", ())
    (made,) = make(maker, to, MorphSettings(**settings), recording, plus=plus).values()
    sound = read(made.path)
    return sound, log_mel(maker, sound)


def test_morph_of_amount_0_is_the_recording(maker: Maker, tmp_path: Path, recording: Path) -> None:
    sound, again = morphed(maker, tmp_path, recording, amount=0.0)
    assert len(sound) == 3 * 48_000
    original = soxr.resample(soundfile.read(recording)[0].mean(1), 44_100, 48_000).astype(np.float32)
    wanted = log_mel(maker, original)
    assert alike(again, wanted) > 0.99
    envelopes = [np.convolve(np.abs(each), np.hanning(480), "same") for each in (sound, original)]
    shifted = [float(np.dot(np.roll(envelopes[0], shift), envelopes[1])) for shift in range(-96, 97, 8)]
    assert abs(int(np.argmax(shifted)) - 12) <= 2  # within 16 samples
    assert sound.std() == pytest.approx(original.std(), rel=0.1)  # at its own level


def test_morph_goes_from_the_recording_to_its_reconstruction(
    maker: Maker, tmp_path: Path, recording: Path
) -> None:
    nothing, half, all_of_it = (
        morphed(maker, tmp_path / str(amount), recording, amount=amount)[1] for amount in (0.0, 0.5, 1.0)
    )
    assert alike(nothing, all_of_it) < alike(nothing, half) < 0.999
    assert alike(nothing, all_of_it) < alike(half, all_of_it)
    bundle = maker.bundle
    chunk = nothing[None, None, :, : bundle.model.config.n_frames]
    reconstruction = bundle.reconstruct(chunk, bundle.encode(chunk))[0, 0]
    start = reconstruction[:, : bundle.model.config.n_frames // 2]  # before the next chunk fades in
    assert alike(all_of_it, start) > 0.9


def test_added_latents_move_the_morph_towards_a_sound(maker: Maker, tmp_path: Path, recording: Path) -> None:
    bundle = maker.bundle
    plain, moved = (
        morphed(maker, tmp_path / str(len(plus)), recording, plus=plus)[1] for plus in ((), ("#8",))
    )
    target = training_sound(bundle, 7).log_mel(bundle)[0, 0].mean(1)
    assert (moved.mean(1) - target).norm() < (plain.mean(1) - target).norm()


def test_morph_can_keep_the_envelope_of_the_recording(maker: Maker, tmp_path: Path, recording: Path) -> None:
    def envelope(log_mels: torch.Tensor) -> torch.Tensor:
        return log_mels.expm1().sum(0).clamp_min(1e-3).log()

    original = envelope(morphed(maker, tmp_path, recording, amount=0.0)[1])
    differences = {}
    for follow in ("off", "level", "envelope"):
        changed = envelope(morphed(maker, tmp_path / follow, recording, follow=follow, plus=("#8",))[1])
        differences[follow] = float((changed - original).abs().mean())
    assert differences["envelope"] < 0.5 * differences["off"]
    assert differences["envelope"] < differences["level"]


# -- what goes wrong --------------------------------------------------------------------------------------


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
