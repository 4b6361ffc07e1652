"""`evaluate alignments`: files are matched by name, missing ones counted, results printed and written."""

import json
from pathlib import Path

import pytest

from speechvq import align, evaluate
from speechvq.alignment.intervals import Interval, write_lab
from speechvq.alignment.phones import SILENCE
from speechvq.results.alignments import AlignmentsResult

PHONES = (SILENCE, "HH", "AW", "S", SILENCE)


def write(folder: Path, names: str, *, later: float = 0.0) -> Path:
    for name in names:
        cuts = [0.0, *(0.1 * i + later for i in range(1, len(PHONES))), 0.5]
        write_lab(folder / f"{name}.lab", [Interval(a, b, p) for a, b, p in zip(cuts, cuts[1:], PHONES)])
    return folder


def run(*arguments: str | Path) -> int:
    return evaluate.main(["alignments", *map(str, arguments)])


def test_numbers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found, reference = write(tmp_path / "f", "abx", later=0.03), write(tmp_path / "r", "abc")
    assert run("--alignments", found, "--reference", reference, "--json", tmp_path / "s.json") == 0
    printed = capsys.readouterr().out
    assert "8 of 8 boundaries of 2 utterances" in printed
    assert "1 utterances of the reference are missing, 1 are not in it" in printed
    assert printed.splitlines()[1].split() == [
        *"mean absolute error (ms) ↓".split(),
        *"30.0 30.0 to 30.0 0.0".split(),
    ]
    scores = json.loads((tmp_path / "s.json").read_text())
    assert (scores["utterances"], scores["missing_utterances"], scores["boundaries_compared"]) == (2, 1, 8)
    assert scores["metrics"]["bias"]["value"] == pytest.approx(30)
    assert scores["metrics"]["coverage"]["baseline"] is None
    assert AlignmentsResult.load(tmp_path / "s.json").to_json() == scores


def test_align_is_accurate(espeak_corpus: Path, tmp_path: Path) -> None:
    """A small version of the benchmark: eight sentences, so the bounds are wider than for 400."""
    audio, text, out = (
        str(folder) for folder in (espeak_corpus / "audio", espeak_corpus / "txt", tmp_path / "out")
    )
    assert align.main(["--audio", audio, "--text", text, "--out", out, "--jobs", "1"]) == 0
    assert run("--alignments", out, "--reference", espeak_corpus / "lab", "--json", tmp_path / "s.json") == 0
    scores = json.loads((tmp_path / "s.json").read_text())
    value = {name: each["value"] for name, each in scores["metrics"].items()}
    assert scores["missing_utterances"] == 0 and scores["boundaries"] > 150 and value["coverage"] > 0.7
    assert value["mean_error"] < 16 and abs(value["bias"]) < 4 and value["within_20_ms"] > 0.75
    assert scores["metrics"]["mean_error"]["baseline"] > 40


@pytest.mark.parametrize(
    ("found", "reference", "message"),
    [
        ("nowhere", "r", "nowhere: no such folder"),
        ("f", "empty", "empty: no alignments"),
        ("f", "r", "no utterance is in"),
    ],
)
def test_mistakes(
    found: str, reference: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "f", "a")
    write(tmp_path / "r", "b")
    (tmp_path / "empty").mkdir()
    assert run("--alignments", tmp_path / found, "--reference", tmp_path / reference) == 2
    error = capsys.readouterr().err
    assert error.startswith("speechvq.evaluate alignments: error: ") and message in error


def test_other_phones_cannot_be_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path / "f", "a")
    write_lab(tmp_path / "r" / "a.lab", [Interval(0.0, 0.1, "x"), Interval(0.1, 0.2, "y")])
    assert run("--alignments", tmp_path / "f", "--reference", tmp_path / "r") == 2
    assert "no boundary has the same phones" in capsys.readouterr().err
