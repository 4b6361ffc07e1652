"""LibriSpeech from any of the three folders a user may point at."""

from pathlib import Path

import pytest

from helpers.corpus_layouts import write_files
from speechvq.data.corpora import librispeech
from speechvq.errors import UserError


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    root = tmp_path / "LibriSpeech"
    write_files(root, "SPEAKERS.TXT", "BOOKS.TXT", "dev-clean/84/121123/84-121123-0000.flac")
    write_files(root, "dev-clean/84/121123/84-121123-0001.flac", "dev-clean/84/121550/84-121550-0000.flac")
    write_files(root, "train-clean-100/19/198/19-198-0000.flac", "train-clean-100/19/198/cover.jpg")
    transcript = "84-121123-0000 GO DO YOU HEAR\n84-121123-0002 NO SOUND\n"
    write_files(root, "dev-clean/84/121123/84-121123.trans.txt", content=transcript)
    return root


@pytest.mark.parametrize("below", ["..", ".", "dev-clean"])
def test_root_may_be_above_the_corpus_or_a_subset(corpus: Path, below: str) -> None:
    found = librispeech.recordings((corpus / below).resolve())
    texts = {recording.utt: recording.text for recording in found.recordings}
    dev = {"84-121123-0000": "GO DO YOU HEAR", "84-121123-0001": None, "84-121550-0000": None}
    assert texts == (dev if below == "dev-clean" else dev | {"19-198-0000": None})
    assert {recording.speaker for recording in found.recordings} <= {"84", "19"}
    assert found.skipped["transcript without audio"] == 1
    assert found.skipped["name does not match the corpus"] == (below != "dev-clean")


def test_a_folder_without_librispeech_is_a_user_error(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder; --root"):
        librispeech.recordings(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"no SPEAKER/CHAPTER/\*\.flac"):
        librispeech.recordings(tmp_path)


def test_every_subset_has_a_published_checksum() -> None:
    assert len(librispeech.SOURCES) == 7
    assert all(len(source.sha256 or "") == 64 for source in librispeech.SOURCES.values())
    assert librispeech.SOURCES["dev-clean"].url == "https://www.openslr.org/resources/12/dev-clean.tar.gz"
