"""README and docs: what they link to is there."""

import re
import string
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "benchmarks" / "RESULTS.md"]
LINK = re.compile(r"\]\(([^()\s]+)\)|(?:src|srcset|href)=\"([^\"]+)\"")
HEADING = re.compile(r"^#+ +(.*?) *#*$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
KEPT = set("-_ ")


def links(document: Path) -> Iterator[str]:
    """The targets of links and images within the repository."""
    text = FENCED.sub("", document.read_text(encoding="utf-8"))
    for in_text, in_tag in LINK.findall(text):
        target = in_text or in_tag
        if not re.match(r"[a-z]+:", target):
            yield target


def anchors(text: str) -> set[str]:
    """Those that GitHub gives headings: in small letters, without punctuation, with - for blanks."""
    headings = HEADING.findall(FENCED.sub("", text))
    return {"".join(filter(_is_kept, each.lower())).replace(" ", "-") for each in headings}


def _is_kept(letter: str) -> bool:
    return letter in KEPT or (letter not in string.punctuation and unicodedata.category(letter)[0] in "LN")


def broken(document: Path) -> list[str]:
    """Links of a document to what is not there."""
    found = []
    for link in links(document):
        path, _, anchor = unquote(link).partition("#")
        target = document.parent / path if path else document
        is_there = target.exists() and target.resolve().is_relative_to(ROOT)
        if not is_there or (anchor and anchor not in anchors(target.read_text(encoding="utf-8"))):
            found.append(f"{document.relative_to(ROOT)}: {link}")
    return found


def test_links_and_pictures_of_readme_and_docs_are_there() -> None:
    assert [link for document in DOCUMENTS for link in broken(document)] == []


def test_every_document_is_reached_from_readme() -> None:
    linked = {(ROOT / link.partition("#")[0]).resolve() for link in links(ROOT / "README.md")}
    assert {document for document in DOCUMENTS if document not in linked} == {ROOT / "README.md"}
