"""The run directory: made, described, found and listed."""

import dataclasses
import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.config import SettingValue, TrainingConfig
from core.errors import ConfigError, NameTakenError, RunError, RunFinishedError
from core.events import EpochFinished, RunState, StateChanged, StepFinished, to_json
from core.paths import default_root
from core.runs import (
    EventLog,
    RunDirectory,
    RunHistory,
    RunLabels,
    RunManifest,
    RunQueue,
    SummaryCache,
    changed_settings,
    create_run,
    delete_run,
    differing_settings,
    estimate_run,
    find_run,
    list_runs,
    suggest_name,
    summarise,
)
from core.runs import summary as summary_module
from core.runs.estimate import EVALUATED_CHUNKS, KEPT_SOUNDS
from core.training.control import Control
from core.training.run import train_run
from core.training.setup import EVALUATION_CHUNKS
from tests.conftest import MakeRun, scan_folder

NIGHT_S = 30_000.0


def state(state: RunState, step: int, message: str = "") -> StateChanged:
    return StateChanged(state.value, step, step // 10, 100, 10, message)


def step(number: int) -> StepFinished:
    return StepFinished(1, number, 100, 1.0, 1e-3, 0.1, 0.01)


def write_events(run: RunDirectory, *events: StateChanged | StepFinished | EpochFinished) -> None:
    run.events.write_text("".join(to_json(event, 0.0) + "\n" for event in events))


def test_names_are_suggested_from_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "My Drums (2)"
    assert suggest_name(tmp_path, [folder]) == "My-Drums-2-001"
    (tmp_path / "My-Drums-2-001").mkdir()
    assert suggest_name(tmp_path, [folder]) == "My-Drums-2-002"
    assert suggest_name(tmp_path, [tmp_path / "()"]) == "run-001"


def test_name_of_a_run_follows_from_what_was_chosen(tmp_path: Path) -> None:
    for name in ("take 1.wav", "drums/a.wav", "drums/b.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert suggest_name(tmp_path, [tmp_path / "take 1.wav"]) == "take-1-001"
    assert suggest_name(tmp_path, [tmp_path / "drums" / "a.wav", tmp_path / "drums" / "b.wav"]) == "drums-001"
    assert suggest_name(tmp_path, [Path("/usr"), Path("/etc")]) == "usr-001"


def test_runs_without_a_name_that_begin_at_once_get_names_of_their_own(
    tmp_path: Path, sounds: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = RunManifest.from_scan(scan_folder(sounds), "balanced", TrainingConfig())
    barrier = threading.Barrier(8)
    real = RunDirectory.create

    def create(root: Path, name: str, manifest: RunManifest) -> RunDirectory:
        if name == "sounds-001":
            barrier.wait()  # all have chosen the same name before the first has made it
        return real(root, name, manifest)

    monkeypatch.setattr(RunDirectory, "create", create)
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: create_run(tmp_path / "runs", None, manifest), range(8)))
    assert sorted(run.name for run in made) == [f"sounds-{number:03}" for number in range(1, 9)]
    with pytest.raises(NameTakenError):
        create_run(tmp_path / "runs", "sounds-002", manifest)


def test_the_default_root_follows_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_root() == Path("runs")
    monkeypatch.setenv("SDA_RUNS", "/elsewhere")
    assert default_root() == Path("/elsewhere")


def test_a_run_is_found_by_name_or_path(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run("drums")
    assert find_run("drums", tmp_path / "runs").path == run.path
    assert find_run(str(run.path), tmp_path).path == run.path
    with pytest.raises(RunError, match="There is no run 'gone'"):
        find_run("gone", tmp_path / "runs")


def test_runs_are_listed_with_their_state_newest_first(make_run: MakeRun, tmp_path: Path) -> None:
    finished, failed, killed, broken = (make_run(name) for name in ("finished", "failed", "killed", "broken"))
    write_events(finished, state(RunState.TRAINING, 0), step(1), state(RunState.FINISHED, 100))
    write_events(failed, state(RunState.FAILED, 3, "No memory."))
    write_events(killed, state(RunState.TRAINING, 0), step(1), step(2))
    (killed.checkpoints / "step-000000001.pt").touch()
    broken.run_file.write_text("{")
    for age_s, run in enumerate((finished, failed, killed)):
        os.utime(run.events, (time.time() - age_s, time.time() - age_s))
    summaries = {summary.name: summary for summary in list_runs(tmp_path / "runs")}
    assert summaries["finished"].state is RunState.FINISHED
    assert (summaries["failed"].state, summaries["failed"].message) == (RunState.FAILED, "No memory.")
    assert (summaries["killed"].state, summaries["killed"].step) == (RunState.INTERRUPTED, 1)
    assert "cannot be used" in summaries["broken"].problem
    ordered = [name for name in summaries if name != "broken"]
    assert ordered == ["finished", "failed", "killed"]
    assert summaries["finished"].size_bytes > 0
    assert list_runs(tmp_path / "nowhere") == []


def test_a_run_whose_process_lives_is_training(make_run: MakeRun) -> None:
    run = make_run()
    write_events(run, state(RunState.TRAINING, 0), step(1))
    run.lock.acquire()
    summary = summarise(run)
    assert summary.state is RunState.TRAINING
    assert summary.holder_pid == os.getpid()
    with pytest.raises(RunError, match=f"is being trained by process {os.getpid()}"):
        summary.continued({})
    run.lock.release()
    assert summarise(run).state is RunState.INTERRUPTED


def test_a_run_continues_with_settings_that_may_change(make_run: MakeRun) -> None:
    run = make_run()
    write_events(run, state(RunState.CANCELLED, 15))
    summary = summarise(run)
    assert summary.continued({"epochs": 9, "learning_rate": 1e-4}).config.epochs == 9
    for name in ("latent_dim", "mel_bands", "width"):
        with pytest.raises(ConfigError, match=f"{name} is fixed when a run begins"):
            summary.continued({name: 64})
    with pytest.raises(ConfigError, match="preview_clip is fixed when a run begins"):
        summary.continued({"preview_clip": "/a.wav"})
    with pytest.raises(ConfigError, match="no setting 'latent'"):
        summary.continued({"latent": 8})


def test_a_finished_run_continues_only_with_more_epochs(make_run: MakeRun) -> None:
    run = make_run(epochs=10)  # of 8 steps
    write_events(run, state(RunState.FINISHED, 80))
    with pytest.raises(RunFinishedError, match="has finished its 10 epochs") as finished:
        summarise(run).continued({})
    assert (finished.value.path, finished.value.epochs) == (run.path, 10)
    assert summarise(run).continued({"epochs": 11}).config.epochs == 11
    with pytest.raises(ConfigError, match="epochs must be at least 10"):
        summarise(run).continued({"epochs": 9})


def test_a_log_of_any_length_is_summarised_from_its_end(make_run: MakeRun) -> None:
    run = make_run()
    with run.events.open("w") as file:
        file.writelines(to_json(step(number), 0.0) + "\n" for number in range(1, 20_001))
    run.lock.acquire()
    assert summarise(run).step == 20_000
    run.lock.release()


@pytest.mark.parametrize(
    ("names", "steps", "epochs"),
    [
        ([], 0, 0),  # it saved nothing, and starts over
        (["step-000000008.pt", "step-000000016.pt", "best.pt"], 16, 2),
        (["step-000000016.pt", "step-000000019-saved.pt"], 19, 2),
        (["step-000000016.pt", "step-000000020-unsteady.pt"], 20, 2),
        (["step-000000016.pt", "step-000000024.unusable", ".step-000000024.pt.7.tmp"], 16, 2),
        (["step-000000016.pt", f"step-{'9' * 5000}.pt"[:250]], 16, 2),
        (["step-000000016.pt", "step-000000999.pt"], 16, 2),  # of another run: this one has 24 steps
    ],
)
def test_killed_run_is_at_the_step_that_it_continues_from(
    make_run: MakeRun, names: list[str], steps: int, epochs: int
) -> None:
    run = make_run(epochs=3)
    write_events(run, state(RunState.TRAINING, 0), *map(step, range(1, 23)))
    for name in names:
        (run.checkpoints / name).touch()
    summary = summarise(run)
    assert (summary.state, summary.step, summary.epoch) == (RunState.INTERRUPTED, steps, epochs)


def test_finished_run_without_its_last_checkpoint_continues(make_run: MakeRun) -> None:
    run = make_run()
    total_steps = run.read_manifest().total_steps
    write_events(run, state(RunState.TRAINING, 0), state(RunState.FINISHED, total_steps))
    (run.checkpoints / "step-000000008.pt").touch()
    assert summarise(run).continued({}) == run.read_manifest()
    (run.checkpoints / f"step-{total_steps:09}.pt").touch()
    with pytest.raises(RunError, match="has finished its 2 epochs"):
        summarise(run).continued({})


def test_an_event_log_flushes_rare_events_at_once(make_run: MakeRun) -> None:
    run = make_run()
    log = EventLog(run.events)
    log.append(state(RunState.TRAINING, 0))
    assert '"state":"training"' in run.events.read_text()
    log.close()


def test_an_estimate_adds_up(make_run: MakeRun) -> None:
    manifest = make_run().read_manifest()
    estimate = estimate_run(manifest)
    assert estimate.total_steps == manifest.steps_per_epoch * 2 == manifest.total_steps
    weights = manifest.config.model_config(manifest.spectrogram).parameter_count
    assert estimate.disk_bytes > 4 * 12 * weights
    assert estimate.weights == weights


def test_an_estimate_has_the_relative_work_of_sizes(make_run: MakeRun) -> None:
    manifest = make_run().read_manifest()

    def work(**settings: SettingValue) -> float:
        config = TrainingConfig(chunk_duration_s=1.0, batch_size=32).with_settings(settings)
        config = config.resolved(manifest.split.training_chunks)
        return estimate_run(dataclasses.replace(manifest, config=config, spectrogram=config.spectrogram)).work

    assert work() == 1.0
    assert work(batch_size=8) == 1.0
    assert work(chunk_duration_s=2.0) == pytest.approx(2, rel=0.05)
    assert work(mel_bands=64) == pytest.approx(0.5, rel=0.05)
    assert work(width=64) == pytest.approx(3.7, rel=0.1)


def test_a_run_cannot_get_fewer_epochs_than_are_begun(make_run: MakeRun) -> None:
    run = make_run(epochs=10)
    write_events(run, state(RunState.CANCELLED, 17))
    with pytest.raises(ConfigError, match="epochs must be at least 3, as many as have begun, not 2"):
        summarise(run).continued({"epochs": 2})
    assert summarise(run).continued({"epochs": 3}).total_steps == 24


@pytest.mark.parametrize("has_epoch", [True, False])
def test_the_last_epoch_is_found_however_long_ago(make_run: MakeRun, has_epoch: bool) -> None:
    """And what was between it and the end of the log that is read is added to its time."""
    run = make_run()
    epoch = EpochFinished(1, 10, 1, *[0.0] * 6, 0, 77.0, None, *[0] * 3)
    with run.events.open("w") as file:
        file.write(to_json(step(1), NIGHT_S) + "\n" + (to_json(epoch, NIGHT_S) + "\n") * has_epoch)
        file.writelines(
            to_json(step(number), 2 * NIGHT_S + 0.01 * number) + "\n" for number in range(2, 6000)
        )
    run.lock.acquire()
    summary = summarise(run)
    run.lock.release()
    assert summary.step == 5999
    assert summary.elapsed_s == pytest.approx(77.0 * has_epoch + 59.98, abs=0.1)
    assert summary.last_epoch == (epoch if has_epoch else None)


def test_no_time_is_counted_before_the_first_line_that_is_read(make_run: MakeRun) -> None:
    """The end of the log begins with the very next step, and a night was between."""
    run = make_run()
    epoch = EpochFinished(1, 10, 1, *[0.0] * 6, 0, 77.0, None, *[0] * 3)
    head = to_json(step(1), NIGHT_S) + "\n" + to_json(epoch, NIGHT_S) + "\n"
    steps = "".join(to_json(step(number), 2 * NIGHT_S + 0.01 * number) + "\n" for number in range(2, 400))
    run.events.write_text(head + "x" * (summary_module.TAIL_BYTES - len(steps) - 1) + "\n" + steps)
    assert summarise(run).elapsed_s == pytest.approx(77.0 + 3.98, abs=0.1)


def test_the_time_of_a_run_is_that_of_its_history(make_run: MakeRun) -> None:
    """Also after its last epoch; the night between two processes is not of training."""
    run, history = make_run(), RunHistory()
    epoch = EpochFinished(1, 10, 2, *[0.0] * 6, 0, 4.0, None, *[0] * 3)
    events = [
        (state(RunState.TRAINING, 0), 100.0),
        (step(1), 102.0),
        (step(2), 104.0),
        (epoch, 105.0),
        (step(3), 106.5),
        (state(RunState.CANCELLED, 3), 107.0),
        (state(RunState.LOADING, 3), 30_000.0),
        (state(RunState.TRAINING, 3), 30_002.0),
        (step(4), 30_003.0),
        (state(RunState.CANCELLED, 4), 30_005.0),
    ]
    run.events.write_text("".join(to_json(event, time_s) + "\n" for event, time_s in events))
    for event, time_s in events:
        history.apply(event, time_s)
    assert summarise(run).elapsed_s == history.elapsed_s == pytest.approx(4.0 + 1.5 + 1.0)


def test_one_bad_run_does_not_hide_the_others(
    make_run: MakeRun, open_path: Path, request: pytest.FixtureRequest
) -> None:
    good, foreign, closed = (make_run(name) for name in ("good", "foreign", "closed"))
    foreign.events.write_text(
        '{"event":"state","time":1,"state":"paused","step":1,"epoch":0,"total_steps":1,"total_epochs":1}\n'
        '{"event":"step","time":1,"step":"many"}\n'
    )
    for folder in (good.path.parent, good.path, foreign.path):
        folder.chmod(0o755)
    closed.path.chmod(0)
    request.getfixturevalue("ordinary_user")
    assert {summary.name for summary in list_runs(good.path.parent)} == {"good", "foreign"}


def test_a_run_that_cannot_be_written_is_reported(
    make_run: MakeRun, open_path: Path, request: pytest.FixtureRequest
) -> None:
    run = make_run()
    manifest = run.read_manifest()
    for folder in (run.path.parent, run.path):
        folder.chmod(0o755)
    request.getfixturevalue("ordinary_user")
    with pytest.raises(
        RunError, match=r"Cannot write .*run.json \(Permission denied\); check its permissions"
    ):
        run.change(manifest)
    with pytest.raises(RunError, match=r"Cannot write to .* \(Permission denied\); check its permissions"):
        train_run(run, "cpu", Control(run.requests), lambda _: None)
    with pytest.raises(RunError, match="Cannot ask the process that trains: Permission denied"):
        run.requests.ask("cancel")


def test_an_impossible_name_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="There is no run"):
        find_run("x" * 300, tmp_path)


def test_the_estimate_counts_as_many_sounds_as_are_kept_and_evaluated() -> None:
    assert KEPT_SOUNDS == EVALUATED_CHUNKS == EVALUATION_CHUNKS


def test_a_run_that_did_not_change_is_not_read_again(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, other = make_run("a"), make_run("b")
    live = make_run("live")
    live.lock.acquire()
    cache = SummaryCache(run.path.parent)
    assert {each.name for each in cache.read()} == {"a", "b", "live"}
    read: list[str] = []
    real = summary_module.summarise
    monkeypatch.setattr(
        summary_module, "summarise", lambda run: (read.append(run.name), real(run))[1], raising=True
    )
    write_events(other, state(RunState.FINISHED, 100))
    RunQueue(run.path.parent).add("a")
    found = {each.name: each for each in cache.read()}
    assert sorted(read) == ["b", "live"]  # one that is trained is read in any case
    assert found["b"].state is RunState.FINISHED
    assert (found["a"].queue_place, found["b"].queue_place) == (1, 0)
    RunLabels(is_starred=True).write(run)
    assert next(each for each in cache.read() if each.name == "a").labels.is_starred
    delete_run(run)
    assert {each.name for each in cache.read()} == {"b", "live"}
    live.lock.release()


def test_changed_settings_are_those_that_differ_from_the_preset(make_run: MakeRun) -> None:
    changed = summarise(make_run(preview_interval=2)).changed_settings
    assert changed["epochs"] == (2, 200)
    assert changed["batch_size"].value == 2
    assert "preview_interval" not in changed  # what is chosen for so few epochs anyway
    assert "learning_rate" not in changed


def test_settings_that_differ_between_runs_are_found(make_run: MakeRun) -> None:
    manifests = [make_run(f"run-{seed}", seed=seed).read_manifest() for seed in (3, 4)]
    assert differing_settings(manifests) == {"seed": ("3", "4")}
    assert differing_settings(manifests[:1]) == {}


def test_what_follows_from_the_first_number_of_epochs_is_not_called_changed(make_run: MakeRun) -> None:
    """A run that gets fewer epochs keeps the interval of its previews, which nobody chose."""
    run = make_run(preview_interval=None, epochs=200)
    manifest = run.read_manifest()
    fewer = manifest.with_settings({"epochs": 4}, 0)
    assert fewer.config.preview_interval == manifest.config.preview_interval
    assert manifest.with_settings({"preview_interval": 3}, 0).config.preview_interval == 3
    assert "preview_interval" not in changed_settings(fewer)
    assert "preview_interval" in changed_settings(manifest.with_settings({"preview_interval": 3}, 0))
