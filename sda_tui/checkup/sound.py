"""How previews can be heard."""

from core.text import one_line
from sda_tui.checkup.finding import Finding, Verdict
from sda_tui.listen.player import PagePlayer
from sda_tui.listening import Listening
from sda_tui.multiplexer import is_remote
from sda_tui.playback import probe_all


def find_sound() -> list[Finding]:
    listening = Listening(None, *[lambda *_: None] * 4)
    players = listening.outputs.players
    reasons = probe_all(players)
    listening.outputs.take(reasons)
    active = listening.outputs.active
    others = [player.name for player in players if not reasons[player.name] and player is not active]
    found = [_find_portaudio(reasons[listening.card.name])]
    if active is None:
        advice = "l on the dashboard plays on your own computer."
        return [*found, Finding("previews play", "nowhere", Verdict.NOTE, advice)]
    if isinstance(active, PagePlayer):
        where = "in a browser on your own computer"
        advice = "l on the dashboard shows how to connect."
        return [*found, Finding("previews play", where, Verdict.NOTE, advice)]
    more = f"; also: {', '.join(others)}" if others else ""
    if listening.outputs.chosen == active.name and reasons[active.name]:
        about = f"through {active.name}, which was chosen: {reasons[active.name]}"
        return [*found, Finding("previews play", about, Verdict.NOTE, "p on the dashboard chooses another.")]
    return [*found, Finding("previews play", f"through {active.name}{more}")]


def _find_portaudio(reason: str) -> Finding:
    try:
        import sounddevice

        version = one_line(sounddevice.get_portaudio_version()[1]).partition(",")[0]
    except OSError:
        what = reason.partition("; ")[2] or reason
        return Finding("PortAudio", "missing", Verdict.NOTE, f"To hear sounds on this machine, {what}.")
    if reason:
        advice = "Over SSH that is as usual." if is_remote() else "Is a sound card or a sound server there?"
        return Finding("PortAudio", f"{version}: {reason}", Verdict.NOTE, advice)
    return Finding("PortAudio", version)
