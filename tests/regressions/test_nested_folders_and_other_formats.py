"""SPEAKER/VIDEO/x.flac and x.m4a were neither read nor counted, and x.aiff and x.au were not searched for."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from helpers.audio_files import write_tone
from helpers.corpus_layouts import write_files
from speechvq import prepare
from speechvq.audio.formats import AUDIO_SUFFIXES, conversion_remedy
from speechvq.audio.waveform import read_waveform
from speechvq.cli.sources import find_sources
from speechvq.data.conversion_folders import match_folders
from speechvq.data.corpora import folder
from speechvq.errors import UserError

FORMATS = {".aif": "AIFF", ".aifc": "AIFF", ".snd": "AU", ".oga": "OGG", ".opus": "OGG", ".sph": "NIST"}


@pytest.mark.parametrize("suffix", sorted(AUDIO_SUFFIXES))
def test_every_format_of_libsndfile_is_found_and_read(suffix: str, tmp_path: Path) -> None:
    kind = FORMATS.get(suffix, suffix[1:].upper())
    subtype = {".opus": "OPUS", ".mp3": None, ".oga": None, ".ogg": None}.get(suffix, "PCM_16")
    soundfile.write(tmp_path / f"a{suffix}", 0.1 * np.ones(16_000), 16_000, format=kind, subtype=subtype)
    (source,) = find_sources(tmp_path)
    assert len(read_waveform(source.path)) >= 16_000


def test_a_format_that_is_not_read_is_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_files(tmp_path, "my b.m4a", "c.WMA")
    write_tone(tmp_path / "a.wav")
    assert [source.name for source in find_sources(tmp_path)] == ["a"]
    assert "2 files of a format that is not read (.m4a, .wma); convert it: ffmpeg -i " in caplog.text
    with pytest.raises(UserError, match="convert it: ffmpeg -i '.*my b.m4a' '.*my b.wav'"):
        read_waveform(tmp_path / "my b.m4a")
    assert conversion_remedy(Path("-a.aac")) == "convert it: ffmpeg -i ./-a.aac ./-a.wav"
    assert conversion_remedy(Path("a.wav")) == ""


def test_only_files_that_are_not_read(tmp_path: Path) -> None:
    write_files(tmp_path, "ann/b.m4a")
    with pytest.raises(UserError, match="--root contains one folder per speaker; .*ffmpeg -i .*b.m4a"):
        folder.recordings(tmp_path)
    with pytest.raises(UserError, match="no audio files"):
        find_sources(tmp_path)


def test_folders_within_the_folder_of_a_speaker(tmp_path: Path) -> None:
    write_files(tmp_path, "ann/one/1.flac", "ann/two/1.flac", "ben/one/1.flac", "ben/2.aiff", "ben/3.m4a")
    write_files(tmp_path, "txt/ann/one/1.txt", "ben/one/1.txt", "lab/ann/two/1.lab")
    found = folder.recordings(tmp_path)
    assert [(each.utt, each.speaker) for each in found.recordings] == [
        ("ann_one_1", "ann"), ("ann_two_1", "ann"), ("2", "ben"), ("ben_one_1", "ben"),
    ]  # fmt: skip
    assert [each.text for each in found.recordings] == ["x", "x", None, "x"], "a .lab without times is a text"
    (reason,) = found.skipped
    assert reason.startswith("format that is not read (.m4a); convert it: ffmpeg -i ")


def test_a_folder_of_folders_of_speakers_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_files(tmp_path, "train/ann/1.wav", "train/ben/2.wav")
    assert {each.speaker for each in folder.recordings(tmp_path).recordings} == {"train"}
    assert (
        "train: taken as one speaker; if it contains the speakers' folders, give it as --root" in caplog.text
    )


def test_results_within_the_corpus_are_no_recordings(tmp_path: Path) -> None:
    write_tone(tmp_path / "ann/1.wav", samples=16_000)
    flags = ["folder", "--root", str(tmp_path), "--out", str(tmp_path / "out"), "--jobs", "1"]
    assert prepare.main(flags) == prepare.main(flags) == 0
    assert len((tmp_path / "out/manifest.tsv").read_text().splitlines()) == 2


def test_sources_and_conversions_in_other_formats(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for name in ("source/s.au", "source/t.aiff", "converted/s.flac", "converted/t.wav", "target/x.caf"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / name, 0.1 * np.ones(1_600), 16_000)
    write_files(tmp_path, "target/y.m4a")
    folds, unmatched = match_folders(*(tmp_path / each for each in ("source", "converted", "target")), 3)
    assert sum(len(fold.pairs) for fold in folds) == 2 and not unmatched.describe()
    assert "1 files of a format that is not read (.m4a)" in caplog.text
