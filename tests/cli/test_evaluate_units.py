"""`evaluate codebook` and `evaluate speakers`: their tables, their JSON, and wrong input."""

import json
from pathlib import Path

import numpy as np
import pytest

from speechvq import evaluate
from speechvq.data.manifest import Utterance, write_manifest
from speechvq.results.units import CodebookResult, SpeakersResult


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eight utterances of two speakers; half of the codes depend on the speaker only."""
    rng, utterances = np.random.default_rng(0), []
    (tmp_path / "codes").mkdir()
    (tmp_path / "codes/meta.json").write_text('{"frame_rate_hz": 50, "num_codes": 16}')
    for i in range(8):
        codes = np.where(rng.random(60) < 0.5, i % 2, rng.integers(16, size=60))
        np.save(tmp_path / f"codes/u{i}.npy", codes)
        utterances.append(Utterance(f"u{i}", "ab"[i % 2], "test", 1.2, tmp_path / f"u{i}.wav"))
    write_manifest(tmp_path / "manifest.tsv", utterances[:7])
    return tmp_path


def run(subject: str, folder: Path, *more: str) -> int:
    flags = ["--codes", str(folder / "codes"), "--json", str(folder / "out.json")]
    return evaluate.main([subject, *flags, *more])


def test_codebook(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("codebook", folder) == 0
    printed, found = capsys.readouterr().out, json.loads((folder / "out.json").read_text())
    assert "8 utterances, 480 codes, 50 per second" in printed and "16 at most" in printed
    assert f"{found['perplexity']:.2f}" in printed or f"{found['perplexity']:.1f}" in printed
    assert (found["active_codes"], sum(found["counts"]), len(found["counts"])) == (16, 480, 16)
    assert sum(n * count for n, count in enumerate(found["run_lengths"])) == 480
    assert CodebookResult.load(folder / "out.json").to_json() == found
    low, high = found["intervals"]["perplexity"]
    assert low < found["perplexity"] < high


def test_speakers(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("speakers", folder, "--manifest", str(folder / "manifest.tsv")) == 0
    printed, found = capsys.readouterr().out, json.loads((folder / "out.json").read_text())
    assert "7 utterances of 2 speakers" in printed
    assert "left out: 1 utterances not in the manifest, e.g. u7" in printed
    assert found["not_in_manifest"] == ["u7"] and found["probe_accuracy"] == 1
    assert found["speaker_pnmi"] > found["shuffled_speaker_pnmi"]
    assert SpeakersResult.load(folder / "out.json").to_json() == found


def test_mistakes_cost_one_line(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_manifest(folder / "one.tsv", [Utterance("u0", "a", "test", 1.0, folder / "u0.wav")])
    write_manifest(folder / "none.tsv", [Utterance("x", "a", "test", 1.0, folder / "x.wav")])
    np.save(folder / "codes/bad.npy", np.array([0.5]))
    for subject, more, message in (
        ("codebook", [], "bad.npy: expected integers, found float64"),
        ("speakers", ["--manifest", str(folder / "one.tsv")], "1 speakers with codes; give codes of two"),
        ("speakers", ["--manifest", str(folder / "none.tsv")], "none.tsv: lists no utterance of"),
        ("speakers", ["--manifest", str(folder / "nowhere.tsv")], "no such manifest"),
    ):
        assert run(subject, folder, *more) == 2
        complaint = capsys.readouterr().err
        assert message in complaint and complaint.count("\n") == 1
    for path in (folder / "codes").glob("*.npy"):
        np.save(path, np.zeros(0, int))
    assert run("codebook", folder) == 2
    assert "codes: no codes; every utterance is empty" in capsys.readouterr().err
