"""Decoding in other processes: a file that hangs or crashes its decoder costs nothing but itself."""

import signal
import socket
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

import psutil
import pytest

from core.audio import worker
from core.audio.reader import Decoders
from core.audio.workers import PACKAGES, PROGRAM
from core.errors import AudioFileError, Cancelled
from tests.sounds import wav_that_hangs_libsndfile, write_tone


def decoders_of(process: psutil.Process) -> list[psutil.Process]:
    return [child for child in process.children() if "start_worker.py" in " ".join(child.cmdline())]


def test_a_process_whose_program_is_gone_ends_without_a_word() -> None:
    """As one that was about to start when the program ended, or was killed."""
    for _ in range(3):  # how far it comes depends on its threads
        ours, theirs = socket.socketpair()
        with theirs:
            ours.close()
            done = subprocess.run(
                [sys.executable, "-P", PROGRAM, PACKAGES, str(theirs.fileno())],
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                capture_output=True,
                timeout=60,
                check=False,
            )
        assert (done.stdout, done.stderr) == (b"", b"")


@pytest.fixture
def hanging(tmp_path: Path) -> Path:
    path = tmp_path / "hangs.wav"
    path.write_bytes(wav_that_hangs_libsndfile())
    return path


def test_file_that_hangs_its_decoder_is_refused_and_the_next_is_read(hanging: Path) -> None:
    good = write_tone(hanging.parent / "good.wav")
    with Decoders() as decoders:
        with pytest.raises(AudioFileError, match="never ends: it is damaged"):
            decoders.open(hanging)
        with decoders.open(good) as sound:
            assert sum(len(block) for block in sound.blocks()) == 48_000
    assert decoders_of(psutil.Process()) == []


@pytest.mark.parametrize(
    ("number", "reason"), [(signal.SIGSEGV, "SIGSEGV"), (signal.SIGKILL, "more memory than there is")]
)
def test_file_that_crashes_its_decoder_is_refused(
    tmp_path: Path, number: signal.Signals, reason: str
) -> None:
    path = write_tone(tmp_path / "a.wav", duration_s=60.0)
    with Decoders() as decoders:
        with decoders.open(path) as sound:
            blocks = sound.blocks()
            next(blocks)
            (process,) = decoders_of(psutil.Process())
            process.send_signal(number)
            with pytest.raises(AudioFileError, match=reason):
                deque(blocks)
        with decoders.open(path) as sound:
            assert next(sound.blocks()).shape[1] == 1


def test_decoder_that_hangs_is_left_at_once_when_cancelled(hanging: Path) -> None:
    begun_s = time.process_time()
    with Decoders(lambda: time.process_time() > begun_s) as decoders, pytest.raises(Cancelled):
        decoders.open(hanging)
    assert decoders_of(psutil.Process()) == []


def test_one_process_decodes_one_file_after_the_other(tmp_path: Path) -> None:
    path = write_tone(tmp_path / "a.wav")
    with Decoders() as decoders:
        for _ in range(3):
            with decoders.open(path) as sound:
                list(sound.blocks())
            assert len(decoders_of(psutil.Process())) == 1


def test_decoders_end_with_a_process_that_is_killed(hanging: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from core.audio.reader import Decoders\n"
        "Decoders().open(Path(sys.argv[1]))"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, hanging])
    while not (workers := decoders_of(psutil.Process(parent.pid))):
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    _, alive = psutil.wait_procs(workers, timeout=60)
    assert alive == []


def test_decoders_do_without_numpy(tmp_path: Path) -> None:
    """It takes three quarters of their start; a version of soundfile that needs it is noticed here."""
    path = write_tone(tmp_path / "a.wav")
    with Decoders() as decoders, decoders.open(path):
        (process,) = decoders_of(psutil.Process())
        assert not any("numpy" in Path(each.path).parts for each in process.memory_maps())


def test_decoder_has_limits_of_memory_and_time(tmp_path: Path) -> None:
    path = write_tone(tmp_path / "a.wav")
    with Decoders() as decoders, decoders.open(path):
        (process,) = decoders_of(psutil.Process())
        assert process.rlimit(psutil.RLIMIT_DATA)[0] == worker.MEMORY_LIMIT_BYTES
        assert 0 < process.rlimit(psutil.RLIMIT_CPU)[0] <= 30
