"""ONNX files and torch.export programs, run by other programs: each in a process without any code of ours."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from core.audio.levels import Level
from core.config import SettingValue
from core.errors import ExportError, FileTakenError
from core.synthesis.export import ModelSource, open_source, write_onnx, write_programs
from core.synthesis.export.networks import Decoder, Encoder, Leveling
from tests.core.synthesis.export.models import make_sounds, write_checkpoint

TOLERANCE = 1e-4
BATCHES = 1, 5

RUN_ONNX = """
import sys, numpy, onnxruntime
for name in ("encoder", "decoder"):
    session = onnxruntime.InferenceSession(f"mine-{name}.onnx")
    for batch in map(int, sys.argv[1:]):
        given = numpy.load(f"{name}-{batch}.npy")
        found = session.run(None, {session.get_inputs()[0].name: given})
        for output, array in zip(session.get_outputs(), found):
            numpy.save(f"{output.name}-{batch}-found.npy", array)
"""
RUN_PROGRAM = """
import sys, numpy, torch
for name, outputs in (("encoder", ["latent"]), ("decoder", ["log_mel", "mel_power"])):
    module = torch.export.load(f"mine-{name}.pt2").module()
    for batch in map(int, sys.argv[1:]):
        found = module(torch.from_numpy(numpy.load(f"{name}-{batch}.npy")))
        for output, each in zip(outputs, found if isinstance(found, tuple) else (found,)):
            numpy.save(f"{output}-{batch}-found.npy", each.numpy())
"""
NOTHING_OF_OURS = "\nassert not {'core', 'sda_tui'} & {name.split('.')[0] for name in sys.modules}\n"


@pytest.fixture(scope="module", params=["pca_unet", "convolutional"])
def source(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ModelSource:
    settings: dict[str, SettingValue] = {"latent_dim": 512, "chunk_duration_s": 1.0, "width": 32}
    if request.param == "convolutional":
        settings = {"latent_dim": 16, "chunk_duration_s": 0.3, "level": "file"}  # not a whole number of hops
    folder = tmp_path_factory.mktemp("model")
    return open_source(write_checkpoint(folder / "mine.pt", model=request.param, **settings))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> ModelSource:
    return open_source(write_checkpoint(tmp_path_factory.mktemp("model") / "mine.pt"))


@pytest.fixture(scope="module")
def onnx_files(source: ModelSource, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Encoder and decoder, which nothing else lies beside; to write them takes many seconds."""
    return list(write_onnx(tmp_path_factory.mktemp("onnx") / "mine-", source))


@pytest.fixture(scope="module")
def program_files(source: ModelSource, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return list(write_programs(tmp_path_factory.mktemp("programs") / "mine-", source))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fixture", "script"), [("onnx_files", RUN_ONNX), ("program_files", RUN_PROGRAM)], ids=["onnx", "torch"]
)
def test_exported_networks_agree_with_the_checkpoint_at_two_batch_sizes(
    source: ModelSource, tmp_path: Path, request: pytest.FixtureRequest, fixture: str, script: str
) -> None:
    bundle = source.bundle
    files = request.getfixturevalue(fixture)
    assert [file.stem for file in files] == ["mine-encoder", "mine-decoder"]
    for file in files:
        shutil.copy(file, tmp_path)
    wanted = {}
    for batch in BATCHES:
        sounds = make_sounds(batch, bundle.chunk_samples) * torch.logspace(-3, 0.5, batch).unsqueeze(1)
        sounds[-1, ::7] = 0.0
        sounds[0, bundle.chunk_samples // 2 :] = 0.0  # beside silence small errors are large ones
        latent = bundle.encode(bundle.log_mel(sounds), steps=0)
        np.save(tmp_path / f"encoder-{batch}.npy", sounds.numpy())
        np.save(tmp_path / f"decoder-{batch}.npy", latent.numpy())
        wanted[f"latent-{batch}"], wanted[f"log_mel-{batch}"] = latent, bundle.decode(latent)
    subprocess.run(
        [sys.executable, "-I", "-c", script + NOTHING_OF_OURS, *map(str, BATCHES)], cwd=tmp_path, check=True
    )
    for name, tensor in wanted.items():
        found = np.load(tmp_path / f"{name}-found.npy")
        assert found.shape == tuple(tensor.shape)
        assert np.abs(found - tensor.numpy()).max() < TOLERANCE
    for batch in BATCHES:
        log_mel = wanted[f"log_mel-{batch}"].squeeze(1).double().numpy()
        power = np.expm1(log_mel) / (bundle.spectrogram.reference_gain * bundle.level.gain**2)
        np.testing.assert_allclose(
            np.load(tmp_path / f"mel_power-{batch}-found.npy"), power, rtol=1e-4, atol=1e-9
        )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:The given buffer is not writable")
def test_weights_lie_in_the_one_file_and_facts_beside_them(
    source: ModelSource, onnx_files: list[Path], program_files: list[Path]
) -> None:
    import onnx

    for file in onnx_files:
        model = onnx.load(file, load_external_data=False)
        onnx.checker.check_model(model)
        assert not any(weight.external_data for weight in model.graph.initializer)
        facts = {each.key: each.value for each in model.metadata_props}
        assert facts["checkpoint_sha256"] == source.provenance.checkpoint_sha256
        expected = "48000", str(source.bundle.chunk_samples)
        assert (facts["sample_rate"], facts["chunk_samples"]) == expected
    there = sorted(path.name for path in onnx_files[0].parent.iterdir())
    assert there == ["mine-decoder.onnx", "mine-encoder.onnx"]
    extra = {"sda-tui.json": ""}
    torch.export.load(str(program_files[1]), extra_files=extra)
    assert json.loads(extra["sda-tui.json"]) == facts


@pytest.mark.slow
def test_a_decoder_does_not_carry_the_weights_of_the_encoder(program_files: list[Path]) -> None:
    encoder, decoder = program_files
    assert decoder.stat().st_size < 0.6 * encoder.stat().st_size


@pytest.mark.parametrize("level", [Level("dataset", 3.0), Level("file"), Level("off"), Level("dataset", 0.5)])
def test_leveling_is_that_of_the_model_for_sounds_of_any_peak(level: Level) -> None:
    peaks = [0.0, 1e-10, 1e-6, 0.01, 0.5, 1.0, 4.0]
    waveform = torch.tensor(peaks).unsqueeze(1) * torch.tensor([0.2, -1.0, 0.5])
    expected = [level.gain_of_foreign(peak) * peak for peak in peaks]
    torch.testing.assert_close(Leveling(level)(waveform).abs().amax(1), torch.tensor(expected))


def test_networks_are_those_of_the_model(small: ModelSource) -> None:
    bundle = small.bundle
    sounds = make_sounds(3, bundle.chunk_samples)
    with torch.no_grad():
        latent, precise = (Encoder(bundle, each).eval()(sounds) for each in (torch.float32, torch.float64))
        log_mel, _ = Decoder(bundle).eval()(latent)
    torch.testing.assert_close(latent, bundle.encode(bundle.log_mel(sounds), steps=0), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(precise, latent, atol=1e-4, rtol=0)
    assert precise.dtype == torch.float32
    assert torch.equal(log_mel, bundle.decode(latent))
    assert hasattr(bundle.model, "to_latent")  # the model itself stays whole


def test_missing_packages_are_named_with_what_installs_them(
    small: ModelSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None if name == "onnxscript" else name)
    with pytest.raises(ExportError, match=r"ONNX needs onnxscript, .*: pip install onnxscript\.$"):
        write_onnx(tmp_path / "mine-", small)


@pytest.mark.parametrize("name", ["mine-encoder.onnx", "mine-decoder.onnx"])
def test_no_network_is_written_over_a_file_or_beside_it(
    small: ModelSource, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(b"precious")
    with pytest.raises(FileTakenError):
        write_onnx(tmp_path / "mine-", small)
    assert [path.name for path in tmp_path.iterdir()] == [name]
