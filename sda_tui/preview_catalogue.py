"""The previews of a run as the user walks through them: by epoch, filtered, and which belong together."""

from collections.abc import Collection, Sequence
from enum import StrEnum

from core.events import PreviewKind, PreviewReady

CLIP_KINDS = (PreviewKind.ORIGINAL, PreviewKind.RESYNTHESIS, PreviewKind.RECONSTRUCTION)

Row = int | PreviewReady  # the heading of an epoch, or a preview


class PreviewFilter(StrEnum):
    """Which previews are listed; the value says so."""

    ALL = "all"
    CLIP = "originals and reconstructions"
    SAMPLES = "new sounds"
    STARRED = "starred"

    @property
    def following(self) -> "PreviewFilter":
        """The one that comes next when the user goes through them."""
        filters = list(PreviewFilter)
        return filters[(filters.index(self) + 1) % len(filters)]

    def lets_pass(self, preview: PreviewReady, stars: Collection[str]) -> bool:
        match self:
            case PreviewFilter.CLIP:
                return preview.kind in CLIP_KINDS
            case PreviewFilter.SAMPLES:
                return preview.kind == PreviewKind.SAMPLE
            case PreviewFilter.STARRED:
                return preview.path in stars
        return True


class PreviewCatalogue:
    """Previews in the order in which they were made, the newer of two with the same path."""

    def __init__(self, previews: Sequence[PreviewReady] = ()) -> None:
        self._by_path = {preview.path: preview for preview in previews}
        self.previews = list(self._by_path.values())

    def __len__(self) -> int:
        return len(self.previews)

    def __contains__(self, preview: PreviewReady | None) -> bool:
        return preview is not None and self._by_path.get(preview.path) == preview

    def find(self, path: str | None) -> PreviewReady | None:
        return self._by_path.get(path) if path is not None else None

    def only(self, shown: PreviewFilter, stars: Collection[str]) -> "PreviewCatalogue":
        """The previews that a filter lets pass."""
        if shown is PreviewFilter.ALL:
            return self
        return PreviewCatalogue([each for each in self.previews if shown.lets_pass(each, stars)])

    def rows(self, newest_first: bool) -> list[Row]:
        """A heading for each epoch, and its previews below it."""
        by_epoch: dict[int, list[Row]] = {}
        for each in self.previews:
            by_epoch.setdefault(each.epoch, [each.epoch]).append(each)
        return [row for epoch in sorted(by_epoch, reverse=newest_first) for row in by_epoch[epoch]]

    def newest(self) -> PreviewReady | None:
        """What to choose by default: the reconstruction of the newest epoch, else its last preview."""
        last_epoch = max((each.epoch for each in self.previews), default=0)
        return self._like(PreviewKind.RECONSTRUCTION, [e for e in self.previews if e.epoch == last_epoch])

    def nearest(self, epoch: int, like: PreviewReady | None) -> PreviewReady | None:
        """In the nearest epoch that has previews, the one with the label of `like`, else its default one."""
        nearest = min((each.epoch for each in self.previews), key=lambda e: (abs(e - epoch), e), default=None)
        found = [each for each in self.previews if each.epoch == nearest]
        same = next((each for each in found if like is not None and _is_of(each, like)), None)
        return same or self._like(PreviewKind.RECONSTRUCTION, found)

    def original_of(self, preview: PreviewReady | None) -> PreviewReady | None:
        """The clip that a preview was made from; there are two if the user's own clip was lost."""
        if preview is None:
            return None
        kind = PreviewKind.ORIGINAL
        originals = [each for each in self.previews if each.kind == kind and each.epoch <= preview.epoch]
        return max(originals, key=lambda each: each.epoch, default=None)

    def counterpart(self, preview: PreviewReady, compared: PreviewReady | None = None) -> PreviewReady | None:
        """The preview to compare this one with: None for a sample, which a training sound is compared with.

        A reconstruction with the original, and the original with `compared`, the reconstruction that it was
        chosen after, else the newest.
        """
        match preview.kind:
            case PreviewKind.SAMPLE:
                return None
            case PreviewKind.ORIGINAL:
                if compared in self and self.original_of(compared) == preview:
                    return compared
                kind = PreviewKind.RECONSTRUCTION
                later = (each for each in reversed(self.previews) if each.kind == kind)
                return next((each for each in later if self.original_of(each) == preview), None)
        return self.original_of(preview)

    def earlier(self, preview: PreviewReady) -> PreviewReady | None:
        """The same preview of the newest earlier epoch that has it."""
        before = [each for each in self.through_epochs(preview) if each.epoch < preview.epoch]
        return before[-1] if before else None

    def through_epochs(self, preview: PreviewReady) -> list[PreviewReady]:
        """The same preview, of this kind and label, of all epochs, the first one first."""
        return sorted((e for e in self.previews if _is_of(e, preview)), key=lambda e: e.epoch)

    def _like(self, kind: PreviewKind, previews: Sequence[PreviewReady]) -> PreviewReady | None:
        of_kind = (each for each in previews if each.kind == kind)
        return next(of_kind, previews[-1] if previews else None)


def _is_of(preview: PreviewReady, other: PreviewReady) -> bool:
    return (preview.kind, preview.label) == (other.kind, other.label)
