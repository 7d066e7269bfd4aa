"""Opening and decoding one file, in this process."""

from pathlib import Path

import pytest

from core.audio.decoder import open_regular
from core.errors import AudioFileError
from tests.sounds import write_tone


def test_a_file_without_permission_is_refused(open_path: Path, request: pytest.FixtureRequest) -> None:
    path = write_tone(open_path / "secret.wav")
    path.chmod(0)
    request.getfixturevalue("ordinary_user")
    with pytest.raises(AudioFileError, match="you have no permission to read it"):
        open_regular(path)
