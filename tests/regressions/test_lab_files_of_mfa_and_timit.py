"""MFA's UTT.lab, which holds the transcript, was refused as damaged; TIMIT's UTT.PHN was ignored."""

from pathlib import Path

import pytest

from helpers.audio_files import write_tone
from speechvq.align import match_texts
from speechvq.alignment.directory import open_alignments
from speechvq.alignment.intervals import Interval, is_transcript, read_lab
from speechvq.cli.sources import find_sources
from speechvq.data.corpora import folder
from speechvq.data.preprocessing import preprocess_recording
from speechvq.errors import UserError

TEXT = "she had your dark suit\nin greasy wash water all year\n"
LABELS = "0 4000000 sil\n4000000 9000000 AA\n"


def test_an_alignment_reader_names_the_remedy_for_a_transcript(tmp_path: Path) -> None:
    (tmp_path / "a.lab").write_text(TEXT)
    with pytest.raises(UserError, match=r"a\.lab, line 1: no times but the text 'she had.*speechvq.align"):
        open_alignments(tmp_path).read("a")


@pytest.mark.parametrize(
    ("text", "transcript"),
    [
        (TEXT, True),
        (LABELS, False),
        ("", False),
        ("3 dogs\n", True),
        ("0.0 0.4 sil\n", False),
        ("12 14\n", False),
    ],
)
def test_transcripts_are_told_from_alignments(text: str, transcript: bool, tmp_path: Path) -> None:
    (tmp_path / "a.lab").write_text(text)
    assert is_transcript(tmp_path / "a.lab") == transcript


def test_times_in_seconds_are_no_transcript(tmp_path: Path) -> None:
    (tmp_path / "a.lab").write_text("0.0 0.4 sil\n")
    with pytest.raises(UserError, match="expected 'start end phone' with times in units of 100 ns"):
        read_lab(tmp_path / "a.lab")


def test_an_alignment_beside_the_transcript_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.lab").write_text(TEXT)
    (tmp_path / "a.PHN").write_text("0 1600 h#\n1600 3200 sh\n")
    assert open_alignments(tmp_path).read("a") == [Interval(0, 0.1, "SIL"), Interval(0.1, 0.2, "sh")]


def test_a_damaged_phn_names_its_unit(tmp_path: Path) -> None:
    (tmp_path / "a.phn").write_text("0.0 0.1 h#\n")
    with pytest.raises(UserError, match="times in samples at 16 kHz"):
        open_alignments(tmp_path).read("a")


def test_align_takes_transcripts_in_lab_files(tmp_path: Path) -> None:
    for name in "abc":
        write_tone(tmp_path / f"wav/{name}.wav")
    for name, text in {"a.lab": TEXT, "b.lab": LABELS, "c.lab": TEXT, "c.txt": "hello"}.items():
        (tmp_path / "text").mkdir(exist_ok=True)
        (tmp_path / "text" / name).write_text(text)
    tasks, problems = match_texts(find_sources(tmp_path / "wav"), tmp_path / "text", tmp_path / "out")
    assert [task.text.name for task in tasks] == ["a.lab", "c.txt"]
    assert len(problems) == 1 and "there is no b.txt" in problems[0]


def test_align_does_not_replace_a_transcript(tmp_path: Path) -> None:
    write_tone(tmp_path / "a.wav")
    (tmp_path / "a.lab").write_text(TEXT)
    with pytest.raises(UserError, match="the alignment would replace this text"):
        match_texts(find_sources(tmp_path), tmp_path, tmp_path)


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.lab", LABELS), ("a.PHN", "0 6400 h#\n6400 14400 AA\n"), ("lab/ann/a.phn", "0 9 AA\n")],
)
def test_prepare_reads_every_kind_of_labels(name: str, content: str, tmp_path: Path) -> None:
    write_tone(tmp_path / "in/ann/a.wav", samples=16_000)
    place = tmp_path / "in" / name if "/" in name else tmp_path / "in/ann" / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(content)
    (recording,) = folder.recordings(tmp_path / "in").recordings[:1]
    assert recording.alignment == place
    assert not preprocess_recording(recording, tmp_path / "out").problem
    assert read_lab(tmp_path / "out/lab/ann/a.lab")[-1].phone == "AA"


def test_prepare_reads_transcripts_in_lab_files(tmp_path: Path) -> None:
    write_tone(tmp_path / "ann/a.wav")
    (tmp_path / "ann/a.lab").write_text(TEXT)
    (recording,) = folder.recordings(tmp_path).recordings
    assert recording.text == " ".join(TEXT.split()) and recording.alignment is None
