"""Fixtures: sounds, tiny runs, and what a machine may lack."""

import contextlib
import dataclasses
import hashlib
import os
import resource
import shutil

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch: the tests share the cores among themselves
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # as the program does

import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest
import soundfile

from core.config import SettingValue, TrainingConfig
from core.data.report import ScanReport
from core.data.scan import scan
from core.engine import Runner
from core.runs import RunDirectory, RunManifest
from tests.settings import TINY
from tests.sounds import tone, write_tone

SONIC_PI = Path("/usr/share/sonic-pi/samples")


# The slow tier: tests that train, sleep, start a program or drive the app, by fixture or by module.
# A single test elsewhere that takes more than half a second has the marker itself.
SLOW_FIXTURES = {
    "command",
    "look",
    "orphan",
    "sda_tui",
    "sound_server",
    "start",
    "trained",
    "training",
    "uninterrupted",
}
SLOW_FUNCTIONS = {"Popen", "Terminal", "running", "sleep", "subprocess"}
SLOW_FUNCTIONS |= {"train", "train_run", "train_to", "train_toy", "train_toy_to"}
SLOW_PLACES = (
    "tests/core/synthesis/test_previews.py",
    "tests/core/test_engine.py",
    "tests/sda_tui/chart/test_widget.py",
    "tests/sda_tui/test_app.py",
    "tests/sda_tui/test_dashboard.py",
    "tests/sda_tui/test_playback.py",
    "tests/sda_tui/test_terminal.py",
    "tests/test_imports.py",
)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int | None:
    """One more than there are cores: tests wait for programs and terminals a quarter of their time."""
    if "PYTEST_XDIST_AUTO_NUM_WORKERS" in os.environ:
        return None  # as it says there
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put every test into its tier, so that whoever writes one need not think of it."""
    for item in items:
        assert isinstance(item, pytest.Function)
        fixtures, names = set(item.fixturenames), set(item.function.__code__.co_names)
        if item.nodeid.startswith(SLOW_PLACES) or fixtures & SLOW_FIXTURES or names & SLOW_FUNCTIONS:
            item.add_marker(pytest.mark.slow)
        if "sound_server" in fixtures:
            item.add_marker(pytest.mark.audio)


def pytest_collection_finish() -> None:
    """Leave threads of training their priority: at the least one they would wait for all other tests."""
    for name in ("core.data.batches", "core.training.previews"):
        if name in sys.modules:
            sys.modules[name].lower_priority = lambda: None  # type: ignore[attr-defined]


def need(available: bool, what: str) -> None:
    """Skip a test that needs what is missing here; fail it where SDA_TEST_REQUIRE_ALL is set."""
    if not available:
        if os.environ.get("SDA_TEST_REQUIRE_ALL"):
            pytest.fail(f"{what} is missing, and SDA_TEST_REQUIRE_ALL is set")
        pytest.skip(f"{what} is missing")


@pytest.fixture
def sonic_pi() -> Path:
    need(SONIC_PI.is_dir(), "Debian's sonic-pi-samples")
    return SONIC_PI


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    return write_tones(tmp_path / "sounds")


@pytest.fixture
def two_sounds(tmp_path: Path) -> Path:
    """Two short tones in a folder like `sounds`: with the app's own settings, ten steps an epoch."""
    folder = tmp_path / "sounds"
    folder.mkdir()
    for index in range(2):
        write_tone(folder / f"tone-{index}.wav", 220.0 * (index + 1), 0.4)
    return folder


def write_tones(folder: Path) -> Path:
    """Eight tones of a second: with TINY, four on each side of the split and eight steps an epoch."""
    folder.mkdir()
    for index in range(8):
        write_tone(folder / f"tone-{index}.wav", 110.0 * (index + 1), 1.0)
    return folder


@pytest.fixture
def ordinary_user() -> Iterator[None]:
    """Root may read everything; these tests run as the user nobody."""
    was_root = os.geteuid() == 0
    if was_root:
        os.seteuid(65_534)
    yield
    if was_root:
        os.seteuid(0)


@pytest.fixture
def open_path(tmp_path: Path) -> Path:
    """A temporary folder that the user nobody may enter too."""
    for folder in (tmp_path, *tmp_path.parents):
        if folder.stat().st_uid == os.getuid() and "pytest" in str(folder):
            folder.chmod(0o755)
    return tmp_path


@contextlib.contextmanager
def file_size_limit(limit_bytes: int) -> Iterator[None]:
    """No file may become longer: writing fails as on a full disk, in this process alone."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def scan_folder(folder: Path, chunk_duration_s: float = 1.0) -> ScanReport:
    """The report of a finished scan."""
    *_, report = scan(folder, chunk_duration_s)
    assert isinstance(report, ScanReport)
    return report


_scanned: dict[tuple[object, ...], ScanReport] = {}


def _scan_once(folder: Path, chunk_duration_s: float) -> ScanReport:
    """The report of a scan of the same sounds in any folder: hundreds of runs here are on the same tones."""
    contents = {
        path.relative_to(folder): hashlib.sha256(path.read_bytes()).digest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    key = (chunk_duration_s, *contents.items())
    if key not in _scanned:
        _scanned[key] = scan_folder(folder, chunk_duration_s)
    report = _scanned[key]
    files = [
        dataclasses.replace(file, modified_ns=(folder / file.path).stat().st_mtime_ns)
        for file in report.files
    ]
    return dataclasses.replace(report, folder=str(folder), files=tuple(files))


MakeRun = Callable[..., RunDirectory]


@pytest.fixture
def make_run(tmp_path: Path, sounds: Path) -> MakeRun:
    """Makes runs on tones, or on another folder, with tiny settings and those given."""

    def make(name: str = "run", folder: Path = sounds, **settings: SettingValue) -> RunDirectory:
        return create_run(tmp_path / "runs", name, folder, settings)

    return make


def create_run(root: Path, name: str, folder: Path, settings: Mapping[str, SettingValue]) -> RunDirectory:
    config = TrainingConfig().with_settings({**TINY, **settings})
    manifest = RunManifest.from_scan(_scan_once(folder, config.chunk_duration_s), "balanced", config)
    return RunDirectory.create(root, name, manifest)


@pytest.fixture(scope="session")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A run as `make_run` makes it, trained to its end at once: what others are compared with."""
    from tests.training import train

    folder = tmp_path_factory.mktemp("uninterrupted")
    run = create_run(folder, "run", write_tones(folder / "sounds"), {})
    assert run.read_manifest().steps_per_epoch == 8
    train(run)
    return run


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A finished run on twelve hits of 0.1 to 0.45 s, whose folder is gone; not to be changed."""
    from tests.training import train

    folder = tmp_path_factory.mktemp("trained")
    settings = {"chunk_duration_s": 0.5, "latent_dim": 40, "detail": 1.0}
    run = create_run(folder, "hits", write_hits(folder / "sounds"), settings)
    train(run)
    shutil.rmtree(folder / "sounds")
    return run


def write_hits(folder: Path) -> Path:
    """Twelve decaying tones in noise, of different lengths and pitches."""
    folder.mkdir()
    for index in range(12):
        seconds = 0.1 + 0.35 * (index % 6) / 5
        noise = np.random.default_rng(index).normal(0, 0.2, round(48_000 * seconds))
        sound = (tone(200.0 * 1.2**index, seconds) + noise) * np.exp(-np.arange(len(noise)) / 6000)
        soundfile.write(folder / f"hit-{index:02}.wav", sound * 0.5, 48_000, subtype="FLOAT")
    return folder


Command = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def sda_tui(tmp_path: Path) -> Command:
    """Runs the program as its user does, in an empty folder, without a terminal."""

    def run(*arguments: str | Path, **options: object) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            [sys.executable, "-m", "sda_tui", *map(str, arguments)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent), "SDA_RUNS": "runs"},
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
            **options,  # type: ignore[call-overload]
        )

    return run


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Runs a command as `sda_tui` does, but in this process, where torch is imported already."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SDA_RUNS", "runs")

    def run(*arguments: str | Path) -> "subprocess.CompletedProcess[str]":
        from sda_tui.cli import main

        capfd.readouterr()
        try:
            status = main([str(each) for each in arguments])
        except SystemExit as stopped:
            status = int(stopped.code or 0)
        return subprocess.CompletedProcess(arguments, status, *capfd.readouterr())

    return run


@pytest.fixture(autouse=True)
def no_engine_outlives_its_test(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Its thread keeps what listens to it, such as an app of some megabytes."""
    runners: set[Runner] = set()
    load = Runner.load

    def remember(runner: Runner) -> None:
        runners.add(runner)
        load(runner)

    monkeypatch.setattr(Runner, "load", remember)
    yield
    for runner in runners:
        if runner.is_training:
            runner.cancel()
        runner.close()


@pytest.fixture(autouse=True)
def no_files_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Caches, logs and runs of the tests stay in the tests' own folder."""
    for variable in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))
    for variable in ("SDA_RUNS", "SDA_CACHE", "SSH_CONNECTION", "PULSE_SERVER", "BROWSER"):
        monkeypatch.delenv(variable, raising=False)


def read_wav(path: Path) -> tuple[np.ndarray, int]:
    samples, sample_rate = soundfile.read(path, dtype="float64")
    return samples, sample_rate
