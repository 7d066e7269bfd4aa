"""From a keypress to the first sample that a sound server's sink gets."""

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np

from speed_parts.program import Program, wait_until
from speed_parts.sounds import write_files
from speed_parts.table import at_most, print_row

SINK = "sda_speed"
SAMPLE_RATE = 48_000
PRESSES = 12
AUDIBLE = 1e-4
SETTINGS = ("epochs=1", "augmentation_expansion=1", "batch_size=1")


def sound() -> None:
    if not (shutil.which("pulseaudio") and shutil.which("parec")):
        print_row(
            "keypress to sound: not measured, needs Debian's pulseaudio and pulseaudio-utils", float("nan")
        )
        return
    with tempfile.TemporaryDirectory() as scratch:
        home = Path(scratch)
        (home / "runtime").mkdir(mode=0o700)
        (home / ".asoundrc").write_text("pcm.!default pulse\nctl.!default pulse\n")
        place = {"HOME": scratch, "XDG_RUNTIME_DIR": str(home / "runtime")}
        sink = f"--load=module-null-sink sink_name={SINK} rate={SAMPLE_RATE}"
        server = subprocess.Popen(
            ["pulseaudio", "-n", "--daemonize=no", "--exit-idle-time=-1",
             "--load=module-native-protocol-unix", sink],
            env={**os.environ, **place}, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        try:
            wait_until(lambda: SINK in sinks(place), "the sound server")
            first_s, *later_s = delays(home, place)
        finally:
            server.terminate()
            server.wait()
    at_most("keypress to the first sample in the null sink, the first time, ms", 1000 * first_s, 100)
    at_most("keypress to the first sample, median of later ones, ms", 1000 * statistics.median(later_s), 100)


def sinks(place: dict[str, str]) -> str:
    listed = subprocess.run(
        ["pactl", "list", "short", "sinks"], env={**os.environ, **place}, capture_output=True, text=True
    )  # fmt: skip
    return listed.stdout


def delays(home: Path, place: dict[str, str]) -> list[float]:
    folder = write_files(home / "sounds", 5, 1.0)
    program = [sys.executable, "-m", "sda_tui"]
    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    with Program([*program, "train", folder, *settings], home, **place) as training:
        training.process.wait()
    (run,) = (home / "runs").iterdir()
    found = []
    with Program([*program, "attach", run], home, **place) as app, Monitor(place) as monitor:
        app.wait_for(b"sample 1")
        time.sleep(3.0)  # what a person takes to look at it
        for _ in range(PRESSES):
            pressed_s = time.perf_counter()
            app.press(b"\x1b[C")
            found.append(monitor.heard_after(pressed_s) - pressed_s)
            app.press(b"\x1b[D")
            time.sleep(0.7)
    return found


class Monitor:
    """Listens to what the sink gets."""

    def __init__(self, place: dict[str, str]) -> None:
        self._process = subprocess.Popen(
            ["parec", f"--device={SINK}.monitor", "--format=float32le", "--channels=1",
             f"--rate={SAMPLE_RATE}", "--latency-msec=5"],
            env={**os.environ, **place}, stdout=subprocess.PIPE,
        )  # fmt: skip
        self._heard_s = 0.0
        self._came = threading.Condition()
        threading.Thread(target=self._listen, daemon=True).start()

    def __enter__(self) -> "Monitor":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def heard_after(self, time_s: float) -> float:
        """When a block with sound in it came, the first after this time."""
        with self._came:
            if not self._came.wait_for(lambda: self._heard_s > time_s, 20.0):
                raise SystemExit("the key was pressed, and nothing was heard")
            return self._heard_s

    def _listen(self) -> None:
        assert self._process.stdout is not None
        while block := os.read(self._process.stdout.fileno(), 1 << 16):
            samples = np.frombuffer(block[: len(block) // 4 * 4], np.float32)
            with self._came:
                if np.abs(samples).max(initial=0) > AUDIBLE:
                    self._heard_s = time.perf_counter()
                    self._came.notify_all()
