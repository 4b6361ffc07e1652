"""What `--src` may name, and the log lines about audio files that cannot be read."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from helpers.audio_files import INVALID_AUDIO, write_invalid_audio, write_samples, write_tone
from speechvq.cli.sources import Source, find_sources, read_sources
from speechvq.data.manifest import read_manifest
from speechvq.errors import UserError
from speechvq.runtime.logging import log_to_stderr


@pytest.fixture(autouse=True)
def as_in_a_command() -> Iterator[None]:
    """Log records go to stderr."""
    with log_to_stderr():
        yield


def test_the_name_of_a_file_is_its_stem(tmp_path: Path) -> None:
    path = tmp_path / "a first.take.wav"
    path.write_bytes(b"RIFF")
    assert find_sources(path) == [Source("a first.take", path)]


def test_a_folder_is_searched_recursively(tmp_path: Path) -> None:
    for name in ("b.WAV", "a.flac", "Łódź/ünïcode and spaces.wav", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [source.name for source in find_sources(tmp_path)] == ["a", "b", "Łódź/ünïcode and spaces"]


@pytest.mark.parametrize("tail", ["", "manifest.tsv"])
def test_a_manifest_gives_its_utterances(corpus: Path, tail: str) -> None:
    utterances = read_manifest(corpus)
    assert find_sources(corpus / tail) == [Source(u.utt, u.path, u.speaker) for u in utterances]
    dev = find_sources(corpus / tail, split="dev")
    assert [source.name for source in dev] == ["ada_4", "bob_4", "cyd_4"]


def test_a_limit_is_spaced_evenly(corpus: Path) -> None:
    few = find_sources(corpus, limit=3)
    assert [source.name for source in few] == ["ada_0", "bob_2", "cyd_4"]
    assert len(find_sources(corpus, limit=99)) == len(find_sources(corpus)) == 15


@pytest.mark.parametrize(
    ("src", "options", "line"),
    [
        (
            ".",
            {},
            r"no audio files \(.aif, .aifc, .*, .wav\); give an audio file, a folder of them or a "
            "manifest",
        ),
        ("corpus", {"split": "test"}, "no audio files in split 'test'"),
        ("corpus", {"limit": -1}, "--limit -1: give the number of recordings, or 0 for all"),
        ("nowhere.tsv", {}, "no such manifest; make one with"),
    ],
)
def test_missing_input_is_named(
    src: str, options: dict[str, object], line: str, corpus: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=line):
        find_sources(corpus if src == "corpus" else tmp_path / src, **options)  # type: ignore[arg-type]


def test_a_conversion_of_format_is_logged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = write_tone(tmp_path / "a.wav", samples=4_800, rate=48_000, channels=2)
    [(source, wave)] = read_sources(find_sources(path))
    assert source.name == "a" and wave.shape == (1_600,) and wave.dtype == np.float32
    assert (
        capsys.readouterr().err == f"{path}: 2 channels at 48000 Hz, down-mixed and resampled to 16000 Hz\n"
    )


@pytest.mark.parametrize("name", INVALID_AUDIO)
def test_a_single_damaged_file_is_an_error(name: str, tmp_path: Path) -> None:
    path = write_invalid_audio(tmp_path / "in", name)
    with pytest.raises(UserError, match=INVALID_AUDIO[name]) as caught:
        list(read_sources([Source("a", path)]))
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_damaged_files_among_others_are_logged_and_skipped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "in"
    bad = [write_invalid_audio(folder, name) for name in INVALID_AUDIO if name != "missing.wav"]
    write_tone(folder / "good.wav")
    (folder / "gone.wav").symlink_to("nowhere")
    write_samples(folder / "one.wav", np.ones(1))
    assert [source.name for source, _ in read_sources(find_sources(folder))] == ["good", "one"]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == len(bad) + 1 and all(line.startswith("skipped: ") for line in lines)
    assert all(any(str(path) in line for line in lines) for path in [*bad, folder / "gone.wav"])


def test_only_damaged_files_are_an_error_if_input_is_required(tmp_path: Path) -> None:
    sources = [Source(name, write_invalid_audio(tmp_path, name)) for name in ("text.wav", "nan.wav")]
    with pytest.raises(UserError, match="none of 2 recordings could be read"):
        list(read_sources(sources))
    assert list(read_sources(sources, required=False)) == []
    assert list(read_sources(sources[:1], required=False)) == []
