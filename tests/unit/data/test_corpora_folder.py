"""A user's own folder of speakers."""

import os
from pathlib import Path

import pytest

from helpers.corpus_layouts import write_files
from speechvq.data.corpora import folder
from speechvq.errors import UserError

PACK = Path(__file__).parents[4] / "shared" / "data" / "speech"


@pytest.mark.parametrize("base", ["", "audio/"])
def test_both_layouts_and_all_extensions(tmp_path: Path, base: str) -> None:
    names = ["a.wav", "b.FLAC", "c.ogg", "d.opus", "e.mp3", "f g ü.wav"]
    write_files(
        tmp_path, *(f"{base}ann/{name}" for name in names), f"{base}ann/notes.md", f"{base}.hidden/x.wav"
    )
    write_files(tmp_path, "txt/ann/a.txt", f"{base}ann/b.txt", content="two\nwords ")
    write_files(tmp_path, "lab/ann/a.lab", f"{base}ann/c.lab", content="0 100 AA")
    found = folder.recordings(tmp_path)
    assert [recording.utt for recording in found.recordings] == ["a", "b", "c", "d", "e", "f g ü"]
    assert [recording.text for recording in found.recordings] == ["two words"] * 2 + [None] * 4
    labels = [recording.alignment.name for recording in found.recordings if recording.alignment]
    assert labels == ["a.lab", "c.lab"]
    assert {recording.speaker for recording in found.recordings} == {"ann"} and not found.skipped


def test_names_are_prefixed_only_if_they_collide(tmp_path: Path) -> None:
    write_files(tmp_path, "ann/1.wav", "bob/1.wav", "bob/2.wav")
    assert [recording.utt for recording in folder.recordings(tmp_path).recordings] == ["ann_1", "bob_1", "2"]


def test_prefixed_names_that_collide_are_skipped(tmp_path: Path) -> None:
    write_files(tmp_path, "a/b_c.wav", "x/b_c.wav", "a_b/c.wav", "x/c.wav")
    found = folder.recordings(tmp_path)
    assert len({recording.utt for recording in found.recordings}) == len(found.recordings) == 3
    assert found.skipped == {"name taken by another utterance": 1}


def test_skipped_files_are_counted(tmp_path: Path) -> None:
    write_files(tmp_path, "ann/1.wav", "ann/1.flac", "loose.wav", "readme.txt", "ann/tab\tname.wav")
    (tmp_path / "ann" / os.fsdecode(b"latin-\xe4.wav")).touch()
    found = folder.recordings(tmp_path)
    assert [recording.audio.name for recording in found.recordings] == ["1.flac"]
    assert found.skipped == {
        "second format of the same utterance": 1,
        "audio outside a speaker's folder": 1,
        "name that is too long or not UTF-8, or contains a control character or backslash": 2,
    }


@pytest.mark.parametrize("names", [[], ["loose.wav"], ["ann/notes.md"]])
def test_a_folder_without_speakers_is_a_user_error(tmp_path: Path, names: list[str]) -> None:
    write_files(tmp_path, *names)
    with pytest.raises(UserError, match="no audio files such as SPEAKER/UTT.wav"):
        folder.recordings(tmp_path)


def test_a_missing_folder_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder; --root"):
        folder.recordings(tmp_path / "nowhere")


@pytest.mark.skipif(not PACK.is_dir(), reason="the pack of real speech is not there")
def test_a_pack_of_real_speech() -> None:
    found = folder.recordings(PACK)
    assert len(found.recordings) == 784 and not found.skipped
    assert len({recording.speaker for recording in found.recordings}) == 28
    assert found.without_text() == 15
