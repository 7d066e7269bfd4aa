"""The engine's thread: one run at a time, cancelled at any time."""

import os
import subprocess
import sys
import threading

import pytest

from core.engine import WAITING, EngineEvent, Runner
from core.errors import RunError
from core.events import EngineReady, RunState, StateChanged, StepFinished
from core.runs import summarise
from tests.conftest import MakeRun


class Ears:
    """A listener that remembers, and can be waited on."""

    def __init__(self) -> None:
        self.events: list[EngineEvent] = []
        self.threads: set[str] = set()
        self._changed = threading.Condition()

    def __call__(self, event: EngineEvent) -> None:
        with self._changed:
            self.events.append(event)
            self.threads.add(threading.current_thread().name)
            self._changed.notify_all()

    def wait_for(self, kind: type[EngineEvent]) -> None:
        with self._changed:
            assert self._changed.wait_for(
                lambda: any(isinstance(each, kind) for each in self.events), timeout=60
            )


def test_runs_follow_each_other_on_one_thread(make_run: MakeRun) -> None:
    ears = Ears()
    runner = Runner(ears)
    for name in ("first", "second"):
        run = make_run(name, epochs=1)
        runner.train(run, "cpu")
        assert runner.wait(120)
        assert summarise(run).state is RunState.FINISHED
    assert ears.threads == {"engine"}
    assert runner.problem is None


def test_devices_are_emitted_before_anything_else(make_run: MakeRun) -> None:
    ears = Ears()
    runner = Runner(ears)
    runner.load()
    ears.wait_for(EngineReady)
    (ready,) = ears.events
    assert isinstance(ready, EngineReady)
    assert ready.devices[-1].name == "cpu"
    assert ready.devices[-1].memory_bytes > 1e8


def test_second_run_is_refused_while_one_trains(make_run: MakeRun) -> None:
    ears = Ears()
    runner = Runner(ears)
    runner.train(make_run("first", epochs=500), "cpu")
    with pytest.raises(RunError, match="A run is being trained"):
        runner.train(make_run("second"), "cpu")
    ears.wait_for(StepFinished)
    runner.cancel()
    assert runner.wait(60)
    assert isinstance(ears.events[-1], StateChanged)
    assert ears.events[-1].state == "cancelled"


def test_a_run_that_waits_for_the_engine_is_cancelled_at_once(make_run: MakeRun) -> None:
    """Its thread is still loading, so nothing but `cancel` itself can answer."""
    ears = Ears()
    runner = Runner(ears)
    runner.load = lambda: None  # type: ignore[method-assign]
    run = make_run()
    runner.train(run, "cpu")
    runner.cancel()
    assert not runner.is_training
    assert summarise(run).state is RunState.CANCELLED
    del runner.load
    runner.train(run, "cpu")
    assert runner.wait(120)
    assert summarise(run).state is RunState.FINISHED


def test_the_thread_ends_after_the_run_when_the_engine_is_closed(make_run: MakeRun) -> None:
    ears = Ears()
    runner, run = Runner(ears), make_run(epochs=500)
    runner.train(run, "cpu")
    ears.wait_for(StepFinished)
    threads = [each for each in threading.enumerate() if each.name == "engine"]
    runner.close()
    assert runner.is_training
    with pytest.raises(RunError, match="the program is being left"):
        runner.train(make_run("second"), "cpu")
    runner.cancel()
    assert runner.wait(60)
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert summarise(run).state is RunState.CANCELLED


def test_run_that_cannot_be_opened_is_reported(make_run: MakeRun) -> None:
    runner, run = Runner(), make_run()
    run.run_file.write_text("{")
    runner.train(run, "cpu")
    assert runner.wait(60)
    assert isinstance(runner.problem, RunError)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere torch brings another OpenMP")
@pytest.mark.parametrize("chosen", [{}, {"OMP_WAIT_POLICY": "ACTIVE"}, {"GOMP_SPINCOUNT": "7"}])
def test_openmp_waiting_is_set_before_torch_loads_unless_the_user_did(chosen: dict[str, str]) -> None:
    code = (
        "from core.engine import Runner; r = Runner(lambda _: ready.set()); "
        "import threading; ready = threading.Event(); r.load(); assert ready.wait(60)"
    )
    inherited = {name: value for name, value in os.environ.items() if name not in WAITING}
    environment = {**inherited, "OMP_DISPLAY_ENV": "VERBOSE", **chosen}
    command = [sys.executable, "-c", code]
    said = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stderr
    is_ours = f"GOMP_SPINCOUNT = '{WAITING['GOMP_SPINCOUNT']}'" in said
    assert is_ours == (not chosen)
    assert all(f"{name} = '{value}'" in said for name, value in chosen.items())
