"""The warnings of a run that are true now."""

import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from core.events import RunEvent, Warned, WarningKind

logger = logging.getLogger(__name__)


class ActiveWarnings:
    """Emits what has become true, or is so no more.  `step` gives the step that it happens at."""

    def __init__(self, emit: Callable[[RunEvent], None], step: Callable[[], int]) -> None:
        self._emit = emit
        self._step = step
        self._messages: dict[WarningKind, str] = {}

    def is_active(self, kind: WarningKind) -> bool:
        return kind in self._messages

    @property
    def kinds(self) -> list[WarningKind]:
        return list(self._messages)

    def set(self, kind: WarningKind, message: str) -> None:
        """Activate or reword a warning; an empty message takes it back."""
        before = self._messages.get(kind, "")
        if message == before:
            return
        if message:
            self._messages[kind] = message
        else:
            del self._messages[kind]
        warning = Warned(kind, message, self._step())
        self._emit(warning)
        if warning.is_new_after(before):
            logger.warning("%s", message)

    def repeat(self, before: Iterable[WarningKind] = ()) -> None:
        """Emit again what is active, after the log was cut back or the run was resumed.

        Warnings of the kinds `before` that are no longer active are taken back.
        """
        for kind in dict.fromkeys((*before, *self._messages)):
            self._emit(Warned(kind, self._messages.get(kind, ""), self._step()))

    def state_dict(self) -> dict[str, str]:
        return {kind.value: message for kind, message in self._messages.items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Activate what was true at a checkpoint, beside what a return to it does not resolve.

        Raises ValueError for an unknown kind.
        """
        if not all(isinstance(message, str) for message in state.values()):
            raise ValueError("a warning in it is no text")
        lasting = {kind: message for kind, message in self._messages.items() if kind.is_lasting}
        self._messages = {WarningKind(kind): message for kind, message in state.items()} | lasting
