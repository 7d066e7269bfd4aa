"""Which checkpoint a run continues from, whatever lies in its folder."""

import copy
import io
import math
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from core.checkpoints.archive import State, seal
from core.checkpoints.folder import CheckpointFolder
from core.errors import CheckpointError
from core.events import StepFinished, Warned
from core.runs import EventLog, Request, RunDirectory
from core.runs.checkpoints import CheckpointKind
from core.training.control import Control
from core.training.reporter import RunReporter
from core.training.resume import Candidates
from core.training.task import SetupContext
from core.training.trainer import Trainer
from core.training.vae_task import VaeTask
from tests.conftest import MakeRun, create_run, write_tones
from tests.training import assert_same_outcome, end, newest_state, of, train, train_to

DAMAGED = b"no checkpoint"


def sealed(state: State) -> bytes:
    """A checkpoint with a right checksum, whatever is in it."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return seal(buffer)


class Resumed:
    """A run at step 3 whose folder also has a checkpoint of step 4, and a trainer to restore into."""

    def __init__(self, run: RunDirectory) -> None:
        self.run = run
        self.manifest = run.read_manifest()
        self.folder = CheckpointFolder(run.checkpoints)
        self.state = newest_state(run)
        context = SetupContext(
            run,
            self.manifest,
            torch.device("cpu"),
            is_new=False,
            cancelled=lambda: False,
            emit=lambda _: None,
        )
        control = Control(run.requests)
        self.log = EventLog(run.events)
        self.task = VaeTask.set_up(context)
        self.trainer = Trainer(run, self.manifest, self.task, control, RunReporter(self.log, lambda _: None))

    def restore(self, newest: State | bytes) -> Candidates:
        data = newest if isinstance(newest, bytes) else sealed(newest)
        (self.run.checkpoints / "step-000000004.pt").write_bytes(data)
        candidates = Candidates(self.folder, self.manifest)
        self.trainer.restore(candidates)
        return candidates

    def close(self) -> None:
        self.trainer.close()
        self.task.close()
        self.log.close()


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> RunDirectory:
    """A run that was stopped after its third step, which is not to change."""
    folder = tmp_path_factory.mktemp("stopped")
    run = create_run(folder, "run", write_tones(folder / "sounds"), {})
    train_to(run, 3)
    return run


@pytest.fixture
def resumed(stopped: RunDirectory, tmp_path: Path) -> Iterator[Resumed]:
    made = Resumed(RunDirectory(Path(shutil.copytree(stopped.path, tmp_path / "runs" / "run"))))
    yield made
    made.close()


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Paths to everything in a state, containers included; of lists and weights, the first alone."""
    if path:
        yield path
    if isinstance(value, dict):
        are_weights = all(isinstance(each, torch.Tensor) for each in value.values())
        for name, each in list(value.items())[: 1 if are_weights else None]:
            yield from leaves(each, (*path, name))
    elif isinstance(value, list) and value:
        yield from leaves(value[0], (*path, 0))


def changed(value: Any, path: tuple[Any, ...], change: Callable[[Any], Any]) -> Any:
    """A copy that is another at this place; the rest is shared."""
    if not path:
        return change(value)
    name, *rest = path
    copied = copy.copy(value)
    copied[name] = changed(value[name], tuple(rest), change)
    return copied


def deeply_nested() -> Any:
    value: Any = []
    for _ in range(100):
        value = [value]
    return value


def spoil(value: Any) -> Any:
    """A tensor of the same kind that is not finite; other values become text."""
    if isinstance(value, torch.Tensor):
        return torch.full_like(value.float(), math.nan)
    return "spoilt"


def reshape(value: Any) -> Any:
    """A tensor that claims to be huge; nothing in a dictionary, more in a list; a number far too large."""
    if isinstance(value, torch.Tensor):
        return torch.zeros(1).expand(1 << 40)
    if isinstance(value, dict | list | str):
        return {} if isinstance(value, dict) else [*value, *value, None]
    return 10**30


CHANGES = (spoil, reshape, lambda _: deeply_nested(), lambda _: None)


@pytest.mark.parametrize("first", [0, 2])
def test_crafted_state_is_passed_over_by_name_or_does_no_harm(resumed: Resumed, first: int) -> None:
    """Every part of a checkpoint, each changed alone in one of four ways, with a right checksum."""
    taken = []
    config = dict(list(resumed.state["config"].items())[:3])  # its values are only compared and reported
    for index, path in enumerate(leaves({**resumed.state, "config": config})):
        change: Callable[[Any], Any] = CHANGES[(first + index) % len(CHANGES)]
        candidates = resumed.restore(changed(resumed.state, path, change))
        if candidates.name == "step-000000004.pt":
            if change(0) is not None:  # which some values may be
                taken.append(path)
            continue
        assert "step-000000004" in candidates.remark, path
        assert candidates.remark.endswith("Continuing from step-000000003.pt instead.")
        assert (resumed.run.checkpoints / "step-000000004.unusable").exists()
    refused = {"model", "ema_model", "optimizer", "progress", "recovery", "spectrogram", "clock"}
    assert [path for path in taken if path[0] in refused] == []
    final = resumed.restore(resumed.state)
    assert final.name == "step-000000004.pt"
    for name, weight in resumed.trainer.state.model.state_dict().items():
        assert torch.equal(weight, resumed.state["model"][name])


@pytest.mark.parametrize(
    "name", ["model", "ema_model", "optimizer", "progress", "recovery", "warnings", "previews", "clock"]
)
def test_state_that_lacks_a_part_is_passed_over(resumed: Resumed, name: str) -> None:
    state = {key: value for key, value in resumed.state.items() if key != name}
    assert resumed.restore(state).name == "step-000000003.pt"


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("progress", "batch_size", 10**12),
        ("progress", "step", -1),
        ("previews", "pending", [1]),
        ("previews", "pending", {"epoch": 0, "step": 0, "source": {"model": {}, "latents": None}}),
    ],
)
def test_impossible_values_are_passed_over_by_name(
    resumed: Resumed, part: str, name: str, value: object
) -> None:
    candidates = resumed.restore(changed(resumed.state, (part, name), lambda _: value))
    assert candidates.name == "step-000000003.pt"
    assert re.match(
        r"step-000000004\.pt (is not of|does not fit the model of) this run.*"
        r"Continuing from step-000000003\.pt instead\.$",
        candidates.remark,
    )


def test_part_of_a_refused_state_does_not_stay(resumed: Resumed) -> None:
    """Its weights fit and are loaded before what does not."""
    state = copy.deepcopy(resumed.state)
    for weight in state["model"].values():
        weight.fill_(7.0)
    state["overfitting"] = {}
    resumed.restore(state)
    for name, weight in resumed.trainer.state.model.state_dict().items():
        assert torch.equal(weight, resumed.state["model"][name])


def test_run_with_a_foreign_checkpoint_loses_no_line_of_its_log(
    make_run: MakeRun, uninterrupted: RunDirectory
) -> None:
    """One of step 0 by its content: were the log cut back to it first, all before would be gone."""
    run = make_run()
    train_to(run, 13)
    state = newest_state(run)
    state["progress"]["step"] = 0
    state["model"] = {}
    (run.checkpoints / "step-000000014.pt").write_bytes(sealed(state))
    events = train(run)
    assert end(events).state == "finished"
    assert [each.step for each in of(StepFinished, events)] == list(range(1, 17))
    (message,) = [each.message for each in of(Warned, events) if each.kind == "checkpoint"]
    assert message.startswith("step-000000014.pt does not fit the model of this run")
    assert_same_outcome(run, uninterrupted)


def test_newest_is_taken_whoever_asked_for_it(resumed: Resumed) -> None:
    resumed.folder.save(sealed(resumed.state), 12, CheckpointKind.BY_HAND)
    assert Candidates(resumed.folder, resumed.manifest).name == "step-000000012-saved.pt"
    resumed.folder.save(sealed(resumed.state), 13, CheckpointKind.UNSTEADY)
    assert Candidates(resumed.folder, resumed.manifest).name == "step-000000013-unsteady.pt"
    returned = Candidates(resumed.folder, resumed.manifest, is_return=True)
    assert returned.name == "step-000000012-saved.pt"


@pytest.mark.parametrize("kept_bytes", [0, 1, 0.5, -1])
def test_damaged_newest_is_named_and_the_one_before_it_taken(resumed: Resumed, kept_bytes: float) -> None:
    data = sealed(resumed.state)
    candidates = resumed.restore(
        data[: round(kept_bytes * len(data)) if 0 < kept_bytes < 1 else int(kept_bytes)]
    )
    assert candidates.name == "step-000000003.pt"
    assert candidates.remark.startswith("step-000000004.pt is damaged")


def test_lack_of_usable_checkpoints_is_an_error_and_leaves_them(make_run: MakeRun) -> None:
    run = make_run()
    folder, manifest = CheckpointFolder(run.checkpoints), run.read_manifest()
    with pytest.raises(CheckpointError, match="There is no checkpoint in"):
        Candidates(folder, manifest)
    (run.checkpoints / "step-000000001.pt").write_bytes(DAMAGED)
    with pytest.raises(CheckpointError, match=r"No checkpoint can be used. step-000000001.pt is damaged"):
        Candidates(folder, manifest)
    assert (run.checkpoints / "step-000000001.pt").read_bytes() == DAMAGED


def test_run_that_could_save_nothing_starts_over(make_run: MakeRun, uninterrupted: RunDirectory) -> None:
    run = make_run()
    train_to(run, 5)
    for path in run.checkpoints.iterdir():
        path.unlink()
    lines = run.events.read_text().splitlines(keepends=True)
    run.events.write_text("".join(line for line in lines if '"event":"checkpoint"' not in line))
    events = train(run)
    assert [each.step for each in of(StepFinished, events)] == list(range(1, 17))
    assert_same_outcome(run, uninterrupted)


@pytest.mark.parametrize("request_name", ["cancel", "save"])
def test_a_request_to_a_process_that_ended_is_not_answered(make_run: MakeRun, request_name: Request) -> None:
    run = make_run(epochs=1)
    train_to(run, 3)
    run.requests.ask(request_name)
    assert end(train(run)).state == "finished"
    assert not list(run.checkpoints.glob("*-saved.pt"))
