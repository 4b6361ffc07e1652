"""`._a.wav` files of macOS, and `.part-*.wav` files left by an interruption, were taken for audio files."""

from pathlib import Path

from helpers.audio_files import write_tone
from speechvq.cli.sources import find_sources


def test_hidden_files_are_ignored(tmp_path: Path) -> None:
    for name in ("a.wav", "._a.wav", "sub/.part-0123.wav", ".trash/b.wav"):
        write_tone(tmp_path / name)
    assert [source.name for source in find_sources(tmp_path)] == ["a"]
