"""`evaluate abx`: perfect codes have no errors, noise is at chance, wrong flags get one clear line."""

import json
from pathlib import Path

import numpy as np
import pytest

from helpers.synthetic_speech import make_speech_corpus
from helpers.tiny import speech_model
from speechvq import evaluate
from speechvq.alignment.intervals import Interval, write_lab
from speechvq.data.manifest import Utterance, write_manifest
from speechvq.results.abx import AbxResult
from speechvq.speech.model_directory import save_model

PHONES = "ABCD"


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two speakers of three utterances of sixty phones; codes, features and noise for each, at 20 Hz."""
    folder, rng = tmp_path_factory.mktemp("abx"), np.random.default_rng(0)
    utterances = []
    for name in ("x0", "x1", "x2", "y0", "y1", "y2"):
        # No phone occurs twice in a row: time warping makes "AAB" equal to "ABB".
        sequence = np.cumsum(rng.integers(1, 4, size=60)) % 4
        phones = [Interval(i / 10, (i + 1) / 10, PHONES[phone]) for i, phone in enumerate(sequence)]
        write_lab(folder / "lab" / f"{name}.lab", phones)
        codes = np.repeat(sequence, 2)
        for kind, frames in {
            "codes": codes,
            "features": np.eye(4)[codes] + 0.01 * rng.standard_normal((120, 4)),
            "noise": rng.standard_normal((120, 4)),
        }.items():
            (folder / kind).mkdir(exist_ok=True)
            np.save(folder / kind / f"{name}.npy", frames)
            (folder / kind / "meta.json").write_text('{"frame_rate_hz": 20, "num_codes": 8}')
        utterances.append(Utterance(name, name[0], "test", 6.0, folder / f"{name}.wav"))
    write_manifest(folder / "manifest.tsv", utterances)
    return folder


def run(corpus: Path, *more: str | Path) -> int:
    arguments = ["--alignments", corpus / "lab", "--manifest", corpus, *more]
    return evaluate.main(["abx", *map(str, arguments)])


def scores(corpus: Path, tmp_path: Path, *more: str | Path) -> dict:
    assert run(corpus, *more, "--json", tmp_path / "abx.json") == 0
    return json.loads((tmp_path / "abx.json").read_text())


@pytest.mark.parametrize("items", ["triphone", "phoneme"])
@pytest.mark.parametrize(
    ("kind", "low", "high"), [("codes", 0, 0), ("features", 0, 0.001), ("noise", 0.4, 0.6)]
)
def test_known_units(
    items: str,
    kind: str,
    low: float,
    high: float,
    corpus: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    flag = "--codes" if kind == "codes" else "--features"
    found = scores(corpus, tmp_path, flag, corpus / kind, "--items", items)
    assert low <= found["within"]["error"] <= high and low <= found["across"]["error"] <= high
    assert found["num_items"] + found["dropped_items"] == 6 * 58 and found["missing_utterances"] == []
    printed = capsys.readouterr().out
    assert f"ABX error of {items}s in equal contexts (%) ↓" in printed and "50.00" in printed


def test_any_context_has_more_triples(corpus: Path, tmp_path: Path) -> None:
    flags = ["--codes", corpus / "codes", "--items", "phoneme", "--max-group", "0", "--max-across", "0"]
    within = scores(corpus, tmp_path, *flags)
    any_context = scores(corpus, tmp_path, *flags, "--context", "any")
    assert any_context["within"]["triples"] > 10 * within["within"]["triples"]
    assert any_context["within"]["error"] == any_context["across"]["error"] == 0


def test_codes_compared_by_codebook_vectors(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = speech_model()
    save_model(tmp_path / "model", model)
    found = scores(corpus, tmp_path, "--codes", corpus / "codes", "--model", tmp_path / "model")
    assert found["distance"] == "angle of vectors" and found["within"]["error"] == 0
    for name in ("x0", "y0"):
        (tmp_path / f"{name}.npy").write_bytes((corpus / f"codes/{name}.npy").read_bytes())
    (tmp_path / "meta.json").write_text('{"frame_rate_hz": 20, "num_codes": 8, "codebook": "another"}')
    assert run(corpus, "--codes", tmp_path, "--model", tmp_path / "model") == 2
    assert "were not made by" in capsys.readouterr().err


@pytest.fixture(scope="module")
def vowels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Vowels of 150 ms by three speakers, with alignments and with codes at 50 Hz that equal the vowels."""
    folder = make_speech_corpus(tmp_path_factory.mktemp("vowels"))
    for number, speaker in enumerate(("ann", "ben", "cay")):
        for i in range(6):
            rng = np.random.default_rng(100 * number + i)
            rng.standard_normal(24_000)  # the noise of the waveform is drawn before its vowels
            vowels = np.array([int(rng.integers(4)) for _ in range(10)])
            phones = [Interval(0.15 * n, 0.15 * (n + 1), PHONES[vowel]) for n, vowel in enumerate(vowels)]
            write_lab(folder / "lab" / f"{speaker}_{i}.lab", phones)
            (folder / "codes").mkdir(exist_ok=True)
            # One frame more than the recording has: other programs may round up.
            codes = vowels[np.minimum((np.arange(76) + 0.5) / 7.5, 9).astype(int)]
            np.save(folder / "codes" / f"{speaker}_{i}.npy", codes)
    (folder / "codes/meta.json").write_text('{"frame_rate_hz": 50, "num_codes": 8}')
    return folder


@pytest.mark.parametrize("by_vectors", [False, True])
def test_baselines_use_the_same_triples(
    by_vectors: bool, vowels: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--codes", vowels / "codes", "--items", "phoneme", "--context", "any", "--baselines"]
    if by_vectors:
        save_model(tmp_path / "model", speech_model())
        flags += ["--model", tmp_path / "model"]
    found = scores(vowels, tmp_path, *flags)
    others = found["baselines"]
    assert list(others) == ["MFCC", "k-means on MFCC", "shuffled codes"]
    for speakers in ("within", "across"):
        triples = {each[speakers]["triples"] for each in (found, *others.values())}
        assert len(triples) == 1 and found[speakers]["error"] == 0
        errors = {name: each[speakers]["error"] for name, each in others.items()}
        assert max(errors["MFCC"], errors["k-means on MFCC"]) < 0.3 < 0.4 < errors["shuffled codes"] < 0.6
        assert others["MFCC"][speakers]["low"] <= errors["MFCC"] <= others["MFCC"][speakers]["high"]
    word = "angle of vectors" if by_vectors else "equal or not"
    assert others["k-means on MFCC"]["distance"] == others["shuffled codes"]["distance"] == word
    assert list(AbxResult.load(tmp_path / "abx.json").baselines) == list(others)
    printed = capsys.readouterr().out
    assert all(f"\n{name}  " in printed for name in others) and "\nchance" in printed


def test_missing_files_are_counted(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("x0", "x1", "y0"):
        (tmp_path / f"{name}.npy").write_bytes((corpus / f"codes/{name}.npy").read_bytes())
    (tmp_path / "meta.json").write_text('{"frame_rate_hz": 20, "num_codes": 8}')
    assert scores(corpus, tmp_path, "--codes", tmp_path)["missing_utterances"] == ["x2", "y1", "y2"]
    assert "no frames or no alignment for 3 of 6 utterances\n" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--codes", "nowhere"], "nowhere: no such folder"),
        (["--features", "nowhere"], "nowhere: no such folder"),
        (["--codes", "codes", "--max-group", "1"], "--max-group: give 2 or more"),
        (["--codes", "codes", "--seed", "-1"], "--seed -1: give a whole number from 0"),
        (["--features", "codes"], "expected numbers (N, C)"),
        (["--codes", "features"], "expected integers, found"),
        (["--features", "features", "--model", "m"], "--model: is for --codes"),
        (["--features", "features", "--baselines"], "--baselines: is for --codes"),
        (["--codes", "codes", "--baselines"], "no split train to fit units on"),
        (["--codes", "codes", "--model", "m"], "m: no model here"),
        (["--codes", "codes", "--split", "train"], "no utterance of the manifest has both"),
    ],
)
def test_mistakes_cost_one_line(
    flags: list[str], message: str, corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    places = {"codes": corpus / "codes", "features": corpus / "features"}
    assert run(corpus, *(places.get(flag, flag) for flag in flags)) == 2
    complaint = capsys.readouterr().err
    assert complaint.startswith("speechvq.evaluate abx: error: ") and complaint.count("\n") == 1
    assert message in complaint


def test_too_little_speech(corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_lab(tmp_path / "x0.lab", [Interval(0, 0.5, "A"), Interval(0.5, 1, "B")])
    assert run(corpus, "--codes", corpus / "codes", "--alignments", tmp_path) == 2
    assert "no two triphones to compare among 0; give more speech or" in capsys.readouterr().err


def test_codes_or_features_and_not_both(corpus: Path) -> None:
    for flags in ([], ["--codes", "a", "--features", "b"]):
        with pytest.raises(SystemExit, match="2"):
            run(corpus, *flags)
