"""With a.flac and a.wav in one folder, the output of the second replaced that of the first."""

from pathlib import Path

import pytest

from helpers.audio_files import write_tone
from speechvq.cli.sources import find_sources
from speechvq.errors import UserError


def test_files_with_the_same_stem_are_refused(tmp_path: Path) -> None:
    for name in ("a.flac", "a.wav", "sub/a.wav"):
        write_tone(tmp_path / name)
    with pytest.raises(
        UserError, match="a.wav and a.flac: their outputs would have the same name; rename one"
    ):
        find_sources(tmp_path)
