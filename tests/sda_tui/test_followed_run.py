"""What a followed run is judged to be, from its log and its lock."""

import json

import pytest

from core.events import CheckpointSaved, LoadProgress, RunEvent, RunState, StateChanged, StepFinished
from core.runs import EventLog, RunDirectory
from sda_tui.followed_run import LOCK_INTERVAL_S, FollowedRun
from tests.conftest import MakeRun
from tests.sda_tui.driving import a_step, write_run

SAVED = CheckpointSaved(1, 2, "checkpoints/a.pt", "manual", 5)


class Clock:
    """Time that passes when a test moves it."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def run(make_run: MakeRun) -> RunDirectory:
    return make_run()


@pytest.fixture
def looks(run: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Every look at the lock of the run: whether there was a holder."""
    found: list[bool] = []
    holder = run.lock.holder

    def look() -> object:
        found.append(holder() is not None)
        return holder()

    monkeypatch.setattr(run.lock, "holder", look)
    return found


def follow(run: RunDirectory, clock: Clock | None = None, is_trained_here: bool = False) -> FollowedRun:
    return FollowedRun(run, lambda _: is_trained_here, clock=clock or Clock())


def state(name: str) -> StateChanged:
    return StateChanged(name, 1, 1, 100, 10)


def read_all(followed: FollowedRun) -> list[RunState]:
    """Poll until the log has been read to its end, and return the state after each poll."""
    states: list[RunState] = []
    while not states or not followed.has_caught_up:
        followed.poll()
        states.append(followed.state)
    return states


def test_run_whose_process_is_gone_is_interrupted_at_once(run: RunDirectory) -> None:
    write_run(run, state("training"), a_step(1, 1.0))
    followed = follow(run)
    followed.poll()
    assert followed.state is RunState.INTERRUPTED
    assert followed.manifest == run.read_manifest()


@pytest.mark.parametrize("name", ["cancelled", "finished", "failed"])
def test_lock_of_an_ended_run_is_never_opened(run: RunDirectory, looks: list[bool], name: str) -> None:
    write_run(run, state("training"), state(name))
    clock = Clock()
    followed = follow(run, clock)
    for _ in range(5):
        followed.poll()
        clock.now_s += 10.0
        assert followed.state is RunState(name)
    assert looks == []


def test_state_is_loading_until_the_log_is_read(run: RunDirectory, looks: list[bool]) -> None:
    """A log that takes several polls; no process holds the lock, and it ends in a state that is final."""
    step = json.dumps({"event": "step", "time": 1.0, **_fields(a_step(1, 1.0))})
    write_run(run, state("failed"), state("training"))
    with run.events.open("a") as log:
        log.write(f"{step}\n" * 60_000)
    write_run(run, state("finished"))
    followed = follow(run)
    *while_reading, last = read_all(followed)
    assert len(while_reading) > 1
    assert set(while_reading) == {RunState.LOADING}  # and so never interrupted
    assert last is RunState.FINISHED
    assert looks == []


def _fields(step: StepFinished) -> dict[str, object]:
    plain = {name: getattr(step, name) for name in StepFinished.__dataclass_fields__ if name != "metrics"}
    return {**plain, **step.metrics}


def test_lock_is_looked_at_seldom_and_only_while_the_log_is_silent(
    run: RunDirectory, looks: list[bool]
) -> None:
    write_run(run, state("training"))
    elsewhere = RunDirectory(run.path)
    elsewhere.lock.acquire()
    clock = Clock()
    followed = follow(run, clock)
    for _ in range(100):  # 10 s of silence
        followed.poll()
        assert followed.state is RunState.TRAINING
        clock.now_s += 0.1
    assert looks == [True] * round(10 / LOCK_INTERVAL_S)
    for number in range(1, 101):  # 10 s with a step each time
        write_run(run, a_step(number, 1.0))
        followed.poll()
        assert followed.state is RunState.TRAINING
        clock.now_s += 0.1
    assert looks == [True] * round(10 / LOCK_INTERVAL_S)
    elsewhere.lock.release()
    followed.poll()
    assert followed.state is RunState.INTERRUPTED
    elsewhere.lock.acquire()  # another process resumes it
    write_run(run, a_step(101, 1.0))
    followed.poll()
    assert followed.state is RunState.TRAINING


def test_run_that_this_process_trains_needs_no_lock(run: RunDirectory, looks: list[bool]) -> None:
    write_run(run, state("training"))
    followed = follow(run, is_trained_here=True)
    followed.poll()
    assert followed.is_trained_here
    assert followed.state is RunState.TRAINING
    assert looks == []


def test_run_that_ends_while_its_lock_is_looked_at_is_not_interrupted(
    run: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(run, state("training"))
    elsewhere = RunDirectory(run.path)
    elsewhere.lock.acquire()
    clock = Clock()
    followed = follow(run, clock)
    followed.poll()
    holder = run.lock.holder

    def look_after_the_end() -> object:
        write_run(run, state("finished"))
        elsewhere.lock.release()
        return holder()

    monkeypatch.setattr(run.lock, "holder", look_after_the_end)
    clock.now_s += LOCK_INTERVAL_S
    update = followed.poll()
    assert followed.state is RunState.FINISHED
    assert update.live == (state("finished"),)


@pytest.mark.parametrize("old", ["cancelled", "training"])
def test_continued_run_is_loading_until_its_engine_writes(run: RunDirectory, old: str) -> None:
    """Whatever its log ends with: cancelled, or training in a process that was killed."""
    write_run(run, state(old))
    waiting = [True]
    followed = FollowedRun(run, lambda _: True, lambda _: waiting[0], Clock())
    followed.poll()
    assert followed.state is RunState.LOADING
    write_run(run, state("loading"), state("training"))
    waiting = [False]
    followed.poll()
    assert followed.state is RunState.TRAINING
    write_run(run, state("finished"))
    followed.poll()
    assert followed.state is RunState.FINISHED


def test_only_what_happens_while_following_is_live(run: RunDirectory) -> None:
    """Neither what the log held before nor what a resume kept of it is reported as new."""
    write_run(run, state("training"), a_step(1, 1.0), SAVED, a_step(2, 1.0))
    followed = follow(run, is_trained_here=True)
    update = followed.poll()
    assert update.live == ()
    assert update.has_rare
    write_run(run, a_step(3, 1.0))
    update = followed.poll()
    assert update.live == (a_step(3, 1.0),)
    assert not update.has_rare
    log = EventLog(run.events)
    log.keep(_is_before_step_2)
    log.append(state("loading"))
    log.close()
    assert followed.poll().live == ()
    assert followed.history.step == 1
    assert followed.history.checkpoint == SAVED
    write_run(run, SAVED)
    assert followed.poll().live == (SAVED,)


def _is_before_step_2(event: RunEvent) -> bool:
    return not isinstance(event, StepFinished) or event.step < 2


def test_run_without_a_log_or_a_description_gives_the_reason(run: RunDirectory) -> None:
    run.events.unlink()
    run.run_file.write_text("{")
    followed = follow(run)
    followed.poll()
    assert followed.state is RunState.INTERRUPTED
    assert followed.manifest is None
    assert "run.json cannot be used" in followed.problem


def test_progress_is_of_loading_then_of_steps(run: RunDirectory) -> None:
    followed = follow(run, is_trained_here=True)
    assert followed.progress == (0, 0)
    write_run(run, state("loading"), LoadProgress("decoding", 3, 8))
    followed.poll()
    assert followed.progress == (3, 8)
    write_run(run, state("training"), a_step(7, 1.0))
    followed.poll()
    assert followed.progress == (7, 100)
