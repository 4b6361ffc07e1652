"""`evaluate conversion`: synthetic conversions of known scores, and one error line for every mistake."""

import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.synthetic_speech import make_speech_corpus, speech
from helpers.tiny import python
from speechvq import evaluate
from speechvq.audio.waveform import write_waveform
from speechvq.data.conversions import (
    ConversionPair,
    find_conversion_pairs,
    select_held_out_targets,
    select_references,
)
from speechvq.data.manifest import Utterance, read_manifest
from speechvq.results.conversion import ConversionResult


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_speech_corpus(tmp_path_factory.mktemp("voices"), sentences=7)


@pytest.fixture(autouse=True)
def without_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    """No optional package is installed; `test_judges` tests the metrics that need one."""
    for module in ("hama", "resemblyzer", "speechmos", "distillmos", "faster_whisper"):
        monkeypatch.setitem(sys.modules, module, None)


def convert(voices: Path, folder: Path) -> Path:
    """Perfect conversions of test sentences of ann and ben to cay: the same vowels with cay's formants."""
    for voice, seed in (("ann", 6), ("ben", 106)):
        write_waveform(folder / "cay" / f"{voice}_6.wav", speech("cay", seed))
    return folder


def copy_sources(voices: Path, folder: Path) -> Path:
    for voice in ("ann", "ben"):
        (folder / "cay").mkdir(parents=True, exist_ok=True)
        shutil.copy(voices / f"audio/{voice}_6.flac", folder / "cay" / f"{voice}_6.wav")
    return folder


def run(*arguments: str | Path) -> int:
    return evaluate.main(["conversion", *map(str, arguments)])


@pytest.mark.parametrize(("make", "wins"), [(convert, 1), (copy_sources, 0)])
def test_synthetic_conversions_have_the_expected_scores(
    make: Callable[[Path, Path], Path],
    wins: int,
    voices: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, file = make(voices, tmp_path / "converted"), tmp_path / "scores.json"
    assert run("--converted", folder, "--manifest", voices, "--json", file) == 0
    printed, _ = capsys.readouterr()
    assert "mean of 2 conversions" in printed and "classified as target, of 3 speakers (%)" in printed
    assert printed.splitlines()[1].split()[:3] == ["ann_6", "ann", "cay"]
    assert printed.count("left out: ") == 4
    found = json.loads(file.read_text())
    assert found["num_speakers"] == 3 and [row["target"] for row in found["conversions"]] == ["cay", "cay"]
    for name in ("target_preferred", "f0_closer_to_target"):
        figure = found["summary"][name]
        assert (figure["mean"], figure["source_baseline"], figure["target_reference"], figure["chance"]) == (
            wins,
            0,
            1,
            0.5,
        )
    assert found["summary"]["log_mel_distance_db"]["target_reference"] is None  # JSON has no NaN
    read = ConversionResult.load(file)
    assert [each.metrics.classified_as for each in read.conversions] == [
        row["classified_as"] for row in found["conversions"]
    ]
    assert [each.name for each in read.summary.values()] == list(found["summary"])


def test_equal_calls_give_equal_numbers(voices: Path, tmp_path: Path) -> None:
    folder = convert(voices, tmp_path / "converted")
    for name in ("a", "b"):
        assert run("--converted", folder, "--manifest", voices, "--json", tmp_path / name) == 0
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_one_conversion_is_enough(voices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_waveform(tmp_path / "c/cay/ann_6.wav", speech("cay", 6, whispered=True))
    assert run("--converted", tmp_path / "c", "--manifest", voices, "--references", "2") == 0
    assert "mean of 1 conversion\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda folder: None, "no such folder; expected DIR/TARGET/UTT.wav"),
        (lambda folder: folder.mkdir(), "no conversions there; expected DIR/TARGET/UTT.wav"),
        (lambda folder: write_waveform(folder / "ann_6.wav", speech("cay")), "no conversions there"),
        (lambda folder: write_waveform(folder / "cey/ann_6.wav", speech("cay")), "did you mean 'cay'?"),
        (lambda folder: write_waveform(folder / "cay/ann_66.wav", speech("cay")), "did you mean 'ann_6'?"),
        (lambda folder: write_broken(folder / "cay/ann_6.wav"), "ann_6.wav: not a readable audio file"),
    ],
)
def test_mistakes_are_one_error_line(
    make: Callable[[Path], None],
    message: str,
    voices: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    make(tmp_path / "c")
    assert run("--converted", tmp_path / "c", "--manifest", voices, "--references", "1") == 2
    complaint = capsys.readouterr().err
    assert complaint.startswith("speechvq.evaluate conversion: error: ") and message in complaint
    assert complaint.count("\n") == 1


def write_broken(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.write_bytes(b"RIFF and then nothing")


def test_mistakes_in_flags(voices: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = convert(voices, tmp_path / "c")
    assert run("--converted", folder, "--manifest", voices, "--references", "0") == 2
    assert run("--converted", folder, "--manifest", tmp_path / "nothing.tsv") == 2
    assert "no such manifest" in capsys.readouterr().err


def test_subjects_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert evaluate.main(["--help"]) == evaluate.main([]) == 0
    assert "conversion" in capsys.readouterr().out
    assert evaluate.main(["pitch"]) == 2
    assert "no subject 'pitch'; there are conversion" in capsys.readouterr().err


def test_the_command_starts_as_a_module() -> None:
    process = python("-m", "speechvq.evaluate", "--help")
    out, _ = process.communicate(timeout=60)
    assert process.returncode == 0 and "conversion" in out


def utterance(speaker: str, number: int, split: str = "train") -> Utterance:
    return Utterance(f"{speaker}_{number}", speaker, split, 1.0, Path(f"{speaker}_{number}.flac"))


def test_references_are_training_recordings_and_never_converted() -> None:
    known = [utterance("a", i) for i in range(9)] + [utterance("b", i, "unseen") for i in range(3)]
    pairs = [ConversionPair("a", known[0], Path()), ConversionPair("a", known[9], Path())]
    chosen = select_references(known, pairs, 3)
    assert [u.utt for u in chosen["a"]] == ["a_1", "a_4", "a_8"] and [u.utt for u in chosen["b"]] == [
        "b_1",
        "b_2",
    ]
    held_out = select_held_out_targets(pairs, [*known, utterance("a", 9, "test")], chosen)
    assert [u and u.utt for u in held_out] == ["a_9", "a_9"]
    assert select_held_out_targets([ConversionPair("b", known[0], Path())], known, {"b": known[9:]}) == [None]


def test_a_speaker_without_recordings_is_named() -> None:
    known = [utterance("a", 0), utterance("a", 1), utterance("b", 0)]
    with pytest.raises(ValueError, match="'b' has no recordings but the converted"):
        select_references(known, [ConversionPair("a", known[2], Path())], 3)
    with pytest.raises(ValueError, match="'a' is the only speaker"):
        select_references(known[:2], [ConversionPair("a", known[0], Path())], 3)


def test_partial_files_of_an_interrupted_command_are_ignored(voices: Path, tmp_path: Path) -> None:
    folder = convert(voices, tmp_path)
    (folder / "cay/.part-1234.wav").write_bytes(b"")
    assert [pair.source.utt for pair in find_conversion_pairs(folder, read_manifest(voices))] == [
        "ann_6",
        "ben_6",
    ]
