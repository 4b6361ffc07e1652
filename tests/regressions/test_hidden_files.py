"""macOS's `._a.wav` companions and `.part-*.wav` files left by a power cut were taken as audio files."""

from pathlib import Path

from helpers.odd_sounds import write_tone
from speechvq.cli.sources import find_sources


def test_they_are_none(tmp_path: Path) -> None:
    for name in ("a.wav", "._a.wav", "sub/.part-0123.wav", ".trash/b.wav"):
        write_tone(tmp_path / name)
    assert [source.name for source in find_sources(tmp_path)] == ["a"]
