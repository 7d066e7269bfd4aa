"""The files of one preview."""

import math
from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.errors import RunError
from core.runs import RunDirectory, measure_sound, read_sound, read_spectrogram
from tests.conftest import MakeRun

HEADER = b"\x93NUMPY\x01\x00" + (118).to_bytes(2, "little")


@pytest.fixture
def run(make_run: MakeRun) -> RunDirectory:
    return make_run()


def write(run: RunDirectory, name: str, samples: np.ndarray, picture: object = None) -> str:
    soundfile.write(run.previews / f"{name}.wav", samples, 48_000, subtype="PCM_16")
    if picture is not None:
        np.save(run.previews / f"{name}.npy", picture)  # type: ignore[arg-type]
    return f"previews/{name}.wav"


def test_peak_rms_and_clipping_are_those_of_the_samples(run: RunDirectory) -> None:
    sine = np.sin(2 * np.pi * 1000 * np.arange(48_000) / 48_000)
    figures = measure_sound(run, write(run, "a", 0.5 * sine))
    assert figures.duration_s == 1.0
    assert figures.peak_db == pytest.approx(-6.02, abs=0.01)
    assert figures.rms_db == pytest.approx(-9.03, abs=0.01)
    assert figures.clipped_samples == 0
    clipped = measure_sound(run, write(run, "b", (2 * sine).clip(-1, 1)))
    assert clipped.clipped_samples > 10_000
    assert measure_sound(run, write(run, "c", np.zeros(480))).peak_db == -math.inf
    assert measure_sound(run, write(run, "d", np.zeros(0))).duration_s == 0.0


def test_a_spectrogram_is_scaled_to_its_loudest_cell(run: RunDirectory) -> None:
    picture = np.array([[0.0, 1.0], [2.0, 4.0], [-1.0, np.nan]], np.float32)
    levels = read_spectrogram(run, write(run, "a", np.zeros(480), picture))
    assert levels.tolist() == [[0, 64], [128, 255], [0, 0]]
    assert read_spectrogram(run, write(run, "b", np.zeros(480), np.zeros((2, 2), np.float32))).tolist() == [
        [0, 0],
        [0, 0],
    ]


def test_the_original_has_the_spectrogram_of_its_resynthesis(run: RunDirectory) -> None:
    write(run, "resynthesis", np.zeros(480), np.eye(3, dtype=np.float32))
    assert read_spectrogram(run, write(run, "original", np.zeros(480))).tolist() == (255 * np.eye(3)).tolist()


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros(3, np.float32),
        np.zeros((2, 2), np.int64),
        np.zeros((0, 3), np.float32),
        np.zeros((2, 20_000)),
    ],
)
def test_what_is_no_spectrogram_is_refused(run: RunDirectory, picture: np.ndarray) -> None:
    with pytest.raises(RunError, match=r"a\.npy is not a spectrogram"):
        read_spectrogram(run, write(run, "a", np.zeros(480), picture))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x93NUMPY",
        b"(" * 5000,
        b"\x93NUMPY\x01\x00\x10\x00" + b"(" * 16,
        b"\x93NUMPY\x09\x00\x10\x00" + b" " * 16,
        HEADER + b"{'descr': '<f4', 'fortran_order': False, 'shape': (9999, 9999), }".ljust(117) + b"\n",
        HEADER + b"{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), 'more': 1}".ljust(117) + b"\n",
        b"\x93NUMPY\x01\x00" + (9001).to_bytes(2, "little") + b"-" * 9000 + b"1",
        HEADER + b"{'descr': '|O', 'fortran_order': False, 'shape': (2, 2), }".ljust(117) + b"\n",
    ],
    ids=range(9),
)
def test_damaged_files_are_refused_in_one_line(run: RunDirectory, content: bytes) -> None:
    path = write(run, "a", np.zeros(480))
    (run.previews / "a.npy").write_bytes(content)
    with pytest.raises(RunError, match="is not a spectrogram"):
        read_spectrogram(run, path)
    (run.previews / "a.wav").write_bytes(content)
    with pytest.raises(RunError, match="is not a preview"):
        measure_sound(run, path)


def test_a_wav_of_no_rate_or_of_half_a_sample_is_no_error(run: RunDirectory) -> None:
    path = write(run, "a", np.ones(480) / 2)
    data = bytearray((run.previews / "a.wav").read_bytes())
    (run.previews / "a.wav").write_bytes(data[:-1])
    assert measure_sound(run, path).peak_db == pytest.approx(-6.02, abs=0.01)
    data[24:28] = bytes(4)  # the rate
    (run.previews / "a.wav").write_bytes(data)
    with pytest.raises(RunError, match="is not a preview"):
        measure_sound(run, path)


def test_a_spectrogram_that_would_execute_something_is_refused(run: RunDirectory, tmp_path: Path) -> None:
    path = write(run, "a", np.zeros(480))
    np.save(run.previews / "a.npy", np.array([[print]], dtype=object), allow_pickle=True)
    with pytest.raises(RunError, match="is not a spectrogram"):
        read_spectrogram(run, path)


def test_nothing_but_previews_of_the_run_is_read(run: RunDirectory, tmp_path: Path) -> None:
    secret = tmp_path / "secret.wav"
    soundfile.write(secret, np.zeros(480), 48_000)
    (run.previews / "link.wav").symlink_to(secret)
    for path in (
        "../secret.wav",
        "previews/../run.json",
        "previews/link.wav",
        "previews/gone.wav",
        "run.json",
        "",
    ):
        for read in (read_sound, read_spectrogram, measure_sound):
            with pytest.raises(RunError):
                read(run, path)
    path = write(run, "a", np.zeros(480))
    np.save(tmp_path / "secret.npy", np.eye(3, dtype=np.float32))
    (run.previews / "a.npy").symlink_to(tmp_path / "secret.npy")
    with pytest.raises(RunError, match="is a link"):
        read_spectrogram(run, path)
