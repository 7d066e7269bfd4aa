"""Files that systems and programs leave beside sounds: nobody chose them, so they get no verdict."""

from collections import Counter

LITTER: dict[
    str, tuple[frozenset[str], tuple[str, ...], tuple[str, ...]]
] = {  # by the names of files: whole, as they begin and as they end
    "macOS": (
        frozenset({".ds_store", ".localized", ".apdisk", ".volumeicon.icns", "icon\r"}),
        ("._",),  # AppleDouble: what a file system of others cannot store of a file
        (".icloud",),  # the place of a file that is not downloaded
    ),
    "Windows": (frozenset({"thumbs.db", "desktop.ini", "ehthumbs.db"}), (), ()),
    # Peaks and analyses: Live, Reaper, Audition, Sound Forge, Wavelab, Pro Tools, Cubase, Audacity
    "audio programs": (
        frozenset(),
        (),
        (".asd", ".reapeaks", ".pkf", ".pk", ".sfk", ".gpk", ".wfm", ".ovw", ".peak"),
    ),
}


def litter_owner(name: str) -> str:
    """Whose litter a file of this name is; empty for any other file."""
    name = name.lower()
    for owner, (names, starts, ends) in LITTER.items():
        if name in names or name.startswith(starts) or name.endswith(ends):
            return owner
    return ""


def describe_litter(found: Counter[str]) -> str:
    """What was left out, by owner: "3 files of macOS left out, and 1 of audio programs."."""
    first, *rest = found.most_common()
    count = "1 file" if first[1] == 1 else f"{first[1]} files"
    others = "".join(f", and {number} of {owner}" for owner, number in rest)
    return f"{count} of {first[0]} left out{others}."
