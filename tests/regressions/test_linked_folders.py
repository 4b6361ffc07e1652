"""A speaker's folder that was a link was passed over in silence by every command but `prepare`."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from helpers.audio_files import write_tone
from speechvq import align
from speechvq.cli.sources import find_sources
from speechvq.data.corpora import folder as folder_corpus
from speechvq.images.folder import find_images
from speechvq.io.folders import files_below
from speechvq.io.utterance_files import by_utterance, find_files


def link_speakers(folder: Path, write: Callable[[Path], object], suffix: str) -> Path:
    """A folder of links to the folders of two speakers, with one file each."""
    for speaker in ("ann", "ben"):
        file = folder / f"elsewhere/{speaker}/{speaker}_0{suffix}"
        file.parent.mkdir(parents=True)
        write(file)
        link = folder / "links" / speaker
        link.parent.mkdir(exist_ok=True)
        link.symlink_to(file.parent)
    return folder / "links"


def test_audio_files_are_found(tmp_path: Path) -> None:
    links = link_speakers(tmp_path, write_tone, ".wav")
    assert [source.name for source in find_sources(links)] == ["ann/ann_0", "ben/ben_0"]
    assert [each.utt for each in folder_corpus.recordings(links).recordings] == ["ann_0", "ben_0"]


def test_transcripts_are_found(tmp_path: Path) -> None:
    texts = link_speakers(tmp_path / "texts", lambda path: path.write_text("a word"), ".txt")
    sources = find_sources(link_speakers(tmp_path / "audio", write_tone, ".wav") / "ann")
    tasks, complaints = align.match_texts(sources, texts, tmp_path / "out")
    assert [task.text for task in tasks] == [texts / "ann/ann_0.txt"] and not complaints


def test_codes_and_alignments_are_found(tmp_path: Path) -> None:
    links = link_speakers(tmp_path, lambda path: np.save(path, np.arange(3)), ".npy")
    assert set(by_utterance(find_files(links, [".npy"], what="codes"), links)) == {"ann_0", "ben_0"}


def test_images_are_found(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for split in ("train", "test"):
        folder = link_speakers(tmp_path / split, lambda path: Image.new("RGB", (8, 8)).save(path), ".png")
        (tmp_path / "in" / split).symlink_to(folder)
    assert {split: len(paths) for split, paths in find_images(tmp_path / "in").items()} == {
        "train": 2,
        "test": 2,
    }


def test_a_loop_of_links_ends(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    first = write_tone(tmp_path / "a/x.wav")
    (tmp_path / "a/up").symlink_to(tmp_path)
    (tmp_path / "a/self").symlink_to("self")
    (tmp_path / "b").symlink_to("a")
    assert files_below(tmp_path, {".wav"}) == [first, tmp_path / "b/x.wav"]
    assert "a/up: left out, a link to a folder that contains it" in caplog.text


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_without_permission_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    write_tone(tmp_path / "a/x.wav")
    (tmp_path / "a").chmod(0)
    assert files_below(tmp_path, {".wav"}) == []
    (tmp_path / "a").chmod(0o700)
    assert "a: left out, cannot be read (Permission denied)" in caplog.text
