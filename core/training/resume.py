"""Which checkpoint a run continues from."""

from core.checkpoints.archive import State, read_checkpoint
from core.checkpoints.content import require_plain
from core.checkpoints.folder import CheckpointFolder
from core.config import SpectrogramConfig
from core.device import is_out_of_memory
from core.errors import CheckpointError
from core.runs import RunManifest
from core.text import first_line
from core.training.migration import migrate
from core.training.state import Progress, ResumePoint, TrainingState

# What loading a foreign or crafted state raises, whatever it holds.
MISFITS = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)


class Candidates:
    """The checkpoints that a run may continue from, the newest first, each read when its turn comes.

    `state` is the one whose turn it is, `name` its file's name and `point` how far it has come.
    """

    state: State
    name: str
    point: ResumePoint

    def __init__(self, folder: CheckpointFolder, manifest: RunManifest, is_return: bool = False) -> None:
        """Read the newest that is whole; for a return, the newest made while steps were good.

        Raises CheckpointError if there is none.
        """
        self._folder = folder
        self._manifest = manifest
        self._paths = iter(folder.steady() if is_return else folder.by_age())
        self._problems: list[str] = []
        self._advance()

    @property
    def remark(self) -> str:
        """A message if others were passed over."""
        if not self._problems:
            return ""
        return f"{' '.join(self._problems)} Continuing from {self.name} instead."

    def restore(self, state: TrainingState) -> None:
        """Load the newest that fits this run; newer ones are set aside, so that it stays the newest.

        Raises CheckpointError if there is none; the state is then part of one.
        """
        while True:
            try:
                self._load(state)
                break
            except CheckpointError as error:
                self._problems.append(str(error))
                self._advance()
        for path in self._folder.by_age():
            if path.name == self.name:
                break
            self._folder.set_aside(path)

    def _advance(self) -> None:
        for path in self._paths:
            try:
                read = migrate(read_checkpoint(path), path.name, self._manifest.split.validation_files)
                self.point = ResumePoint.read(read, path.name)
            except CheckpointError as error:
                self._problems.append(str(error))
            else:
                self.state, self.name = read, path.name
                return
        if self._problems:
            raise CheckpointError(f"No checkpoint can be used. {' '.join(self._problems)}")
        raise CheckpointError(f"There is no checkpoint in {self._folder.path}.")

    def _load(self, state: TrainingState) -> None:
        found, name, manifest = self.state, self.name, self._manifest
        try:
            if SpectrogramConfig.from_dict(found["spectrogram"]) != manifest.spectrogram:
                raise CheckpointError(f"{name} was made with another spectrogram; its sounds would not fit.")
            require_plain(found)
            if not Progress(**found["progress"]).fits(manifest.total_steps, manifest.config.batch_size):
                raise CheckpointError(f"{name} is not of this run: its step or batch size is impossible.")
            if not self.point.fits(manifest.config.epochs):
                raise CheckpointError(f"{name} is not of this run: it has come further than that.")
            state.load_state_dict(found)
        except MISFITS as error:
            if is_out_of_memory(error):
                raise
            raise CheckpointError(
                f"{name} does not fit the model of this run ({first_line(error)})."
            ) from error
