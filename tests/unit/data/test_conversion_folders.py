"""Conversions in three folders: known scores, two folds, and names of unmatched recordings."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.synthetic_speech import speech
from speechvq import evaluate
from speechvq.audio.waveform import write_waveform
from speechvq.data.conversion_folders import match_folders
from speechvq.errors import UserError


@pytest.fixture(autouse=True)
def without_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    """No optional package is installed."""
    for module in ("pocketsphinx", "resemblyzer", "speechmos"):
        monkeypatch.setitem(sys.modules, module, None)


def write_sentences(folder: Path, speaker: str, *seeds: int, name: str = "s{}.wav") -> None:
    for seed in seeds:
        write_waveform(folder / name.format(seed), speech(speaker, seed))


@pytest.fixture(scope="module")
def recordings(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight sentences by ann, the same by ben, and seven others by ben, one of them in FLAC."""
    folder = tmp_path_factory.mktemp("recordings")
    write_sentences(folder / "ann", "ann", *range(8))
    write_sentences(folder / "perfect", "ben", *range(8))
    write_sentences(folder / "ben", "ben", *range(20, 26))
    write_waveform(folder / "ben/other.flac", speech("ben", 26))
    return folder


def run(source: Path, converted: Path, target: Path, *more: str | Path) -> int:
    folders = ["--source", source, "--converted", converted, "--target", target]
    return evaluate.main(["conversion", *map(str, folders), *map(str, more)])


@pytest.mark.parametrize(("converted", "wins"), [("perfect", 1), ("ann", 0)])
def test_synthetic_conversions_have_the_expected_scores(
    converted: str, wins: int, recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "scores.json"
    assert run(recordings / "ann", recordings / converted, recordings / "ben", "--json", file) == 0
    printed, warnings = capsys.readouterr()
    assert "mean of 8 conversions" in printed and "left out: " not in warnings
    found = json.loads(file.read_text())
    assert found["unmatched"] == {"without_source": [], "without_target": [], "unconverted": []}
    rows = found["conversions"]
    assert [row["utterance"] for row in rows] == [f"s{i}" for i in range(8)]
    assert {(row["source"], row["target"]) for row in rows} == {("ann", "ben")} and found["num_speakers"] == 2
    for name in ("target_preferred", "f0_closer_to_target"):
        figure = found["summary"][name]
        assert (figure["mean"], figure["source_baseline"], figure["target_reference"], figure["chance"]) == (
            wins,
            0,
            1,
            0.5,
        )
        assert figure["low"] < figure["high"] and figure["num_values"] == 8
    assert found["summary"]["f0_shift_ratio"]["mean"] == pytest.approx(wins, abs=0.1)


def test_the_references_of_a_fold_exclude_its_sources(recordings: Path) -> None:
    folds, unmatched = match_folders(recordings / "ann", recordings / "perfect", recordings / "ben", 10)
    assert unmatched.describe() == [] and sorted(len(fold.pairs) for fold in folds) == [4, 4]
    for fold in folds:
        sources = {pair.source for pair in fold.pairs}
        references = {each for recordings in fold.speaker_references.values() for each in recordings}
        assert not sources & references and {pair.source.speaker for pair in fold.pairs} == {"ann"}
        assert len(fold.speaker_references["ann"]) == 4 and len(fold.speaker_references["ben"]) == 6
        assert all(own and own.speaker == "ben" and own not in references for own in fold.held_out_targets)


def test_several_targets_by_folder(recordings: Path, tmp_path: Path) -> None:
    """A parallel corpus: every speaker has sentences of the same names."""
    for speaker in ("ben", "cay"):
        write_sentences(tmp_path / "targets" / speaker, speaker, 30, 31)
        write_sentences(tmp_path / "out" / speaker, speaker, 0, 1)
    folds, unmatched = match_folders(recordings / "ann", tmp_path / "out", tmp_path / "targets", 10)
    pairs = [pair for fold in folds for pair in fold.pairs]
    assert sorted((pair.target, pair.source.utt) for pair in pairs) == [
        ("ben", "s0"), ("ben", "s1"), ("cay", "s0"), ("cay", "s1"),
    ]  # fmt: skip
    assert [sorted(fold.speaker_references) for fold in folds] == [["ann", "ben", "cay"]] * 2
    assert unmatched.unconverted == [f"s{i}" for i in range(2, 8)]


def test_the_sources_of_each_speaker_are_split_into_halves(tmp_path: Path) -> None:
    for speaker, seeds in (("ann", (0, 2)), ("cay", (1, 3))):
        write_sentences(tmp_path / "in" / speaker, speaker, *seeds)
    write_sentences(tmp_path / "out", "ben", *range(4))
    write_sentences(tmp_path / "ben", "ben", 7, 8)
    folds, _ = match_folders(tmp_path / "in", tmp_path / "out", tmp_path / "ben", 10)
    assert [[pair.source.speaker for pair in fold.pairs] for fold in folds] == [["ann", "cay"]] * 2


def test_a_speaker_that_is_source_and_target(tmp_path: Path) -> None:
    """All recordings in one folder; the unconverted ones are the references."""
    for speaker in ("ann", "ben"):
        write_sentences(tmp_path / "all" / speaker, speaker, *range(4), name=f"{speaker}_{{}}.wav")
    write_waveform(tmp_path / "out/ben/ann_0.wav", speech("ben"))
    (fold,), unmatched = match_folders(tmp_path / "all", tmp_path / "out", tmp_path / "all", 10)
    assert [each.utt for each in fold.speaker_references["ann"]] == ["ann_1", "ann_2", "ann_3"]
    assert [each.utt for each in fold.speaker_references["ben"]] == [f"ben_{i}" for i in range(4)]
    assert len(unmatched.unconverted) == 7


def test_folders_of_one_name_are_two_speakers(recordings: Path, tmp_path: Path) -> None:
    for part, speaker in (("a", "ann"), ("b", "ben")):
        shutil.copytree(recordings / speaker, tmp_path / part / "wav")
    folds, _ = match_folders(tmp_path / "a/wav", recordings / "perfect", tmp_path / "b/wav", 10)
    assert sorted(folds[0].speaker_references) == ["source", "target"]


def test_unmatched_recordings_are_counted_and_named(
    recordings: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_sentences(tmp_path / "out/ben", "ben", 0, 1)
    write_sentences(tmp_path / "out/ben", "ben", 70, 71)
    write_sentences(tmp_path / "out/dan", "ben", 2)
    write_sentences(tmp_path / "targets/ben", "ben", 20, 21)
    file = tmp_path / "scores.json"
    assert run(recordings / "ann", tmp_path / "out", tmp_path / "targets", "--json", file) == 0
    lines = capsys.readouterr().err.splitlines()
    assert "left out: 2 conversions without a source of the same name: ben/s70.wav, ben/s71.wav" in lines
    assert "left out: 1 conversions without recordings of their target: dan/s2.wav" in lines
    assert "left out: 6 sources without a conversion: s2, s3, s4, s5, s6, ..." in lines
    assert json.loads(file.read_text())["unmatched"]["without_target"] == ["dan/s2.wav"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda out: None, "out: no such folder; give the folder of the conversions"),
        (lambda out: out.mkdir(), "out: no conversions below; expected files ending in "),
        (lambda out: write_sentences(out, "ben", 70), "no conversion has the name of a source in "),
        (lambda out: write_sentences(out / "dan", "ben", 0), "no recordings of the target of "),
        (
            lambda out: [write_sentences(out / name, "ben", 0) for name in "ab"],
            "no recordings of the target of ",
        ),
        (
            lambda out: [write_sentences(out / "ben" / name, "ben", 0) for name in "ab"],
            "s0 of one target; keep one",
        ),
        (lambda out: write_broken(out / "ben/s0.wav"), "s0.wav: not a readable audio file"),
    ],
)
def test_mistakes_are_one_error_line(
    make: Callable[[Path], None],
    message: str,
    recordings: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for speaker in ("ben", "cay"):
        write_sentences(tmp_path / "targets" / speaker, speaker, 20)
    make(tmp_path / "out")
    assert run(recordings / "ann", tmp_path / "out", tmp_path / "targets", "--references", "1") == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if not line.startswith("left out: ")]
    complaint = [line for line in lines if "error" in line]
    assert len(complaint) == 1 and message in complaint[0]


def write_broken(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(b"RIFF and then nothing")


def test_recordings_without_references(recordings: Path, tmp_path: Path) -> None:
    write_sentences(tmp_path / "one", "ann", 0)
    with pytest.raises(UserError, match="'one' has no recordings but the converted ones; add recordings"):
        match_folders(tmp_path / "one", recordings / "perfect", recordings / "ben", 10)
    with pytest.raises(UserError, match="is a source by 'source' and a recording of the target 'target'"):
        match_folders(recordings / "ann", recordings / "perfect", recordings / "ann", 10)


@pytest.mark.parametrize(
    "flags",
    [[], ["--source", "a"], ["--target", "a"], ["--manifest", "a", "--source", "a", "--target", "a"]],
)
def test_conflicting_flags(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate.main(["conversion", "--converted", "c", *flags]) == 2
    complaint = capsys.readouterr().err
    assert "give --manifest, or both --source DIR and --target DIR" in complaint
    assert complaint.count("\n") == 1
