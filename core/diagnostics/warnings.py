"""The warnings of a run that are true now."""

import logging
from collections.abc import Callable, Iterable, Mapping

from core.events import RunEvent, Warned, WarningKind

logger = logging.getLogger(__name__)


class ActiveWarnings:
    """Tells what has become true, or is so no more.  `step` says when."""

    def __init__(self, emit: Callable[[RunEvent], None], step: Callable[[], int]) -> None:
        self._emit = emit
        self._step = step
        self._sentences: dict[WarningKind, str] = {}

    def __contains__(self, kind: object) -> bool:
        return kind in self._sentences

    @property
    def sentences(self) -> dict[WarningKind, str]:
        """The sentence of each kind."""
        return dict(self._sentences)

    def say(self, kind: WarningKind, sentence: str) -> None:
        """Tell what is true now; an empty sentence takes back what was told before."""
        before = self._sentences.get(kind, "")
        if sentence == before:
            return
        if sentence:
            self._sentences[kind] = sentence
        else:
            del self._sentences[kind]
        warning = Warned(kind, sentence, self._step())
        self._emit(warning)
        if warning.is_new_after(before):
            logger.warning("%s", sentence)

    def return_to(self, sentences: Mapping[WarningKind, str]) -> None:
        """Take for true what was so at a checkpoint, and what the return there does not change."""
        lasting = {kind: text for kind, text in self._sentences.items() if kind.is_lasting}
        self._sentences = {**sentences, **lasting}

    def repeat(self, told: Iterable[WarningKind] = ()) -> None:
        """Tell again what is true, after the log was cut back or the run went on.

        Warnings of the kinds `told` that are not true any more are taken back.
        """
        for kind in dict.fromkeys((*told, *self._sentences)):
            self._emit(Warned(kind, self._sentences.get(kind, ""), self._step()))
