"""`evaluate` refused `f/a1` beside `m/a1`, which `encode` writes and its own documentation describes."""

from pathlib import Path

import numpy as np
import pytest

from helpers.audio_files import write_tone
from speechvq import align, evaluate
from speechvq.alignment.directory import open_alignments
from speechvq.alignment.intervals import Interval, write_lab
from speechvq.cli.sources import find_sources
from speechvq.data.code_strings import read_strings
from speechvq.data.codes_directory import open_codes
from speechvq.data.conversion_folders import match_folders
from speechvq.data.conversions import find_conversion_pairs
from speechvq.data.manifest import Utterance
from speechvq.errors import UserError
from speechvq.evaluate.aligned_codes import AlignedCodes
from speechvq.evaluate.aligned_speech import aligned_speech
from speechvq.io.atomic import write_json
from speechvq.io.utterance_files import find_matches, match_names
from speechvq.judges.resynthesis import find_resyntheses

PHONES = {"f/a1": "AA", "m/a1": "IY"}
LISTED = [Utterance(f"{s}_a1", s, "train", 0.1, Path(f"{s}/a1.wav")) for s in "fm"]


def named(*names: str) -> dict[str, str]:
    return {name: name for name in names}


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """Codes and alignments of `f/a1` and `m/a1`."""
    write_json(tmp_path / "codes/meta.json", {"frame_rate_hz": 50, "num_codes": 4})
    for name, phone in PHONES.items():
        path = tmp_path / f"codes/{name}.npy"
        path.parent.mkdir()
        np.save(path, np.arange(4))
        write_lab(tmp_path / f"lab/{name}.lab", [Interval(0.0, 0.08, phone)])
    return tmp_path


@pytest.mark.parametrize(
    ("wanted", "found", "expected"),
    [
        (["f/a1", "m/a1"], ["m/a1", "f/a1"], {"f/a1": "f/a1", "m/a1": "m/a1"}),
        (["f/a1", "m/a1"], ["x/f/a1", "x/m/a1"], {"f/a1": "x/f/a1", "m/a1": "x/m/a1"}),
        (["a1", "b2"], ["f/a1", "m/b2"], {"a1": "f/a1", "b2": "m/b2"}),
        (["train/a1"], ["f/a1"], {"train/a1": "f/a1"}),
        (["f/a1", "m/a1"], ["f/a1"], {"f/a1": "f/a1"}),
        (["f/a1", "n/a1"], ["f/a1", "m/a1"], {"f/a1": "f/a1"}),
        (["a1", "f/a1"], ["f/a1", "a1"], {"a1": "a1", "f/a1": "f/a1"}),
        (["a1"], ["b1", "aa1", "a1/b"], {}),
    ],
)
def test_names_match_by_path_and_then_by_name(
    wanted: list[str], found: list[str], expected: dict[str, str]
) -> None:
    assert match_names(named(*wanted), named(*found)) == expected


@pytest.mark.parametrize(("wanted", "found"), [(["a1"], ["f/a1", "m/a1"]), (["f/a1", "m/a1"], ["a1"])])
def test_a_name_that_could_be_two_is_refused(wanted: list[str], found: list[str]) -> None:
    with pytest.raises(UserError, match="the utterance a1 could be f/a1 or m/a1; put it into a folder"):
        match_names(named(*wanted), named(*found))


def test_one_text_can_belong_to_several_speakers() -> None:
    matched, unclear = find_matches(named("f/a1", "m/a1"), named("a1"), shared=True)
    assert matched == {"f/a1": "a1", "m/a1": "a1"} and not unclear


def test_codes_and_alignments(layout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    corpus = AlignedCodes(open_codes(layout / "codes"), open_alignments(layout / "lab"), {})
    assert {name: corpus.labeled(name).intervals[0].phone for name in corpus.names} == PHONES
    for command in (["purity", "--alignments", str(layout / "lab")], ["codebook"]):
        assert evaluate.main([*command, "--codes", str(layout / "codes")]) == 0
    assert "2 utterances" in capsys.readouterr().out


def test_a_manifest_of_the_same_speakers(layout: Path) -> None:
    for utterance in LISTED:
        folder = layout / "lab" / utterance.speaker
        (folder / "a1.lab").rename(folder / f"{utterance.utt}.lab")
    speech = aligned_speech(LISTED, "train", open_alignments(layout / "lab"), where=layout)
    assert [phones[0].phone for phones in speech.phones] == ["AA", "IY"]


def test_code_strings_of_a_prior(layout: Path) -> None:
    strings = read_strings(open_codes(layout / "codes"), None, ["train"])
    assert [string.utt for string in strings] == ["f/a1", "m/a1"]


def test_conversions_in_the_documented_layout(tmp_path: Path) -> None:
    for speaker in "fm":
        for name in ("a1", "a2"):
            write_tone(tmp_path / f"source/{speaker}/{name}.wav")
            write_tone(tmp_path / f"out/t/{speaker}/{name}.wav")
        write_tone(tmp_path / f"target/t/t{speaker}.wav")
    folds, unmatched = match_folders(tmp_path / "source", tmp_path / "out", tmp_path / "target", 4)
    assert not unmatched.describe()
    for pair in (pair for fold in folds for pair in fold.pairs):
        assert pair.target == "t" and pair.path.parts[-2:] == pair.source.path.parts[-2:]


def test_conversions_of_a_folder_with_a_manifest(tmp_path: Path) -> None:
    """`convert --src data/NAME/audio` writes TARGET/SPEAKER/UTT.wav."""
    for speaker in "fm":
        write_tone(tmp_path / f"out/m/{speaker}/{speaker}_a1.wav")
    pairs = find_conversion_pairs(tmp_path / "out", LISTED)
    assert [(pair.target, pair.source) for pair in pairs] == [("m", each) for each in LISTED]
    assert list(find_resyntheses(LISTED, tmp_path / "out/m")) == LISTED
    assert not find_resyntheses(LISTED[:1], tmp_path / "out"), "a conversion is no resynthesis"


def test_texts_of_recordings(tmp_path: Path) -> None:
    for speaker in "fm":
        write_tone(tmp_path / f"audio/{speaker}/a1.wav")
        (tmp_path / "text" / speaker).mkdir(parents=True)
        (tmp_path / f"text/{speaker}/a1.txt").write_text(speaker)
    tasks, problems = align.match_texts(find_sources(tmp_path / "audio"), tmp_path / "text", tmp_path / "out")
    assert [task.text.read_text() for task in tasks] == ["f", "m"] and not problems
