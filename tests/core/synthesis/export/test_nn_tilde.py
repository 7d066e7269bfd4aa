"""The nn~ file, played by a host that keeps to the buffer protocol and knows torch alone."""

import functools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from core.audio.inversion import InversionQuality, MelInverter
from core.audio.spectrogram import LogMelSpectrogram
from core.errors import FileTakenError
from core.model.pca_unet import PcaUnetVAE
from core.seeding import generator
from core.synthesis.export import ModelSource, open_source, write_nn_tilde
from core.synthesis.export.nn_tilde import buffer_samples
from tests.core.synthesis.export.models import make_sounds, write_checkpoint

# The host: inlets are read at the last sample of each ratio, outputs are held for theirs, and an output of
# another length is refused.  As nn~ does it, whose buffer is the largest ratio of all methods, or a multiple.
HOST = '''
import json, sys, numpy, torch

model = torch.jit.load("model.ts").eval()
methods = model.get_methods()
params = {name: getattr(model, f"{name}_params").tolist() for name in methods}
largest = max(max(each[1], each[3]) for each in params.values())


def play(method, signals, buffers=1, batches=1):
    """Signals [batch, inlets, samples] in buffers, to the outlets [batch, outlets, samples]."""
    inlets, input_ratio, outlets, output_ratio = params[method]
    size = buffers * largest
    played = []
    for start in range(0, signals.shape[-1] - size + 1, size):
        buffer = torch.from_numpy(signals[..., start : start + size])
        assert buffer.shape == (batches, inlets, size)
        given = buffer.reshape(batches, inlets, -1, input_ratio)[..., -1]
        with torch.inference_mode():
            found = getattr(model, method)(given)
        found = found.repeat_interleave(output_ratio).reshape(batches, outlets, -1)
        assert found.shape[2] == size and found.dtype == torch.float32, (method, found.shape)
        assert torch.isfinite(found).all()
        played.append(found.numpy())
    return numpy.concatenate(played, axis=2)


def set_attribute(name, *values):
    assert name in model.get_attributes()
    kinds = getattr(model, f"{name}_params").tolist()
    given = [{0: bool, 1: int, 2: float}[kind](value) for kind, value in zip(kinds, values, strict=True)]
    assert getattr(model, f"set_{name}")(*given) == 0
    return getattr(model, f"get_{name}")()


about = {"methods": methods, "params": params, "largest": largest, "attributes": model.get_attributes()}
'''
NOTHING_OF_OURS = "\nassert not {'core', 'sda_tui'} & {name.split('.')[0] for name in sys.modules}\n"

# Runs one script after another, each with a model that was loaded for it: torch is imported once.
SCRIPTS = """
import json, os, sys, traceback, torch

for line in sys.stdin:
    folder, script = json.loads(line)
    os.chdir(folder)
    torch.manual_seed(0)
    names = {}
    try:
        exec(script, names)
        answer = [names["about"], ""]
    except Exception:
        answer = [None, traceback.format_exc()]
    print(json.dumps(answer), flush=True)
"""


@functools.cache
def host_process() -> "subprocess.Popen[str]":
    """A process that knows torch alone; it ends with the tests."""
    command = [sys.executable, "-W", "ignore", "-I", "-c", SCRIPTS]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def host(folder: Path, script: str) -> dict[str, object]:
    """Run a script in the host's process; what it puts into `about`."""
    process = host_process()
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(json.dumps([str(folder), HOST + script + NOTHING_OF_OURS]) + "\n")
    process.stdin.flush()
    about, error = json.loads(process.stdout.readline())
    assert error == ""
    found: dict[str, object] = about
    return found


@pytest.fixture(scope="module", params=["pca_unet", "convolutional"])
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModelSource:
    folder = tmp_path_factory.mktemp("model")
    level = "dataset" if request.param == "pca_unet" else "file"
    path = write_checkpoint(folder / "mine.pt", model=request.param, latent_dim=12, level=level)
    return open_source(path)


@pytest.fixture(scope="module")
def folder(source: ModelSource, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `model.ts` in it."""
    folder = tmp_path_factory.mktemp("host")
    write_nn_tilde(folder / "model.ts", source)
    return folder


def log_mel_of(source: ModelSource, sound: np.ndarray) -> torch.Tensor:
    """A sound of a chunk at the dataset's level as the model sees it."""
    waveform = torch.from_numpy(sound).float()[None] * source.bundle.level.gain
    found: torch.Tensor = LogMelSpectrogram(source.bundle.spectrogram)(waveform)
    return found


def errors(mine: torch.Tensor, theirs: torch.Tensor) -> tuple[float, float]:
    """Correlation and root-mean-square error."""
    both = torch.stack([mine.flatten(), theirs.flatten()])
    return float(torch.corrcoef(both)[0, 1]), float((mine - theirs).square().mean().sqrt())


@pytest.mark.parametrize(
    ("samples", "buffer"),
    [(48_000, 32_768), (12_000, 8192), (192_000, 131_072), (40_960, 32_768), (40_959, 16_384)],
)
def test_a_buffer_is_the_largest_power_of_two_with_room_to_fade(samples: int, buffer: int) -> None:
    assert buffer_samples(samples) == buffer


def test_directions_are_ordered_by_what_they_change(source: ModelSource) -> None:
    found = source.bundle.directions
    count = len(found.directions)
    assert count == 11  # one fewer than sounds
    changes = [
        (source.bundle.decode((found.mean + each)[None]) - source.bundle.decode((found.mean - each)[None]))
        .square()
        .mean()
        for each in found.directions
    ]
    assert changes[0] == max(changes)
    assert sum(changes[:3]) > 3 * sum(changes[-3:])
    torch.testing.assert_close(found.directions @ found.projection, torch.eye(count), atol=1e-3, rtol=0)


@pytest.mark.slow
def test_the_host_finds_methods_with_ratios_of_powers_of_two(folder: Path) -> None:
    about = host(folder, """
about["labels"] = [len(getattr(model, f"{name}_input_labels")) for name in methods]
about["labels"] += [len(getattr(model, f"{name}_output_labels")) for name in methods]
about["rates"] = [model.sr, int(model.sampling_rate)]
""")  # fmt: skip
    assert about["params"] == {
        "decode": [11, 8192, 1, 1], "encode": [1, 1, 11, 8192],
        "forward": [1, 1, 1, 1], "prior": [1, 8192, 1, 1],
    }  # fmt: skip
    assert about["labels"] == [11, 1, 1, 1, 1, 11, 1, 1]
    assert about["rates"] == [48_000, 48_000]


@pytest.mark.slow
@pytest.mark.parametrize("sound", [0, 3])
def test_decode_plays_what_the_model_decodes(source: ModelSource, folder: Path, sound: int) -> None:
    bundle, found = source.bundle, source.bundle.directions
    ratio = buffer_samples(bundle.chunk_samples)
    coordinates = np.zeros((1, 11, 2 * ratio), np.float32)
    coordinates[0, :3, ratio - 1 :: ratio] = [[0.5], [-1.0], [0.3]]  # at the last sample, where it is read
    np.save(folder / "coordinates.npy", coordinates)
    host(folder, f"""
set_attribute("sound", {sound})
set_attribute("iterations", 64)
set_attribute("crossfade_ms", 0.0)
numpy.save("played.npy", play("decode", numpy.load("coordinates.npy")))
""")  # fmt: skip
    played = np.load(folder / "played.npy")[0, 0]
    base = found.mean if sound == 0 else bundle.latents.means[sound - 1]
    latent = base + torch.from_numpy(coordinates[0, :, ratio - 1]) @ found.directions
    log_mel = bundle.decode(latent[None])
    if sound:
        log_mel = (bundle.model.decode(latent[None]) + bundle.residuals(torch.tensor([sound - 1]))).detach()
        log_mel = log_mel.clamp(0.0, bundle.spectrogram.largest_log_mel)
    inverter = MelInverter(bundle.spectrogram, InversionQuality(1, 48, 16))
    wanted = inverter(log_mel, bundle.chunk_samples, [generator(0, "nn~ phase")]) / bundle.level.gain
    expected = wanted[0, :ratio].numpy() / max(1.0, float(wanted.abs().max()))
    for buffer in (played[:ratio], played[ratio:]):  # the same phases: the same samples
        np.testing.assert_allclose(buffer[8:], expected[8:], atol=1e-3 * np.abs(expected).max())


@pytest.mark.slow
def test_what_is_encoded_and_decoded_again_is_the_same_sound(source: ModelSource, folder: Path) -> None:
    bundle = source.bundle
    ratio = buffer_samples(bundle.chunk_samples)
    np.save(folder / "sound.npy", make_sounds(1, 4 * ratio)[None].numpy())
    host(folder, """
sound = numpy.load("sound.npy")
numpy.save("coordinates.npy", play("encode", sound)[..., largest - 1 :: largest])
numpy.save("at once.npy", torch.jit.load("model.ts").encode(torch.from_numpy(sound)).numpy())
""")  # fmt: skip
    coordinates = np.load(folder / "coordinates.npy")[0]
    found = bundle.directions
    for buffer in (2, 3):  # whose history is whole
        heard = torch.from_numpy(np.load(folder / "sound.npy")[0])
        end = (buffer + 1) * ratio
        latent = bundle.encode(bundle.log_mel(heard[:, end - bundle.chunk_samples : end]), steps=0)
        expected = (latent - found.mean) @ found.projection
        np.testing.assert_allclose(coordinates[:, buffer], expected[0].numpy(), atol=2e-3)
    np.testing.assert_allclose(coordinates, np.load(folder / "at once.npy")[0], atol=1e-4)


@pytest.mark.slow
def test_forward_gives_the_reconstruction_a_quarter_of_a_buffer_late(
    source: ModelSource, folder: Path
) -> None:
    bundle = source.bundle
    ratio, samples = buffer_samples(bundle.chunk_samples), bundle.chunk_samples
    given = make_sounds(1, 6 * ratio)[None].numpy()
    np.save(folder / "sound.npy", given)
    host(folder, """
set_attribute("iterations", 64)
numpy.save("played.npy", play("forward", numpy.load("sound.npy")))
""")  # fmt: skip
    played = np.load(folder / "played.npy")[0, 0]
    delay = ratio // 4
    for buffer in (3, 4):
        end = (buffer + 1) * ratio
        chunk = torch.from_numpy(given[0, :, end - samples : end])
        gain = bundle.level.gain_of_foreign(float(chunk.abs().max()))
        log_mel = bundle.decode(bundle.encode(bundle.log_mel(chunk), steps=0))
        inverter = MelInverter(bundle.spectrogram, InversionQuality(1, 48, 16))
        wanted = inverter(log_mel, samples, [generator(0, "nn~ phase")])[0].numpy() / gain
        heard = played[buffer * ratio : end]
        start, fade = samples - ratio - delay, 1000
        mine, theirs = heard[fade:], wanted[start : start + ratio][fade:]
        assert np.corrcoef(mine, theirs)[0, 1] > 0.999
        assert 0.98 < np.abs(mine).max() / np.abs(theirs).max() < 1.02


@pytest.mark.slow
def test_prior_plays_sounds_like_those_that_sampling_gives(source: ModelSource, folder: Path) -> None:
    bundle = source.bundle
    ratio = buffer_samples(bundle.chunk_samples)
    host(folder, """
torch.manual_seed(0)
numpy.save("played.npy", play("prior", numpy.zeros((1, 1, 24 * largest), numpy.float32)))
""")  # fmt: skip
    played = np.load(folder / "played.npy")[0, 0].reshape(24, ratio)
    assert (np.abs(played).max(1) > 1e-3).all()
    assert np.unique(played[:, ratio // 2]).size == 24
    new = bundle.render(bundle.sample(24, generator(0, "new")), [generator(n, "phase") for n in range(24)])
    theirs = np.stack([each / max(1.0, np.abs(each).max()) for each in new])[:, :ratio]
    bands = [
        np.log(np.abs(np.fft.rfft(each, axis=1)).mean(0)[1:].reshape(-1, 64).mean(1))
        for each in (played, theirs)
    ]
    assert np.corrcoef(*bands)[0, 1] > 0.97
    assert abs(bands[0] - bands[1]).mean() < 0.3


@pytest.mark.slow
def test_temperature_0_gives_reconstructions_of_training_sounds(source: ModelSource, folder: Path) -> None:
    bundle = source.bundle
    ratio = buffer_samples(bundle.chunk_samples)
    host(folder, """
torch.manual_seed(1)
for name, value in {"temperature": 0, "detail": 0, "crossfade_ms": 0, "iterations": 64}.items():
    set_attribute(name, value)
numpy.save("played.npy", play("prior", numpy.zeros((1, 1, 6 * largest), numpy.float32)))
""")  # fmt: skip
    inverter = MelInverter(bundle.spectrogram, InversionQuality(1, 48, 16))
    phases = [generator(0, "nn~ phase") for _ in range(12)]
    wanted = inverter(bundle.decode(bundle.latents.means), bundle.chunk_samples, phases)
    played = np.load(folder / "played.npy")[0, 0].reshape(6, ratio)
    expected = wanted[:, :ratio].numpy() / bundle.level.gain
    nearest = np.corrcoef(np.concatenate([played, expected]))[:6, 6:].max(1)
    assert (nearest > 0.999).all()


@pytest.mark.slow
@pytest.mark.parametrize("method", ["decode", "forward", "prior"])
def test_no_buffer_edge_jumps_more_than_the_sound_does_elsewhere(folder: Path, method: str) -> None:
    host(folder, f"""
torch.manual_seed(2)
inlets = params["{method}"][0]
draws = numpy.random.default_rng(0)
signals = draws.standard_normal((1, inlets, 12 * largest)).astype(numpy.float32)
if "{method}" == "forward":
    time = numpy.arange(12 * largest) / 48_000
    signals = (0.3 * numpy.sin(2 * numpy.pi * 220 * time))[None, None].astype(numpy.float32)
if "{method}" == "prior":
    signals *= 0
numpy.save("played.npy", play("{method}", signals, buffers=3))
about["largest"] = largest
""")  # fmt: skip
    played = np.load(folder / "played.npy")[0, 0]
    steps = np.abs(np.diff(played))
    ratio = 8192
    edges = np.arange(ratio, len(played), ratio) - 1
    is_edge = np.zeros(len(steps), bool)
    for offset in (-1, 0, 1):
        is_edge[edges + offset] = True
    assert steps[is_edge].max() <= steps[~is_edge].max()
    # Against what is around it: a click in a quiet passage would hide behind a loud one elsewhere.
    for edge in edges:
        around = np.concatenate([steps[edge - 200 : edge - 1], steps[edge + 2 : edge + 200]])
        assert steps[edge - 1 : edge + 2].max() <= 1.5 * around.max() + 1e-4


@pytest.mark.slow
def test_no_sound_is_beyond_full_scale_however_far_inlets_go(source: ModelSource, folder: Path) -> None:
    """The PCA U-Net is louder the farther they go; the norms of the convolutional model keep it quiet."""
    host(folder, """
signals = 100 * numpy.random.default_rng(0).standard_normal((1, 11, 8 * largest)).astype(numpy.float32)
numpy.save("played.npy", play("decode", signals))
""")  # fmt: skip
    peak = np.abs(np.load(folder / "played.npy")).max()
    reached = 0.99 if isinstance(source.bundle.model, PcaUnetVAE) else 0.01
    assert reached < peak <= 2**0.5  # where two of full scale are faded into each other


@pytest.mark.slow
def test_every_attribute_can_be_set_and_is_kept_in_its_range(folder: Path) -> None:
    about = host(folder, """
about["set"] = {
    name: [set_attribute(name, value)[0] for value in (-1000, 5, 100000)] for name in model.get_attributes()
}
play("prior", numpy.zeros((1, 1, largest), numpy.float32))
""")  # fmt: skip
    found = about["set"]
    assert isinstance(found, dict)
    assert found.pop("crossfade_ms") == [0.0, 5.0, pytest.approx(8192 / 4 / 48)]
    assert found == {
        "temperature": [0.0, 4.0, 4.0], "sound": [0, 5, 12],
        "iterations": [4, 5, 64], "detail": [0.0, 1.0, 1.0],
    }  # fmt: skip


@pytest.mark.slow
def test_several_batches_play_at_once_and_apart(folder: Path) -> None:
    host(folder, """
signals = numpy.random.default_rng(0).standard_normal((3, 11, 2 * largest)).astype(numpy.float32)
numpy.save("three.npy", play("decode", signals, batches=3))
numpy.save("one.npy", play("decode", signals[1:2]))
play("forward", numpy.zeros((2, 1, 2 * largest), numpy.float32), batches=2)
""")  # fmt: skip
    three, one = np.load(folder / "three.npy"), np.load(folder / "one.npy")
    assert np.corrcoef(three[1, 0], one[0, 0])[0, 1] > 0.9999  # sums of other sizes round otherwise
    assert np.corrcoef(three[0, 0], one[0, 0])[0, 1] < 0.9


@pytest.mark.slow
def test_a_buffer_that_is_no_multiple_of_the_ratio_is_refused(folder: Path) -> None:
    host(folder, """
try:
    model.forward(torch.zeros(1, 1, largest + 64))
except Exception as error:
    assert "multiple" in str(error)
else:
    raise AssertionError("not refused")
""")  # fmt: skip


@pytest.mark.slow
def test_without_sounds_there_is_no_detail(source: ModelSource, tmp_path: Path) -> None:
    whole = write_nn_tilde(tmp_path / "whole.ts", source)
    without = write_nn_tilde(tmp_path / "model.ts", source, sounds=False)
    assert source.bundle.latents.sounds is not None
    assert whole.stat().st_size - without.stat().st_size > 0.9 * source.bundle.latents.sounds.levels.numel()
    about = host(
        tmp_path, 'play("prior", numpy.zeros((1, 1, largest), numpy.float32))\nset_attribute("sound", 2)'
    )
    assert "detail" not in about["attributes"]  # type: ignore[operator]


@pytest.mark.slow
def test_no_deprecation_of_torchscript_is_shown(source: ModelSource, tmp_path: Path, recwarn: object) -> None:
    write_nn_tilde(tmp_path / "model.ts", source)
    assert len(recwarn) == 0  # type: ignore[arg-type]
    with pytest.raises(FileTakenError):
        write_nn_tilde(tmp_path / "model.ts", source)
