"""`sda-tui resume --from`: an earlier checkpoint, in a new run or in the run itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from core.config import SettingValue
from core.engine import branch_run, rewind_run
from core.errors import ConfigError
from core.runs import RunDirectory, Target, choose_checkpoint
from core.text import printable
from sda_tui import format as fmt
from sda_tui.look import show_path


@dataclass(frozen=True)
class GoingBack:
    """What was asked for: which checkpoint, if one, in this run or in a new one, and the name of that."""

    which: str | None
    is_rewind: bool
    name: str | None

    def choose(self, target: Target) -> Path | None:
        """The checkpoint to go back to; None if nothing was asked for.

        Raises ConfigError for arguments that do not go together, CheckpointNotFoundError.
        """
        checkpoint = target.checkpoint
        if self.which is not None:
            checkpoint = choose_checkpoint(target.run.checkpoints, self.which)
        if checkpoint is None and (self.is_rewind or self.name is not None):
            raise ConfigError("--rewind and --name say how to go back: add --from and which checkpoint.")
        if self.is_rewind and self.name is not None:
            raise ConfigError("--name is for a new run: leave it out, or --rewind.")
        return checkpoint


def go_back(
    run: RunDirectory, checkpoint: Path, asked: GoingBack, values: Mapping[str, SettingValue]
) -> tuple[RunDirectory, list[str]]:
    """The run that continues from a checkpoint, and lines that say what was done.  Raises SdaError."""
    if not asked.is_rewind:
        made = branch_run(run, checkpoint, asked.name, values)
        return made, [
            f"A new run, {made.name}, begins at {printable(checkpoint.name)} of {printable(run.name)}, "
            "which stays as it is."
        ]
    rewound = rewind_run(run, checkpoint, values)
    lines = [f"{printable(run.name)} is back at step {rewound.step}."]
    if rewound.aside is not None:
        lines.append(
            f"{fmt.count(rewound.count, 'newer checkpoint')} and the log until now are kept in "
            f"{show_path(rewound.aside)}."
        )
    return run, lines
