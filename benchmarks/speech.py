"""A folder of spoken sentences: sounds that are tonal and never stand still."""

import subprocess
from itertools import cycle
from pathlib import Path

VOICES = ("en-gb", "en-us", "en-gb-scotland", "de", "fr", "it")
SENTENCES = (
    "The harbour was quiet until the first boats came home.",
    "She wrote three letters and burned the last of them.",
    "Nobody remembered who had planted the old pear tree.",
    "A cold wind moved through the empty railway station.",
    "He counted the coins twice before closing the drawer.",
    "Rain fell on the tin roof for most of the night.",
    "The children built a bridge from stones and string.",
    "Every morning the baker opened his window to the street.",
    "They crossed the river where the water was slow.",
    "My brother keeps a map of places he has never seen.",
    "The clock above the door had stopped at half past four.",
    "Someone was playing the piano in the flat below.",
    "We walked along the wall until the road turned north.",
    "The letter arrived a week after the answer was sent.",
    "Her voice was low and even, like a distant engine.",
    "Two dogs were sleeping in the shade of the truck.",
    "He asked for sugar, although he never took any.",
    "The lights of the valley went out one by one.",
    "A single swallow circled above the market square.",
    "They painted the fence green and the gate yellow.",
    "The teacher drew a circle and waited for questions.",
    "Snow covered the tracks before the search began.",
    "She could hear the sea from every room of the house.",
    "The last train leaves at seven minutes past eleven.",
    "He folded the newspaper and looked at the sky.",
    "An owl called once from the edge of the forest.",
    "The kettle sang while they argued about the film.",
    "Nine people waited in the hall without speaking.",
    "The gardener sharpened his scythe on a grey stone.",
    "At noon the square smelled of bread and hot dust.",
)


def make_speech(folder: Path) -> Path:
    """Let espeak-ng speak the sentences into `folder`, each in one of its voices.

    Raises FileNotFoundError if espeak-ng is not installed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number, (sentence, voice) in enumerate(zip(SENTENCES, cycle(VOICES), strict=False)):
        path = folder / f"{number:02}-{voice}.wav"
        pitch, speed = 30 + number * 7 % 45, 140 + number * 11 % 50
        command = ("espeak-ng", "-v", voice, "-p", str(pitch), "-s", str(speed), "-w", str(path), sentence)
        subprocess.run(command, check=True)
    return folder
